"""Chapters are paired, have no outputs and the library's own defaults, and run to their end."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jupytext
import lint
import notebooks
import pytest
import torch
import yaml
from jupytext.compare import compare_notebooks
from notebooks import outputs_of
from processes import ForkedPython

import lexurn
from lexurn import cli, comparison, evaluation, parameters, runs
from lexurn.base import paths
from lexurn.publish import address, dependencies
from lexurn.runs import sweeps
from lexurn.settings import flat_names, parameter_cells

ROOT = paths.root()
CHAPTERS = sorted((ROOT / "book").glob("[0-9][0-9]_*.py"))
REPOSITORY = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]


def cells(path, kind):
    return [cell for cell in jupytext.read(path).cells if cell.cell_type == kind]


def tagged(path):
    return [cell for cell in cells(path, "code") if "parameters" in cell.metadata.get("tags", [])]


def test_there_are_chapters_and_the_contents_list_them():
    contents = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text())
    listed = [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    assert [path.stem for path in CHAPTERS] == [name for name in listed if name[0].isdigit()] != []


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_has_no_lint(path):
    assert lint.find_lint(path) == []


def test_all_chapters_begin_with_the_same_cell():
    assert len({cells(path, "code")[0].source for path in CHAPTERS}) == 1


def test_a_stale_notebook_is_found(tmp_path):
    path = tmp_path / "02_train.py"
    path.write_text(CHAPTERS[-1].read_text().replace("\n# # ", "\n# # Straining "))
    with pytest.raises(Exception, match="differ|Straining"):
        compare_notebooks(
            jupytext.read(CHAPTERS[-1].with_suffix(".ipynb")),
            jupytext.read(path),
            compare_ids=False,
            compare_outputs=False,
            raise_on_first_difference=True,
        )


def test_the_training_chapter_takes_every_parameter_and_others_what_they_list():
    """`lexurn book` hands a chapter what its parameters cell shows, and what it lists further."""
    of_runs = {name for name, owner in flat_names().items() if owner != "study"}
    assert dependencies._parameter_names(ROOT / "book" / "02_train.py") == of_runs
    strategies = dependencies._parameter_names(ROOT / "book" / "06_strategies.py")
    assert {"grad_clip", "device", "n_diversities"} <= strategies and "alpha" not in strategies
    for path in CHAPTERS:
        (cell,) = tagged(path)
        shown = list(parameter_cells.assignments(ast.parse(cell.source)))
        assert len(shown) <= 10, path
        assert not set(shown) & set(parameter_cells.further_names(cell.source)) or "02" in path.stem


MISSING = "cuda" if not torch.cuda.is_available() else "mps"


def papermill(out, *arguments, chapter="02_train"):
    return notebooks.papermill(f"book/{chapter}.ipynb", out, *arguments, folder=ROOT)


@pytest.mark.book
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("lex", [False, True])
def test_a_normal_model_memorizes_and_a_lexical_one_does_not(store, tmp_path, seed, lex):
    """At the defaults, normal ends < .05 and lexical > .25 of d(G, M) from M out of distribution.

    Seed 0 is trained by the chapter, seed 1 by the library, evaluated less often.
    """
    if seed == 0:
        done = papermill(tmp_path / "out.ipynb", "-p", "lex", str(lex), "-p", "seed", str(seed))
        assert done.returncode == 0, done.stderr[-3000:]
        (folder,) = store.iterdir()
        run = runs.load(folder)
    else:
        run = runs.get({"lex": lex, "seed": seed, "eval_every": 500, "n_test_samples": 200})
    ends = run.references["generalizing"], run.references["memorizing"]
    apart = comparison.mean_over_rows(
        comparison.distance(*ends, run.splits["out_of_distribution"])
    ).mean()
    share = (
        evaluation.select(run.results, split="out_of_distribution").loc["memorizing", "mean"]
        / apart.item()
    )
    assert (share > 0.25) if lex else (share < 0.05)
    command = parameters.papermill_command("02_train", run.settings.changed())
    assert run.provenance["command"] == command


@pytest.mark.book
def test_the_chapter_shows_distances_with_errors_figures_and_where_the_run_is(store, tmp_path):
    out = tmp_path / "out.ipynb"
    assert papermill(out, "-f", "params/smoke.yaml", "-p", "lex", "True").returncode == 0
    n_pictures, text = outputs_of(out)
    assert n_pictures == 6
    assert "the best that this model can become is the symmetrized predictor S. There, the" in text
    assert re.search(r"The validation loss is least at step \d+. On new sequences", text)
    assert next(store.iterdir()).name in text
    again = papermill(out, "-f", "params/smoke.yaml", "-p", "lex", "True")
    assert again.returncode == 0 and "It is stored" in out.read_text()


@pytest.mark.book
@pytest.mark.parametrize(
    "extra", [["-p", "n_tasks", "0"], ["-p", "n_colors", "11", "-p", "alpha", "0.5"]]
)
def test_the_data_chapter_draws_the_predictors_and_scores_them(store, tmp_path, extra):
    out = tmp_path / "out.ipynb"
    done = papermill(out, "-f", "params/smoke.yaml", *extra, chapter="01_data")
    assert done.returncode == 0, done.stderr[-3000:]
    n_pictures, text = outputs_of(out)
    assert n_pictures == (6 if "n_tasks" in extra else 7)
    assert "if the urn is" in text and "20 % red, 70 % blue, 10 % green" in text
    assert "So a low score does not show that a model counts" in text
    assert [path.name for path in store.iterdir()] == ["tables"]  # nothing is trained


@pytest.mark.book
def test_the_evaluation_chapter_compares_three_models_on_equal_terms(store, tmp_path):
    out = tmp_path / "out.ipynb"
    done = papermill(out, "-f", "params/smoke.yaml", chapter="03_evaluate")
    assert done.returncode == 0, done.stderr[-3000:]
    n_pictures, text = outputs_of(out)
    assert n_pictures == 6 and "6 runs trained" in text
    trained = [runs.load(folder).settings for folder in store.iterdir() if folder.name != "tables"]
    assert sorted((s.kind, s.training.seed) for s in trained) == [
        (kind, seed) for kind in ("lexical", "normal", "permuted") for seed in (0, 1)
    ]
    assert {s.of_kind("normal", seed=0) for s in trained} == {trained[0].of_kind("normal", seed=0)}
    assert "Normal models lack" in text and "best counter" in text


@pytest.mark.book
@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["-p", "n_tasks", "0"], "ParameterError: n_tasks=0 leaves no pool to memorize"),
        (
            ["-p", "n_colors", "15"],
            "ParameterError: S takes too long for n_colors=15, n_tasks=1",
        ),
    ],
)
def test_the_evaluation_chapter_refuses_what_it_cannot_compare_with(
    store, tmp_path, extra, message
):
    done = papermill(tmp_path / "out.ipynb", *extra, chapter="03_evaluate")
    assert done.returncode != 0 and not store.exists()
    assert message in done.stderr.strip().split("\n")[-1]


@pytest.mark.book
def test_every_kind_of_data_can_be_trained_on(store, tmp_path):
    for extra in (["-p", "n_tasks", "0"], ["-p", "n_train_samples", "640"]):
        params = tmp_path / "params.yaml"
        params.write_text("eval_every: 10\nn_test_samples: 20\ntrain: {batch_size: 16}\n")
        steps = [] if "640" in extra else ["-p", "n_steps", "20"]
        done = papermill(tmp_path / "out.ipynb", "-f", str(params), *extra, *steps)
        assert done.returncode == 0, done.stderr[-3000:]
    assert sorted(runs.load(folder).settings.training.n_steps for folder in store.iterdir()) == [
        20,
        40,
    ]


@pytest.mark.book
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["-p", "n_task", "4"],
            "ParameterError: n_task is no parameter of any chapter; did you mean n_tasks?",
        ),
        (["-p", "lex", "maybe"], "must be True or False, got 'maybe'"),
        (["-y", "lr: 0.1"], "lr is no parameter of any chapter; did you mean learning_rate?"),
        (["-p", "device", MISSING], f"device {MISSING} is not available here; available: "),
    ],
)
def test_bad_input_stops_before_any_work(store, tmp_path, arguments, message):
    """One value of each kind that papermill hands over; the resolver's tests have the others."""
    done = papermill(tmp_path / "out.ipynb", *arguments)
    assert done.returncode != 0 and not store.exists()
    assert message in done.stderr.strip().split("\n")[-1]


@pytest.mark.book
def test_a_file_with_a_key_that_no_chapter_knows_is_refused(store, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("n_steps: 5\nn_colours: 3\n")
    done = papermill(tmp_path / "out.ipynb", "-f", str(path))
    assert done.returncode != 0 and not store.exists()
    assert (
        "n_colours is no parameter of any chapter; did you mean n_colors?"
        in done.stderr.strip().split("\n")[-1]
    )


def test_a_chapter_runs_from_another_directory_without_an_installed_library(tmp_path):
    """The first cell is run by a process that cannot import lexurn but stands inside a clone."""
    first = cells(CHAPTERS[-1], "code")[0].source
    inside = ROOT / "book" / "assets"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    lines = {"cwd": inside, "env": environment, "capture_output": True, "text": True}
    command = [sys.executable, "-S", "-c"]  # without site-packages
    done = subprocess.run([*command, f"{first}\nprint(sys.path[0], lexurn.__file__)"], **lines)
    assert done.stdout.split() == [str(ROOT), str(ROOT / "lexurn" / "__init__.py")], done.stderr
    assert subprocess.run([*command, "import lexurn"], **lines).returncode == 1


def test_the_first_cell_is_small_and_hidden():
    for path in CHAPTERS:
        first = cells(path, "code")[0]
        assert first.source.count("\n") + 1 <= 4 and first.metadata.tags == ["remove-cell"], path


CLAIMS = ROOT / "params" / "claims.yaml"
PRETRAINED = ROOT / "params" / "pretrained.yaml"
SCALES = {  # n_colors, d_model, n_layers, n_heads, steps
    "small": (4, 128, 4, 8, 23437),
    "medium": (4, 256, 4, 8, 23437),
    "large": (4, 256, 8, 8, 23437),
    "experiment": (8, 256, 4, 8, 78125),
}


def test_params_files_hold_the_originals_scales():
    for name, wanted in SCALES.items():
        s = parameters.check(parameters.read(ROOT / "params" / f"{name}.yaml", "train"))
        found = (
            s.task.n_colors,
            s.backbone.d_model,
            s.backbone.n_layers,
            s.backbone.n_heads,
            s.training.n_steps,
        )
        assert found == wanted
        assert (s.task.context_length, s.training.learning_rate, s.training.n_train_samples) == (
            127,
            1e-4,
            10**6,
        )


def test_the_published_analysis_trains_just_the_grids_that_come_with_it():
    settings = parameters.check(parameters.read(ROOT / "params" / "book.yaml", "analysis"))
    study = settings.study
    for name, n in (
        ("headline", study.n_urns),
        ("long", study.n_longer),
        ("early", study.n_longer),
    ):
        points = sweeps.read(name).points
        assert {point.training.seed for point in points} == set(range(n))
        assert points[0].training.n_test_samples == settings.training.n_test_samples
    assert sweeps.read("headline").points[0].training.n_steps == settings.training.n_steps


@pytest.mark.parametrize(
    "path",
    sorted(set((ROOT / "params").glob("*.yaml")) - {CLAIMS, PRETRAINED}),
    ids=lambda path: path.stem,
)
def test_params_files_open_with_their_steps_and_command_and_resolve(path):
    settings = parameters.check(parameters.read(path, "train"))
    opening = [line for line in path.read_text().split("\n") if line.startswith("#")]
    assert f"{settings.training.n_steps} steps" in opening[0]
    assert any(
        f"papermill book/02_train.ipynb out.ipynb -f params/{path.name}" in line for line in opening
    )


def test_the_tag_that_notebooks_clone_is_that_of_this_version():
    assert REPOSITORY["branch"] == f"v{lexurn.__version__}"


def test_the_readme_points_at_this_repository_and_lists_every_chapter():
    readme = (ROOT / "README.md").read_text()
    slug = REPOSITORY["url"].removeprefix("https://github.com/")
    for path in CHAPTERS:
        (row,) = [line for line in readme.splitlines() if f"](book/{path.stem}.py)" in line]
        assert row.endswith(f" | {address.badge(path.stem, slug, REPOSITORY['branch'])} |")
    assert REPOSITORY["url"] in (ROOT / "CITATION.cff").read_text()
    for link in re.findall(r"\]\(([^)#:]+)\)", readme):
        assert (ROOT / link).exists(), link


def test_the_workflow_that_publishes_the_book_calls_what_there_is(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("LEXURN_BUILD", raising=False)
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "book.yml").read_text())
    events, build, deploy = (
        workflow[True],
        workflow["jobs"]["build"],
        workflow["jobs"]["deploy"],
    )  # True: on
    assert set(events) == {"push", "workflow_dispatch"} and events["push"] == {"tags": ["v*"]}
    check, _, make = [step["run"] for step in build["steps"] if "run" in step]
    where = {
        "GITHUB_REF_NAME": REPOSITORY["branch"],
        "GITHUB_REPOSITORY": REPOSITORY["url"].split("github.com/")[1],
    }
    for names, code in (
        (where, 0),
        (where | {"GITHUB_REF_NAME": "v9.9"}, 1),
        (where | {"GITHUB_REPOSITORY": "a/b"}, 1),
    ):
        assert subprocess.run(check, shell=True, env=os.environ | names).returncode == code
    command, name, *arguments = make.split()
    assert command == ".venv/bin/lexurn" and cli.main.commands[name] is cli.book
    assert (
        cli.book.make_context(name, arguments).params["params"].is_file()
    )  # refuses options that it does not know
    (upload,) = [
        step for step in build["steps"] if "upload-pages-artifact@" in step.get("uses", "")
    ]
    assert ROOT / upload["with"]["path"] == paths.build_folder() / "html"
    assert deploy["needs"] == "build" and "deploy-pages@" in deploy["steps"][0]["uses"]
    assert deploy["permissions"] == {"pages": "write", "id-token": "write"}
    assert workflow["permissions"] == {"contents": "read"} and "concurrency" in workflow


def test_the_readmes_example_runs(store, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    first, second = [block for block in blocks if "from lexurn" in block]
    assert len([line for line in first.split("\n") if line.strip()]) <= 5
    monkeypatch.chdir(store.parent)
    process = ForkedPython(first + second)
    output, errors = process.communicate()
    assert process.returncode == 0 and "**The generalizing predictor is nearest**" in output, errors


def test_no_path_of_this_machine_and_no_output_is_committed():
    home = str(Path.home())
    for path in [
        *(ROOT / "book").glob("*.*"),
        *(ROOT / "params").glob("*.yaml"),
        ROOT / "README.md",
    ]:
        text = path.read_text()
        assert home not in text and str(ROOT) not in text
    assert json.loads((ROOT / "book" / "02_train.ipynb").read_text())["nbformat"] == 4
