"""`lexurn new` creates a chapter that passes all tests or changes nothing; lint finds faults."""

import ast
import contextlib
import json
import re
import shutil
import subprocess
import sys

import jupytext
import pytest
import yaml
from click.testing import CliRunner
from jupytext.cli import jupytext as jupytext_command
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from notebooks import papermill

from lexurn import cli, parameters
from lexurn.base import files, paths
from lexurn.publish import lint
from lexurn.settings import Settings, parameter_cells

REAL = paths.root()
TAGGED = yaml.safe_load((REAL / "_config.yml").read_text())["repository"]["branch"]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A copy of what a chapter has to do with."""
    root = tmp_path / "repository"
    unwanted = shutil.ignore_patterns("assets", "results", "__pycache__", ".ipynb_checkpoints")
    for folder in ("book", "params", "lexurn"):
        shutil.copytree(REAL / folder, root / folder, ignore=unwanted)
    for name in ("README.md", "_config.yml", "pyproject.toml"):
        shutil.copy(REAL / name, root)
    for path in sorted((root / "book").glob("[0-9][0-9]_*.py")):
        if path.stem > "04":  # the tests add to the first three
            forget(root, path)
    monkeypatch.setattr(paths, "root", lambda: root)
    return root


@pytest.fixture
def chapter(root):
    """The source of a chapter without lint findings."""
    return root / "book" / "02_train.py"


def forget(root, source):
    """Take a chapter out of the book again."""
    source.unlink()
    source.with_suffix(".ipynb").unlink()
    name = source.stem.partition("_")[2]
    for path, lines in (
        ("book/_toc.yml", rf" *- file: {source.stem}\b.*\n"),
        ("README.md", rf"\| \[{source.stem}\].*\n"),
        ("params/smoke.yaml", rf"{name}:.*\n(?: +.*\n)*"),
    ):
        text = (root / path).read_text()
        (root / path).write_text(re.sub(f"^{lines}", "", text, flags=re.MULTILINE))


def edit(path, old, new):
    text = path.read_text()
    assert text.count(old) >= 1, old
    path.write_text(text.replace(old, new, 1))


def pair(path):
    jupytext.write(jupytext.read(path), path.with_suffix(".ipynb"))


LINE = "n_tasks: int = 1  # urns in the training pool; 0: a fresh urn for every sequence"
TAG = '# %% tags=["parameters"]'
KERNEL = (
    "#   kernelspec:\n#     display_name: Python 3\n#     language: python\n#     name: python3\n"
)
PLANTED = {  # what is written in place of what, and what is then said
    "no title": (
        "# # Training",
        "# ## Training",
        "does not begin with a title; begin its first cell with `# `",
    ),
    "two titles": (
        "# ## Training the model",
        "# # Training the model",
        "it has 2 titles; begin all but the first with `## `",
    ),
    "skipped level": (
        "# ## Training the model",
        "# #### Training the model",
        "`#### Training the model` skips a level; begin it with `### `",
    ),
    "two items a line": (
        "# - **M",
        "# so - **M",
        "has a second item; give each item of a list its own line",
    ),
    "typed result": (
        "# - **M",
        "# It loses 0.37 nats.\n#\n# - **M",
        "`It loses 0.37 nats.` has the number 0.37 typed in",
    ),
    "long cell": (
        "spare = models",
        "\n" * 14 + "spare = models",
        "lines, over 16; split it, or move a part into",
    ),
    "class": (
        "kind = settings.kind",
        "class Own:\n    pass",
        "`class Own:` defines a class; move it into lexurn/",
    ),
    "long line": ("# An urn holds", f"# {'An ' * 50}urn holds", "characters, over 120; break it"),
    "no tag": (TAG, "# %%", f"no cells are tagged parameters; put `{TAG}` above one cell"),
    "two tags": (
        "# %% [markdown]\n# ## Training the model",
        f"{TAG}\n# Parameters.\nseed: int = 0\n\n# %% [markdown]\n# ## Training the model",
        "2 cells are tagged parameters",
    ),
    "no mark": (
        "# Parameters of",
        "# Values of",
        "begin it with a line such as `# Parameters of this chapter.`",
    ),
    "papermill's mark": (
        TAG,
        f"{TAG}\n# Parameters",
        "begins `# Parameters`; begin it with a line such as `# Para",
    ),
    "other default": (
        LINE,
        LINE.replace("= 1", "= 2"),
        f"differs from lexurn/settings; write `{LINE}`",
    ),
    "other help": (
        LINE,
        LINE.replace("# urns", "# all urns"),
        f"differs from lexurn/settings; write `{LINE}`",
    ),
    "no type": (
        LINE,
        LINE.replace(": int", ""),
        f"differs from lexurn/settings; write `{LINE}`",
    ),
    "no choices": (
        ", mamba, xlstm",
        ", mamba",
        'differs from lexurn/settings; write `backbone: str = "transformer"  # what computes',
    ),
    "eleven parameters": (
        LINE,
        f"{LINE}\n{lint.parameter_line('threads')}",
        "its parameters cell has 11 parameters, over 10; keep those that a reader would change",
    ),
    "unknown further name": (
        "# Also: every setting of a run",
        "# Also: warmup, schedul",
        "its parameters cell lists schedul after `# Also:`, which is no parameter",
    ),
    "unknown name": (
        "n_tasks: int",
        "n_task: int",
        "n_task is no parameter of any chapter; did you mean n_tasks?",
    ),
    "no plain value": (
        LINE,
        LINE.replace("= 1", "= 2 - 1"),
        "n_tasks must be a plain value, got 2 - 1",
    ),
    "no Python": (
        LINE,
        LINE.replace("= 1", "= 1 1"),
        "cannot be read: invalid syntax, line 3; write `seed: int = 0",
    ),
    "other tag": (
        f"-b {TAGGED} https",
        "-b v0.0.9 https",
        f"its first code cell must clone `-b {TAGGED} https://github.com/OWNER/lexurn`, as in",
    ),
    "other address": (
        f"-b {TAGGED} https://github.com/OWNER",
        f"-b {TAGGED} https://github.com/me",
        f"-b {TAGGED} https://github.com/OWNER/lexurn`, as in _config.yml; copy that cell from",
    ),
    "other address in the remedy": (
        "git clone https://github.com/OWNER",
        "git clone https://github.com/me",
        f"-b {TAGGED} https://github.com/OWNER/lexurn`, as in _config.yml; copy that cell from",
    ),
    "no kernel": (
        KERNEL,
        "",
        "no kernelspec python3 in its header; copy the header of another chapter",
    ),
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_fault_is_found_and_no_other(chapter, what):
    old, new, said = PLANTED[what]
    edit(chapter, old, new)
    pair(chapter)
    (finding,) = lint.find_lint(chapter)
    assert said in finding and "\n" not in finding


FIX = "jupytext --to ipynb --update book/02_train.py"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# # Training", "# # Straining"),  # prose
        ("spare = models", "spare  = models"),  # code
        ('tags=["parameters"]', 'tags=["parameters", "hide"]'),
        (
            "# %% [markdown]\n# ## Training",
            "# %% [markdown]\n# More.\n\n# %% [markdown]\n# ## Training",
        ),
    ],
)
def test_a_notebook_that_is_not_up_to_date_is_found_and_fixed_as_the_finding_says(
    root, chapter, old, new
):
    edit(chapter, old, new)
    (finding,) = lint.find_lint(chapter)
    assert finding.startswith("02_train.ipynb differs from 02_train.py (") and finding.endswith(
        f"; {FIX}"
    )
    apply_fix(root, finding)
    assert lint.find_lint(chapter) == []


def apply_fix(root, finding):
    program, *arguments = finding.rpartition("; ")[2].split()
    assert program == "jupytext"
    with contextlib.chdir(root):
        assert jupytext_command(arguments) == 0


def test_a_notebook_with_outputs_or_missing_or_broken_is_found_and_fixed_as_the_finding_says(
    root, chapter
):
    path = chapter.with_suffix(".ipynb")
    notebook = jupytext.read(path)
    next(cell for cell in notebook.cells if cell.cell_type == "code").execution_count = 3
    jupytext.write(notebook, path)
    for said in ("has outputs or execution counts", "is missing", "cannot be read as a notebook"):
        if said == "is missing":
            path.unlink()
        elif "cannot" in said:
            path.write_text("{")
        (finding,) = lint.find_lint(chapter)
        assert said in finding
        apply_fix(root, finding)
        assert lint.find_lint(chapter) == []


def test_a_chapter_as_it_is_has_no_findings(chapter):
    assert lint.find_lint(chapter) == []


def test_a_chapter_that_no_contents_list_is_found(root, chapter):
    edit(root / "book" / "_toc.yml", "      - file: 02_train\n", "")
    assert lint.find_lint(chapter) == ["_toc.yml does not list it; add a line `- file: 02_train`"]


def test_code_in_prose_has_no_headings(chapter):
    heading = "# ## Training the model\n"
    edit(chapter, heading, f"{heading}#\n# ```bash\n# # not a title\n# ```\n")
    pair(chapter)
    assert lint.find_lint(chapter) == []


def new(*arguments, code=0):
    done = CliRunner().invoke(cli.main, ["new", *arguments])
    assert done.exit_code == code, done.output
    return done.output


def state(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_new_chapter_passes_every_test_and_says_what_it_made(root):
    before = state(root)
    said = new("chains", "--title", "Chains: does the last | ball matter?")
    after = state(root)
    changed = {str(path.relative_to(root)) for path in after if after[path] != before.get(path)}
    assert changed == {f"book/04_chains.{end}" for end in ("py", "ipynb")} | {
        "book/_toc.yml",
        "params/smoke.yaml",
        "README.md",
    }
    assert all(name in said for name in changed) and before.keys() < after.keys()
    assert said.replace("04_", "10_") in (REAL / "book" / "extend.md").read_text()
    for name in (
        "book/_toc.yml",
        "params/smoke.yaml",
        "README.md",
    ):  # a line more, and all else as it was
        lines = after[root / name].decode().splitlines()
        (own,) = [line for line in lines if "chains" in line]
        lines.remove(own)
        assert lines == before[root / name].decode().splitlines()
    contents = yaml.safe_load((root / "book" / "_toc.yml").read_text())
    assert [page["file"] for page in contents["parts"][0]["chapters"]][-2:] == [
        "03_evaluate",
        "04_chains",
    ]
    assert own == (
        r"| [04_chains](book/04_chains.py) | Chains: does the last \| ball matter? | "
        "`papermill book/04_chains.ipynb out.ipynb` |"
    )
    assert (
        "# # Chains: does the last | ball matter?\n" in (root / "book" / "04_chains.py").read_text()
    )
    assert lint.find_lint(root / "book" / "04_chains.py") == []
    for command in (["check"], ["format", "--check"]):
        subprocess.run(
            [sys.executable, "-m", "ruff", *command, root / "book"], check=True, capture_output=True
        )
    assert parameters.read(root / "params" / "smoke.yaml", "chains")["context_length"] == 16
    assert "context_length" not in parameters.read(root / "params" / "smoke.yaml", "train")
    new("dice")
    assert "# # Dice\n" in (root / "book" / "05_dice.py").read_text()


def test_a_title_is_shown_as_it_is_typed_and_is_no_html(root):
    title = "Is a <script> worth $5 or *7*?"
    new("coins", "--title", title)
    (cell, *_) = jupytext.read(root / "book" / "04_coins.py").cells
    heading = cell.source.partition("\n")[0].removeprefix("# ")
    row = next(line for line in (root / "README.md").read_text().splitlines() if "04_coins" in line)
    for text in (heading, row):
        assert r"Is a \<script\> worth \$5 or \*7\*?" in text and title not in text
    rendered = MarkdownIt().use(dollarmath_plugin).render(f"# {heading}\n\n# {title}\n")
    good, bad = rendered.splitlines()
    assert good == "<h1>Is a &lt;script&gt; worth $5 or *7*?</h1>" and "<em>" in bad


@pytest.mark.book
def test_a_new_chapter_runs_at_its_smoke_parameters_and_shows_a_figure_and_a_computed_result(
    root, tmp_path
):
    new("coins")
    out = tmp_path / "out.ipynb"
    arguments = ("book/04_coins.ipynb", out, "-f", "params/smoke.yaml")
    done = papermill(*arguments, folder=root, packages=[root])
    assert done.returncode == 0, done.stderr[-3000:]
    outputs = [
        output
        for cell in json.loads(out.read_text())["cells"]
        for output in cell.get("outputs", [])
    ]
    assert not [
        output
        for output in outputs
        if output["output_type"] == "error" or output.get("name") == "stderr"
    ]
    assert (
        sum(
            "lexurn-card" in "".join(output.get("data", {}).get("text/html", ""))
            for output in outputs
        )
        == 1
    )
    text = "".join(line for output in outputs for line in output["data"].get("text/markdown", ""))
    assert re.search(
        r"On 50 fresh urns.*G is \d\.\d+ ± .* nats from memorizing and 0\.\d+ ± .* from "
        r"symmetrized",
        text,
    )


def test_a_parameters_line_is_the_one_that_the_chapters_have():
    for name, value in Settings().flat().items():
        line = lint.parameter_line(name)
        assert parameter_cells.assignments(ast.parse(line)) == {name: value}
    there = (REAL / "book" / "01_data.py").read_text().split("\n")
    assert lint.parameter_line("n_pools") in there and LINE in there


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Coin Tosses!"], "at most 30 letters, digits and _, got 'Coin Tosses!'; use coin_tosses"),
        (["04_coins"], "got '04_coins'; use coins"),
        (["../coins"], "got '../coins'; use coins"),
        (["x" * 31], f"use {'x' * 30}"),
        (["train"], "there is book/02_train.py; choose another name"),
        (["seed"], "seed is a parameter, so files in params/ could not also name a chapter seed"),
        (
            ["coins", "--title", "two\nlines"],
            "a title is one line of at most 100 characters, got 'two\\nlines'",
        ),
        (["coins", "--title", " "], "a title is one line of at most 100 characters, got ''"),
    ],
)
def test_what_cannot_be_a_chapter_is_refused_in_one_line_and_nothing_changes(root, arguments, said):
    before = state(root)
    told = new(*arguments, code=1 if "train" in arguments else 2)
    assert said in told and told.startswith("Error: ") and told.count("\n") == 1
    assert state(root) == before


@pytest.mark.parametrize(
    ("path", "old", "text", "said"),
    [
        (
            "book/07_coins.ipynb",
            None,
            "{}",
            "there is book/07_coins.ipynb; choose another name, or move the file away",
        ),
        (
            "params/smoke.yaml",
            "n_pools: 4",
            "coins: {}",
            "smoke.yaml has parameters for coins already; remove them",
        ),
        (
            "params/smoke.yaml",
            "n_pools: 4",
            "n_pool: 4",
            "n_pool is no parameter of any chapter; did you mean n_pools?",
        ),
        (
            "book/_toc.yml",
            "- file: 03_evaluate",
            "",
            "_toc.yml has no line `- file: 03_evaluate` to put the new chapter after",
        ),
        (
            "README.md",
            "| [03_evaluate]",
            "| [evaluate]",
            "README.md has no row of 03_evaluate to put the new chapter after",
        ),
    ],
)
def test_what_is_in_the_way_is_told_in_one_line_and_nothing_changes(root, path, old, text, said):
    edit(root / path, old, text) if old else (root / path).write_text(text)
    before = state(root)
    told = CliRunner().invoke(cli.main, ["new", "coins"])
    assert told.exit_code != 0 and said in told.output and told.output.count("\n") == 1
    assert state(root) == before


@pytest.mark.parametrize("n_written", range(5))
def test_where_a_file_cannot_be_written_everything_is_as_it_was(root, monkeypatch, n_written):
    before, real, calls = state(root), files.write, []

    def write(path, content):
        calls.append(path)
        if len(calls) == n_written + 1:
            raise files.StoreError(f"cannot write {path}: No space left on device; free some")
        real(path, content)

    monkeypatch.setattr(files, "write", write)
    assert "No space left on device; nothing was changed\n" in new("coins", code=1)
    assert state(root) == before


def test_lines_are_put_where_they_belong_whatever_stands_around_them(root):
    contents = root / "book" / "_toc.yml"
    edit(
        contents,
        "- file: 03_evaluate\n",
        "- file: 03_evaluate  # the last\n        title: Evaluation\n\n  # a comment\n",
    )
    smoke = root / "params" / "smoke.yaml"
    smoke.write_text(
        smoke.read_text().rstrip("\n") + "\ncontext_length: 8"
    )  # for all chapters, and no newline
    new("coins")
    assert (
        "# the last\n        title: Evaluation\n      - file: 04_coins\n\n  # a comment\n"
        in contents.read_text()
    )
    assert smoke.read_text().endswith("\ncontext_length: 8\ncoins: {}\n")
    assert parameters.read(smoke, "coins")["context_length"] == 8


def test_decimals_may_stand_in_mathematics_code_and_citations_only():
    allowed = (
        "Of $r = 0.5$ and `-p alpha 0.3`, [0.14 against .54](https://example.org), v1.2.3, "
        "10 nats.\n\n```\n0.1\n```\n"
    )
    assert list(lint.find_typed_numbers(allowed)) == []
    for line in (
        "The loss is 0.37.",
        "a tenth, .1 nats",
        "$x$ is 2.5 times $y$",
        "[S](03_evaluate) loses 1.25 nats",
    ):
        (finding,) = lint.find_typed_numbers(f"{allowed}\n{line}\n")
        assert finding.startswith(f"`{line}` has the number "), finding


def test_the_pages_without_code_state_no_results_either():
    for page in sorted((paths.root() / "book").glob("*.md")):
        assert list(lint.find_typed_numbers(page.read_text())) == [], page
