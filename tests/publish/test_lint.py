"""Lint finds what is wrong with a chapter, and says how to fix it."""

import ast
import re
import shutil

import jupytext
import lint
import pytest
import yaml
from click.testing import CliRunner

from lexurn import cli
from lexurn.base import paths
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
    monkeypatch.setenv("LEXURN_BUILD", str(root))
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
    "#   kernelspec:\n#     display_name: Python 3 (ipykernel)\n#     language: python\n"
    "#     name: python3\n"
)
PLANTED = {  # what is written in place of what, and what is then said
    "no title": (
        "# # Training",
        "# ## Training",
        "does not begin with a title; begin its first cell with `# `",
    ),
    "two titles": (
        "# ## One network",
        "# # One network",
        "it has 2 titles; begin all but the first with `## `",
    ),
    "skipped level": (
        "# ## Training",
        "# #### Training",
        "`#### Training` skips a level; begin it with `### `",
    ),
    "two items a line": (
        "# - `-p n_tasks 0`",
        "# so - **it** `-p n_tasks 0`",
        "has a second item; give each item of a list its own line",
    ),
    "typed result": (
        "# - `-p lex True`",
        "# It loses 0.37 nats.\n#\n# - `-p lex True`",
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
    "assigned parameter": (
        "spare = models",
        "d_model = 32; spare = models",
        "it binds d_model outside its parameters cell, which would set this parameter",
    ),
    "imported parameter": (
        "spare = models",
        "import numpy as norm; spare = models",
        "it binds norm outside its parameters cell",
    ),
    "looped parameter": (
        "spare = models",
        "for seed in (): pass\nspare = models",
        "it binds seed outside its parameters cell",
    ),
    "long line": (
        "# A start vector",
        f"# {'A ' * 70}start vector",
        "characters, over 120; break it",
    ),
    "no tag": (TAG, "# %%", f"no cells are tagged parameters; put `{TAG}` above one cell"),
    "two tags": (
        "# %% [markdown]\n# ## Training",
        f"{TAG}\n# Parameters.\nseed: int = 0\n\n# %% [markdown]\n# ## Training",
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
        "|mamba|xlstm",
        ", mamba",
        'differs from lexurn/settings; write `backbone: str = "transformer"  # architecture:',
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


FIX = "lexurn pair 02_train"


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
    assert CliRunner().invoke(cli.main, FIX.split()[1:]).exit_code == 0
    edit(chapter, old, new)
    (finding,) = lint.find_lint(chapter)
    assert finding.startswith("02_train.ipynb differs from 02_train.py (") and finding.endswith(
        f"; {FIX}"
    )
    apply_fix(finding)
    assert lint.find_lint(chapter) == []


def apply_fix(finding):
    program, *arguments = finding.rpartition("; ")[2].split()
    assert program == "lexurn"
    result = CliRunner().invoke(cli.main, arguments)
    assert result.exit_code == 0, result.output


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
        apply_fix(finding)
        assert lint.find_lint(chapter) == []


def test_names_of_parameters_may_stand_where_they_bind_nothing_in_the_notebook(chapter):
    inside = "def f(seed=0, **more):\n    norm = seed\n    return [lex for lex in f(lex=norm)]\n\n"
    edit(chapter, "spare = models", f"{inside}\nspare = models")
    pair(chapter)
    assert lint.find_lint(chapter) == []


def test_a_chapter_as_it_is_has_no_findings(chapter):
    assert lint.find_lint(chapter) == []


def test_a_chapter_that_no_contents_list_is_found(root, chapter):
    edit(root / "book" / "_toc.yml", "      - file: 02_train\n", "")
    assert lint.find_lint(chapter) == ["_toc.yml does not list it; add a line `- file: 02_train`"]


def test_code_in_prose_has_no_headings(chapter):
    heading = "# ## Training\n"
    edit(chapter, heading, f"{heading}#\n# ```bash\n# # not a title\n# ```\n")
    pair(chapter)
    assert lint.find_lint(chapter) == []


def test_a_parameters_line_is_the_one_that_the_chapters_have():
    for name, value in Settings().flat().items():
        line = lint.parameter_line(name)
        assert parameter_cells.assignments(ast.parse(line)) == {name: value}
    there = (REAL / "book" / "01_data.py").read_text().split("\n")
    assert lint.parameter_line("n_pools") in there and LINE in there


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
    pages = set((paths.root() / "book").glob("*.md"))
    for name in ("costs.md", "promises.md"):  # written from measurements, and tested so
        pages.remove(paths.root() / "book" / name)
    for page in sorted(pages):
        assert list(lint.find_typed_numbers(page.read_text())) == [], page
