"""Changed chapters are executed and rendered without another host, and failures lose nothing."""

import json
import re
import shutil

import nbformat
import pytest
from chapter_sources import BODIES, HEADER
from click.testing import CliRunner

from lexurn import cli
from lexurn.base import paths
from lexurn.publish import dependencies, site
from lexurn.settings.resolver import ParameterError

AROUND = """import matplotlib.pyplot as plt
_ = plt.plot([1, 2])

# %%
import pandas as pd
from lexurn import figure
from lexurn.chapters.data import plots as data_plots
table = pd.DataFrame({"kind": ["a", "a", "b"], "entropy": [0.1, 0.2, 0.3]})
figure(data_plots.entropies, table, alt="Three entropies.", n="3 urns")
"""
BROKEN = {  # what a chapter does, and the error that names it
    "03_around": (
        AROUND,
        r"cell 3 of 4, `import matplotlib.pyplot as plt`: shows a picture without a card; draw "
        r"it by lexurn.figure",
    ),
    "04_raises": (
        "print('so far')\n\n# %%\nraise ValueError('broken on purpose')\n",
        "cell 4 of 4, `raise ValueError\\('broken on purpose'\\)`: ValueError: broken on purpose",
    ),
    "05_dies": ("import os\nos._exit(1)\n", "cell 3 of 3, `import os`: the kernel died"),
    "06_hangs": (
        "import time\ntime.sleep(90)\n",
        "cell 3 of 3, `import time`: CellTimeoutError: A cell timed out .* after 20 seconds",
    ),
    "07_bare": (
        AROUND.split("# %%\n")[1],
        "cell 3 of 3, `import pandas as pd`: figure entropies has no caption; state the finding",
    ),
}


INDEX = """# The book

See [the first](01_good), {eq}`eq-one`, {term}`pool` and {cite:t}`gu2023mamba` {cite}`gu2023mamba`.

$$ 1 + 1 = 2 $$ (eq-one)

```{glossary}
pool
  The urns that a model is trained on.
```

:::{admonition} In brief
:class: brief
One finding.
:::

:::{admonition} Answer
:class: answer dropdown
The folded answer.
:::

```{bibliography}
```
"""
REAL = paths.root()


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository of the test's own, with two small chapters."""
    book = tmp_path / "repository" / "book"
    book.mkdir(parents=True)
    (book.parent / "lexurn").mkdir()
    shutil.copy(REAL / "_config.yml", book.parent)
    shutil.copytree(REAL / "book" / "assets", book / "assets")
    shutil.copy(REAL / "book" / "references.bib", book)
    (book / "index.md").write_text(INDEX)
    for name, body in BODIES.items():
        (book / f"{name}.py").write_text(HEADER + body)
    contents = ["format: jb-book", "root: index", "options: {numbered: true}", "chapters:"]
    contents += [
        f"  - file: {name}"
        for name in [*BODIES, "parameters", "cheat_sheet", "execution", "claims"]
    ]
    (book / "_toc.yml").write_text("\n".join(contents) + "\n")
    monkeypatch.setattr(paths, "root", lambda: book.parent)
    monkeypatch.setenv("LEXURN_BUILD", str(book.parent))
    return book.parent


@pytest.fixture
def unrendered(monkeypatch):
    """Render no page, in tests of what is executed."""
    monkeypatch.setattr(site, "render", lambda *_, **__: True)


def run(*arguments):
    return CliRunner().invoke(cli.main, ["book", *arguments])


def executed(result):
    return re.findall(r"to execute: (\w+), ", result.stdout)


@pytest.mark.book
def test_the_book_is_made_once_and_again_only_where_something_changed(root):
    first = run()
    assert first.exit_code == 0, first.output
    assert executed(first) == ["01_good", "02_other"] and "the site is at" in first.stdout
    html = root / "_build" / "html"
    assert "seed is 0" in (html / "01_good.html").read_text()
    assert "chapters.record" not in (html / "01_good.html").read_text()
    status = (html / "execution.html").read_text()
    assert "01_good" in status and "the defaults" in status
    index = (html / "index.html").read_text()
    assert re.search(r'href="#term-pool".*Gu and Dao.*\[.*Gu and Dao, 2023', index)  # authors, year
    assert 'class="brief admonition"' in index and "answer dropdown admonition" in index
    assert re.search(r'class="eqno">\(1\)', index) and 'href="#equation-eq-one">(1)</a>' in index
    assert re.search(r'right-next".*?1\. </span>A chapter<span class="opening">', index, re.S)
    assert "The folded answer." in (html / "_static" / "texts.js").read_text()
    assert 'src="_static/texts.js' in (html / "search.html").read_text()
    assert "lexurnTexts" in (html / "_static" / "language_data.js").read_text()

    again = run()
    assert again.stdout == "every chapter is up to date\nthe site is up to date\n"
    (root / "params.yaml").write_text("seed: 7\n")
    assert executed(run("--params", str(root / "params.yaml"))) == ["01_good", "02_other"]
    assert "seed is 7" in (html / "01_good.html").read_text()

    (root / "params.yaml").write_text(
        "good: {seed: 8}\nseed: 7\n".replace("seed: 7\n", "other: {seed: 7}\n")
    )
    assert executed(run("--params", str(root / "params.yaml"))) == ["01_good"]
    chapter = dependencies.Chapter("02_other", {"seed": 7})
    assert chapter.is_current and set(chapter.record["modules"]) == {
        "lexurn",
        "lexurn.base",
        "lexurn.base.wording",
        "lexurn.base.version",
    }
    assert "lexurn.base.wording" not in dependencies.Chapter("01_good", {}).record["modules"]


@pytest.mark.book
def test_a_changed_module_or_run_makes_the_chapters_that_used_it_run_again(root, unrendered):
    assert run().exit_code == 0
    path = root / "_build" / "executed" / "02_other.json"
    record = json.loads(path.read_text())
    record["modules"]["lexurn.base.wording"] = "of yesterday"
    path.write_text(json.dumps(record))
    assert executed(run()) == ["02_other"]
    record = json.loads(path.read_text())
    record["used"]["urns-000000000000/results.json"] = "deleted since"
    path.write_text(json.dumps(record))
    assert executed(run()) == ["02_other"] and executed(run()) == []


@pytest.mark.book
def test_a_claim_that_comes_out_otherwise_fails_the_build(root):
    (root / "params").mkdir()
    shutil.copy(REAL / "params" / "claims.yaml", root / "params")
    body = (
        "from lexurn.publish import claims\n"
        'judged = claims.table({{"headline/lexical": claims.Measurement({}, 0.02, 12)}})\n'
    )
    (root / "book" / "01_good.py").write_text(HEADER + body.format(0.3))
    result = run()
    assert result.exit_code == 1
    assert (
        "04_analysis: headline/lexical is refuted, not reproduced: 0.3 ± 0.02 (n = 12), band"
        in result.output
    )
    assert run().exit_code == 1  # nothing to be done, and still wrong
    (root / "book" / "01_good.py").write_text(HEADER + body.format(0.14))
    assert run().exit_code == 0
    assert "Not the published edition" in (root / "_build" / "html" / "01_good.html").read_text()


def test_only_a_book_that_is_up_to_date_is_frozen(root):
    result = CliRunner().invoke(cli.main, ["freeze"])
    assert (
        result.exit_code == 1
        and "not up to date: 01_good, 02_other; execute them first" in result.output
    )
    assert not (root / "book" / "results").exists()


@pytest.mark.book
def test_chapters_that_fail_are_pages_and_the_others_are_made(root, monkeypatch):
    contents = root / "book" / "_toc.yml"
    contents.write_text(contents.read_text() + "".join(f"  - file: {name}\n" for name in BROKEN))
    for name, (body, _) in BROKEN.items():
        (root / "book" / f"{name}.py").write_text(HEADER + body)
    result = run("--timeout", "20")
    assert result.exit_code == 1
    html = root / "_build" / "html"
    for name, (_, message) in BROKEN.items():
        assert re.search(f"{name}: .*{message}", result.output), name
        page = (html / f"{name}.html").read_text()
        assert "This chapter failed." in page and 'class="admonition error"' in page, name
        places = map(
            page.index, ("<h1>", 'class="admonition error"', "Parameters of this chapter.")
        )
        assert sorted(places := list(places)) == places, name
        assert ("so far" in page) == (name == "04_raises")
    assert "other" in (html / "02_other.html").read_text()
    assert (html / "execution.html").read_text().count("failed") >= len(BROKEN)
    assert executed(run("--timeout", "3")) == list(BROKEN)  # until they are mended
    for name in BROKEN:
        (root / "book" / f"{name}.py").write_text(HEADER + BODIES["02_other"])
    assert run().exit_code == 0


def test_what_was_asked_wrongly_is_refused_before_any_work(root):
    (root / "params").mkdir()
    (root / "params" / "claims.yaml").write_text("- key: a\n  famly: check\n")
    result = run()
    said = "line 2: famly: Extra inputs are not permitted, got 'check'; did you mean family? "
    assert result.exit_code == 2 and said in result.output and not (root / "_build").exists()
    (root / "params" / "claims.yaml").unlink()
    (root / "not.yaml").write_text("a: [")
    (root / "unknown.yaml").write_text("sed: 1\n")
    (root / "foreign.yaml").write_text("good: {n_tasks: 3}\n")
    for arguments, message in (
        (["--chapter", "god"], "no chapter god; did you mean 01_good? there are 01_good, 02_other"),
        (["--params", str(root / "not.yaml")], "not.yaml is not YAML"),
        (
            ["--params", str(root / "unknown.yaml")],
            "sed is no parameter of any chapter; did you mean seed?",
        ),
        (
            ["--params", str(root / "foreign.yaml")],
            "line 1: n_tasks is no parameter of 01_good, which takes seed",
        ),
    ):
        result = run(*arguments)
        assert result.exit_code == 2 and message in result.output and not (root / "_build").exists()
    (root / "book" / "02_other.py").write_text(
        HEADER.replace("# Parameters of this chapter.", "# nothing")
    )
    with pytest.raises(ParameterError, match="02_other.py has no parameters cell; add a code cell"):
        dependencies.select_chapters((), None)
    (root / "book" / "02_other.py").write_text(HEADER.replace("seed: int = 0", "seed: int = 0 0"))
    result = run("--chapter", "good")  # also where it is not that chapter
    assert (
        result.exit_code == 2
        and "the parameters cell of 02_other.py cannot be read: invalid" in result.output
    )
    (root / "book" / "02_other.py").write_text(HEADER.replace("seed: int = 0", "seed: int"))
    assert (
        "a parameters cell holds `name = value` lines, got `seed: int`" in run().output
        and not (root / "_build").exists()
    )


@pytest.mark.book
def test_a_long_error_and_a_missing_title_are_told_in_a_line_and_a_page(root):
    untitled = HEADER.replace("# %% [markdown]\n# # A chapter\n", "")
    (root / "book" / "01_good.py").write_text(untitled + "raise ValueError('x' * 100_000)\n")
    result = run()
    assert (
        result.exit_code == 1
        and "the site is at" in result.stdout
        and max(map(len, result.output.split("\n"))) < 400
    )
    page = (root / "_build" / "html" / "01_good.html").read_text()
    assert "This chapter failed." in page and "xxx …" in page and "<h1>01_good" in page
    assert "other" in (root / "_build" / "html" / "02_other.html").read_text()


@pytest.mark.book
def test_what_is_edited_while_it_is_executed_is_executed_again(root, unrendered):
    (root / "book" / "02_other.py").write_text(
        HEADER + "from pathlib import Path\npath = Path('02_other.py')\nprint('ol' + 'd')\n"
        "path.write_text(path.read_text().replace(\"'d'\", \"'D'\"))\n"
    )
    assert run("--chapter", "other").exit_code == 0
    assert (
        "olD"
        not in (executed_notebook := root / "_build" / "executed" / "02_other.ipynb").read_text()
    )
    assert executed(run("--chapter", "other")) == ["02_other"]
    assert "olD" in executed_notebook.read_text() and executed(run("--chapter", "other")) == []


@pytest.mark.book
def test_the_estimate_is_what_it_took_the_last_time_else_what_was_measured(root, unrendered):
    chapter = dependencies.Chapter("02_other", {})
    assert chapter.expected_seconds("smoke") is None
    (root / "params").mkdir()
    (root / "params" / "seconds.json").write_text('{"smoke": {"02_other": 99.0}}')
    assert (
        chapter.expected_seconds("smoke") == 99.0 and chapter.expected_seconds("defaults") is None
    )
    assert run("--chapter", "other").exit_code == 0
    assert chapter.expected_seconds("smoke") == chapter.record["seconds"] < 60
    assert dependencies.Chapter("02_other", {"seed": 1}).expected_seconds("smoke") == 99.0


@pytest.mark.book
def test_a_record_of_another_version_is_none(root, unrendered):
    assert run("--chapter", "other").exit_code == 0
    path = root / "_build" / "executed" / "02_other.json"
    record = json.loads(path.read_text())
    del record["used"]
    path.write_text(json.dumps(record))
    assert dependencies.Chapter("02_other", {}).record == {} and executed(
        run("--chapter", "other")
    ) == ["02_other"]


def pages_read():
    """How many pages the last rendering has read, by its log."""
    log = (paths.build_folder() / "jupyter-book.log").read_text()
    return [int(n) + int(m) for n, m in re.findall(r"(\d+) added, (\d+) changed", log)]


def pages_written():
    """Which pages the last rendering has written, by its log."""
    log = (paths.build_folder() / "jupyter-book.log").read_text()
    return set(re.findall(r"writing output.*%\] \x1b\[32m(\w+)", log))


@pytest.mark.book
def test_a_changed_sentence_is_rendered_without_execution_and_no_other_page_is_made_anew(root):
    assert run().exit_code == 0 and pages_read() == [7]
    every_page = {
        "index",
        "01_good",
        "02_other",
        "parameters",
        "cheat_sheet",
        "execution",
        "claims",
    }
    assert pages_written() == every_page
    path = root / "book" / "02_other.py"
    html = root / "_build" / "html"

    def render(old, new):
        path.write_text(path.read_text().replace(old, new))
        again = run()
        assert again.exit_code == 0 and executed(again) == [] and "the site is at" in again.stdout
        assert pages_read() == [1]
        return (html / "02_other.html").read_text()

    render("# # A chapter", "# # A chapter\n#\n# First. Old.")  # it stands below links to the page
    assert pages_written() == every_page and "First." in (html / "01_good.html").read_text()
    left = html / "_static" / "figures" / "02_other-gone.png"
    left.parent.mkdir(exist_ok=True)
    left.touch()
    page = render("Old.", "A sentence.")
    assert pages_written() == {"index", "02_other"}  # Sphinx always writes the first page
    assert "A sentence." in page and ">other\n<" in page and "First." in page
    assert "A sentence." in (html / "_static" / "texts.js").read_text() and not left.exists()
    assert "claims" in (html / "searchindex.js").read_text()
    source = html / "_sources" / "02_other.ipynb"
    assert "A sentence." in source.read_text() and source.stat().st_nlink == 2
    assert run().stdout == "every chapter is up to date\nthe site is up to date\n"

    assert "Another title" in render("# # A chapter", "# # Another title")
    assert pages_written() == every_page
    assert "Another title" in (html / "01_good.html").read_text()  # among the book's contents
    (root / "book" / "index.md").write_text(INDEX + "\n{cite}`huang2023lexinvariant`\n")
    assert run().exit_code == 0 and pages_written() == every_page


@pytest.mark.book
def test_prose_is_taken_over_only_where_no_code_and_nothing_else_has_changed(root, unrendered):
    params = root / "params.yaml"
    params.write_text("seed: 3\n")
    arguments = ("--params", str(params), "--chapter", "good")
    assert run(*arguments).exit_code == 0
    path = root / "book" / "01_good.py"
    text = path.read_text()
    notebook = root / "_build" / "executed" / "01_good.ipynb"

    def execute_after(changed):
        path.write_text(changed)
        result = run(*arguments)
        assert result.exit_code == 0, result.output
        return executed(result)

    prose = text.replace("# # A chapter", "# # New") + "\n# %% [markdown]\n# The end.\n"
    assert execute_after(prose) == []
    kinds = [cell.cell_type for cell in nbformat.read(notebook, 4).cells]
    assert kinds == ["markdown", "code", "code", "code", "markdown"]  # papermill's cell is kept
    assert "seed is 3" in notebook.read_text() and "The end." in notebook.read_text()
    for changed in (
        prose.replace("print(", "print(1, "),
        prose + "\n# %%\n2\n",
        prose.replace("\n# %%\nfrom", '\n# %% tags=["hide-input"]\nfrom'),
        prose.replace("seed: int = 0  # help", "seed: int = 0  # Help"),
    ):
        assert changed != prose and execute_after(changed) == ["01_good"]
    assert execute_after(prose) == ["01_good"]
    record = json.loads(notebook.with_suffix(".json").read_text())
    record["modules"]["lexurn.base.paths"] = "of yesterday"
    notebook.with_suffix(".json").write_text(json.dumps(record))
    assert execute_after(text) == ["01_good"]


@pytest.mark.book
def test_a_rendering_that_warns_or_is_stopped_warns_again_and_leaves_the_last_site(
    root, monkeypatch
):
    assert run("--chapter", "other").exit_code == 0
    html = root / "_build" / "html" / "index.html"
    before = html.read_text()
    index = root / "book" / "index.md"
    index.write_text("# The book\n\nSee [nothing](missing.md).\n")

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(site.subprocess, "run", stop)
        assert run("--chapter", "other").exit_code == 130 and html.read_text() == before
    for _ in range(2):  # not taken for up to date, although the page was read before
        result = run("--chapter", "other")
        assert result.exit_code == 1 and "but jupyter-book warned: " in result.output
        assert "missing.md" in result.output and "jupyter-book.log" in result.output
        assert pages_read() == [7]
    assert html.read_text() != before and (html.parent / "02_other.html").exists()
    index.write_text("# The book\n")
    assert run("--chapter", "other").exit_code == 0


@pytest.mark.book
def test_executed_notebooks_hold_all_that_was_shown_and_no_trace_of_the_build(root, unrendered):
    (root / "book" / "01_good.py").write_text(HEADER + "import sys\nprint('precious')\n")
    assert run("--chapter", "good").exit_code == 0
    text = (root / "_build" / "executed" / "01_good.ipynb").read_text()
    notebook = nbformat.reads(text, as_version=4)
    assert "precious" in text and [cell.cell_type for cell in notebook.cells] == [
        "markdown",
        "code",
        "code",
    ]
    assert "record(" not in text and "papermill" not in text and str(root) not in text
    assert sorted(path.name for path in (root / "_build" / "executed").iterdir()) == [
        "01_good.ipynb",
        "01_good.json",
    ]
