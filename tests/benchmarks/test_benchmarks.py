"""The benchmarks still run: their smallest forms, without looking at a clock."""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from chapter_sources import BODIES, HEADER
from click.testing import CliRunner

from lexurn import runs
from lexurn.base import paths
from lexurn.base.seeding import generator
from lexurn.generators.urns import Urns
from lexurn.predictors import Memorizing
from lexurn.runs import tables

TINY = {"n_steps": 20, "eval_every": 10, "n_test_samples": 8, "context_length": 4, "d_model": 8}


def load(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_benchmark_of_tracking_runs(monkeypatch, capsys):
    tracking = load("tracking")
    monkeypatch.setattr(
        tracking, "FLAT", {"n_steps": 4, "eval_every": 2, "n_test_samples": 20, "context_length": 4}
    )
    monkeypatch.setattr(tracking.recording, "Wandb", None)  # put back afterwards
    monkeypatch.setenv("WANDB_MODE", "offline")
    tracking.compare(2)
    printed = capsys.readouterr().out
    assert (
        printed.count("wandb / files") == 2
        and "to start recording" in printed
        and "to finish" in printed
    )


def test_the_benchmark_of_steps_and_predictors_runs(monkeypatch, capsys):
    step = load("step")
    monkeypatch.setattr(
        step, "SHAPES", [{"d_model": 8, "n_layers": 1, "n_heads": 2, "context_length": 4}]
    )
    monkeypatch.setattr(step, "peak", lambda: 1e9)
    step.time_steps(3)
    pool = Urns(3).sample_tasks(2, generator=generator(0, "pool"))
    step.compare(
        "M", Memorizing(pool), Memorizing(pool), torch.zeros(4, 3, dtype=torch.int64), n_plain=2
    )
    printed = capsys.readouterr().out
    assert (
        "normal: ours" in printed
        and "lexical: ours" in printed
        and "in the loop with data" in printed
        and "largest difference 0e+00" in printed
    )


def test_the_benchmark_of_predictors_runs(capsys):
    benchmark = load("predictors")
    benchmark.compare_forms([(5, 2, 4, 3)], rounds=2)
    benchmark.show_growth({"V": [5, 6], "C": [2, 4]}, rounds=1)
    forms, *growth = capsys.readouterr().out.splitlines()
    assert "torch" in forms and float(forms.rsplit(maxsplit=1)[1]) < 1e-12
    assert len(growth) == 12 and all("plain" in line for line in growth)
    of_s = next(line for line in growth if line.startswith("S, V 6"))
    assert "for a cost of 2.40×" in of_s  # 2^6 · 6 / (2^5 · 5)


def test_the_benchmark_of_runs_runs(monkeypatch, capsys):
    run = load("run")
    small = {"n_steps": 4, "eval_every": 2, "n_test_samples": 20, "context_length": 4, "d_model": 8}

    def in_this_process(command, *, env, **_):
        """Train where the other tests do, which saves the imports of a process."""
        monkeypatch.setenv("LEXURN_RUNS", env["LEXURN_RUNS"])
        run.main.callback(rounds=1, steps=4, one=command[-1])
        return SimpleNamespace(stdout=capsys.readouterr().out)

    subprocess = SimpleNamespace(run=in_this_process, PIPE=None)
    monkeypatch.setattr(run, "subprocess", subprocess)
    seconds = run.time_run(small | {"seed": 1})
    assert 0 < seconds["loop"] < seconds["get"] < seconds["process"]
    run.compare(1, small)
    printed = capsys.readouterr().out
    assert "lexical run: process" in printed and "of it in steps" in printed


def test_the_benchmark_of_costs_runs(monkeypatch):
    costs = load("costs")
    seconds = {"loop": 0.5, "get": 0.7, "process": 1.0, "peak_mb": 100.0}
    monkeypatch.setattr(costs, "time_run", lambda point: seconds)
    monkeypatch.setattr(costs, "GROWTH", {"V": [6, 7], "D": [1]})
    monkeypatch.setattr(costs, "WIDTHS", [8])
    monkeypatch.setattr(costs, "N_STEPS", 2)
    monkeypatch.setattr(costs.compiled, "MIN_SECONDS", 0)  # put back afterwards
    measured = costs.measure_all(2)
    assert [row["d_model"] for row in measured["steps"]] == [8, 8]
    low, high = measured["symmetrized"][1]["seconds"]["range"]
    assert 0 < low <= measured["symmetrized"][1]["seconds"]["median"] <= high
    law = costs.symmetrized_table(measured).query("who == 'law'")["seconds"]
    assert law[2] / law[0] == pytest.approx(7 * 2**7 / (6 * 2**6))


def test_the_page_of_costs_shows_the_committed_numbers():
    """After a new measurement, or a new text, run `python tests/benchmarks/costs.py page`."""
    costs = load("costs")
    measured, seconds = (json.loads(path.read_text()) for path in (costs.MEASURED, costs.SECONDS))
    assert costs.PAGE.read_text() == costs.render_page(measured, seconds)
    for name, table in costs.tables_of_figures(measured).items():
        assert (costs.FIGURES / f"{name}.csv").read_text() == tables.as_csv(table)


def test_the_benchmark_of_a_full_store_runs(monkeypatch, store):
    measured = load("store").measure(3, 4, 100)
    assert measured["n_stored"] == 3 and 0 <= measured["listing"] < measured["first_listing"] + 1


def test_a_second_training_is_compared_with_the_first_and_with_another_seed():
    retrain = load("retrain")
    first, other = (runs.get(TINY | {"seed": seed}) for seed in (0, 1))
    assert retrain.kind_of(first) == retrain.kind_of(other)
    assert retrain.difference(first, first) == 0 < 0.1 < retrain.difference(first, other)
    rows = retrain.compare([first], {retrain.kind_of(first): [first, other]})
    assert rows["is_equal"].all() and rows["between_seeds"].item() > 0.1
    assert retrain.summary(rows, 2)["n_same_equal"] == 1
    rows.loc[0, ["is_equal", "same_processor", "difference"]] = False, False, 0.5  # the fault
    told = retrain.summary(rows, 2)
    assert told["n_same"] == told["n_near"] == 0 and told["n_far"] == told["n_other"] == 1


def test_the_page_of_promises_shows_the_committed_counts():
    """After a new count, or a new text, run `python tests/benchmarks/promises.py page`."""
    promises = load("promises")
    measured = json.loads(promises.MEASURED.read_text())
    assert promises.PAGE.read_text() == promises.render(measured)
    assert all((paths.root() / "tests" / name).exists() for name in promises.TESTS)


def test_the_benchmark_of_recipes_runs():
    recipe = load("recipe")
    small = {"context_length": 4, "n_test_samples": 10, "d_model": 8, "seed": 0}
    for flat in list(recipe.RECIPES.values())[::6]:
        curve = recipe.curve(recipe.CELL | flat | small | {"n_test_samples": 10}, 0.2)
        assert (
            list(curve) == ["seconds", "step", "generalizing", "symmetrized"]
            and curve["step"].is_monotonic_increasing
        )
        assert (
            curve["seconds"].is_monotonic_increasing
            and curve["seconds"].iloc[-1] > curve["seconds"].iloc[0] >= 0
        )


def test_times_and_ratios_of_recipes_are_those_of_the_curves(capsys):
    recipe = load("recipe")
    far, near = (
        {"generalizing": [1.0, 0.5, 0.09], "symmetrized": [1.0, 1.0, 1.0]},
        {"generalizing": [1.0, 0.09, 0.04]},
    )
    slow = pd.DataFrame({"seconds": [0.0, 10.0, 20.0], **far, "recipe": recipe.SHIPPED, "urn": 0})
    fast = pd.DataFrame({"seconds": [0.0, 0.5, 1.0], **far | near, "recipe": "new", "urn": 0})
    table = recipe.times(pd.concat([slow, fast])).rename_axis(["recipe", "urn"])
    assert table.loc[("new", 0)].tolist() == [0.5, 1.0, float("inf"), float("inf")]
    assert table.loc[(recipe.SHIPPED, 0)].tolist() == [
        20.0,
        float("inf"),
        float("inf"),
        float("inf"),
    ]
    recipe.say_ratios(table, budget=30.0, longest=100.0)
    as_it_came, at_best = capsys.readouterr().out.strip().split("\n\n")
    assert as_it_came.splitlines()[-1].split() == ["new", "40.0", "100.0", "NaN", "NaN"]
    assert at_best.splitlines()[-1].split() == ["new", "40.0", "30.0", "NaN", "NaN"]


@pytest.mark.book
def test_the_benchmark_of_the_book_runs(tmp_path):
    real = paths.root()
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(real / "lexurn", tmp_path / "lexurn", ignore=ignored)
    shutil.copytree(real / "book" / "assets", tmp_path / "book" / "assets")
    for name in ("_config.yml", "book/references.bib"):
        shutil.copy(real / name, tmp_path / name)
    prose = "\n# %% [markdown]\n# ## More\n#\n# There is a sentence already.\n"
    (tmp_path / "book" / "02_other.py").write_text(HEADER + BODIES["02_other"] + prose)
    (tmp_path / "book" / "index.md").write_text("# The book\n")
    (tmp_path / "book" / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nchapters:\n  - file: 02_other\n"
        "  - file: parameters\n  - file: cheat_sheet\n  - file: execution\n  - file: claims\n"
    )
    script = str(Path(__file__).with_name("book.py"))
    command = [sys.executable, script, "--root", str(tmp_path), "--repeats", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    table = {line[:22].strip(): [float(number) for number in line[22:].split()] for line in lines}
    assert list(table) == ["edition", "nothing to do", "a sentence", "a sentence, all pages"]
    edition, nothing, sentence, _ = table.values()
    assert nothing[1] < sentence[1] < edition[1] and edition[2] == 1


def test_tests_run_under_the_kernels_of_a_setting_and_settings_without_instructions_are_left_out(
    tmp_path, monkeypatch
):
    processors = load("processors")
    test = tmp_path / "test_kernels.py"
    test.write_text(
        "import os\n\n\ndef test_it():\n    assert os.environ['OPENBLAS_CORETYPE'] == 'Prescott'\n"
    )
    monkeypatch.setattr(processors, "processor_flags", lambda: {"pni", "avx2", "fma"})
    settings = [f"--setting={each}" for each in ("Prescott/default", "Zen/avx2", "SkylakeX/avx512")]
    done = CliRunner().invoke(processors.main, [*settings, str(test)])
    prescott, zen, failure, skylake = done.stdout.splitlines()
    assert done.exit_code == 1 and prescott.startswith("Prescott/default: 1 passed")
    assert (
        zen.startswith("Zen/avx2: 1 failed")
        and failure.startswith("  FAILED")
        and "test_it" in failure
    )
    assert (
        skylake
        == "SkylakeX/avx512: left out, this processor has no avx512bw, avx512dq, avx512f, avx512vl"
    )
