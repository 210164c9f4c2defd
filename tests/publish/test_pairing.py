"""A chapter's source and its notebook are brought together in either direction; no edit is lost."""

import os
import re
import shutil
import subprocess
import sys

import jupytext
import nbformat
import pytest
from chapter_sources import BODIES, HEADER
from click.testing import CliRunner
from jupytext.cli import jupytext as jupytext_command

from lexurn import cli
from lexurn.base import paths
from lexurn.publish import cards, pairing

REAL = paths.root()
SOURCE = f"{HEADER}{BODIES['01_good']}\n# %% [markdown]\n# ## The end\n"


@pytest.fixture
def source(tmp_path, monkeypatch):
    """The source of a chapter, which stands alone in a book without git."""
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    monkeypatch.setenv("LEXURN_BUILD", str(tmp_path))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "A. Student")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "student@example.org")
    source = tmp_path / "book" / "01_good.py"
    source.parent.mkdir()
    source.write_text(SOURCE)
    return source


@pytest.fixture
def paired(source):
    """The source of a chapter that was paired, so that the cells of its notebook are known."""
    assert lexurn("pair") == "written: 01_good.ipynb\n"
    return source


def lexurn(*arguments, code=0):
    result = CliRunner().invoke(cli.main, arguments)
    assert result.exit_code == code, result.output
    return result.output


def git(source, *arguments):
    subprocess.run(["git", "-C", source.parent.parent, *arguments], check=True, capture_output=True)


def commit(source):
    git(source, "init", "--quiet")
    git(source, "add", "--force", source, source.with_suffix(".ipynb"))
    git(source, "commit", "--quiet", "--message", "a chapter")


def edit_source(source, old="# ## The end", new="# ## The very end"):
    assert source.read_text().count(old) == 1
    source.write_text(source.read_text().replace(old, new))


def edit_notebook(source, edit):
    path = source.with_suffix(".ipynb")
    notebook = nbformat.read(path, 4)
    edit(notebook)
    nbformat.write(notebook, path)


def edit_prose(notebook):
    notebook.cells[0].source += "\n\nAn own sentence."


def move_cells(notebook):
    notebook.cells.reverse()


def remove_cell(notebook):
    del notebook.cells[-1]


def add_cell(notebook):
    notebook.cells.insert(1, nbformat.v4.new_code_cell("%matplotlib inline\nx = 1  # noqa: F841"))


def tag_cell(notebook):
    notebook.cells[2].metadata["tags"] = ["hide-input"]


EDITS = {  # how the edited cell is named, and what the source then holds
    edit_prose: ("cell 1 of 4, `# A chapter`", "# # A chapter\n#\n# An own sentence.\n"),
    add_cell: ("cell 2 of 5, `%matplotlib inline`", "\nx = 1  # noqa: F841\n"),
    tag_cell: ("cell 3 of 4, `from lexurn import parameters`", '# %% tags=["hide-input"]\nfrom'),
    remove_cell: ("cells that are removed or moved", "training.seed)\n"),
    move_cells: ("cells that are removed or moved", "# ---\n\n# %% [markdown]\n# ## The end\n"),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("is_committed", [False, True])
def test_an_edited_notebook_is_not_overwritten_but_adopted(paired, edit, is_committed):
    if is_committed:  # a clone has no record of a pairing, and any times
        commit(paired)
        shutil.rmtree(paired.parent.parent / "_build")
    edit_notebook(paired, edit)
    path = paired.with_suffix(".ipynb")
    for newer in (paired, path):
        os.utime(newer)
        before = path.read_bytes()
        said = lexurn("pair", code=1)
        place, text = EDITS[edit]
        assert f"01_good.ipynb has edits that 01_good.py lacks: {place}; " in said
        assert "`lexurn adopt 01_good`" in said and "`lexurn pair --discard 01_good`" in said
        assert path.read_bytes() == before
    assert lexurn("adopt", "01_good").startswith("taken into 01_good.py: ")
    assert text in paired.read_text() and paired.read_text().startswith(HEADER[:200])
    assert lexurn("pair") == ""  # both hold the same now


@pytest.mark.parametrize("edit", EDITS)
def test_edits_can_be_dropped_on_request(paired, edit):
    edit_notebook(paired, edit)
    assert lexurn("pair", "--discard", "good") == "written: 01_good.ipynb\n"
    assert paired.read_text() == SOURCE and lexurn("adopt", "good") == "there is nothing to adopt\n"


def execute(notebook):
    notebook.cells[2].execution_count = 3
    notebook.cells[2].outputs = [nbformat.v4.new_output("stream", text="seed is 0\n")]


def save_in_colab(notebook):
    notebook.metadata |= {"colab": {"provenance": []}, "accelerator": "GPU"}
    notebook.metadata["kernelspec"] = {"display_name": "own", "name": "own"}
    notebook.metadata["language_info"] = {"name": "python", "version": "3.13.15"}
    notebook.nbformat_minor = 0
    for cell in notebook.cells:
        cell.metadata |= {"id": cell.pop("id"), "colab": {"base_uri": "x"}, "collapsed": False}


def run_papermill(notebook):
    injected = nbformat.v4.new_code_cell("# Parameters\nseed = 3\n")
    injected.metadata["tags"] = ["injected-parameters"]
    notebook.cells.insert(2, injected)
    notebook.metadata["papermill"] = {"duration": 3.0}


@pytest.mark.parametrize("leave", [execute, save_in_colab, run_papermill])
@pytest.mark.parametrize("command", ["pair", "adopt"])
def test_what_programs_leave_in_a_notebook_is_no_edit_and_is_taken_out(paired, leave, command):
    before = paired.with_suffix(".ipynb").read_text()
    edit_notebook(paired, leave)
    assert paired.with_suffix(".ipynb").read_text() != before
    lexurn(command, "01_good")
    after = paired.with_suffix(".ipynb").read_text()
    ids = r'"id": "\w+"'
    assert paired.read_text() == SOURCE and re.sub(ids, "", after) == re.sub(ids, "", before)


def test_a_changed_source_is_paired_again_and_again_and_cells_keep_their_ids(paired):
    for text in ("# ## The first end", "# ## The second end"):
        ids = [cell.id for cell in nbformat.read(paired.with_suffix(".ipynb"), 4).cells]
        edit_source(paired, paired.read_text().splitlines()[-1], text)
        assert lexurn("pair", str(paired.with_suffix(".ipynb"))) == "written: 01_good.ipynb\n"
        notebook = jupytext.read(paired.with_suffix(".ipynb"))
        assert notebook.cells[-1].source == text.removeprefix("# ")
        assert [cell.id for cell in notebook.cells] == ids


def test_a_notebook_of_an_earlier_commit_is_known(paired):
    commit(paired)
    edit_source(paired)
    git(paired, "commit", "--quiet", "--all", "--message", "only the source")
    shutil.rmtree(paired.parent.parent / "_build")
    assert lexurn("adopt", "good") == "there is nothing to adopt\n"
    assert jupytext.read(paired.with_suffix(".ipynb")).cells[-1].source == "## The very end"


def test_a_source_that_was_committed_without_its_notebook_is_not_reverted(paired):
    commit(paired)
    edit_source(paired)
    git(paired, "commit", "--quiet", "--all", "--message", "only the source")
    edit_notebook(paired, edit_prose)
    assert "01_good.py has been edited too" in lexurn("adopt", "good", code=1)


def test_without_git_and_an_earlier_pairing_nothing_is_overwritten_unasked(paired):
    shutil.rmtree(paired.parent.parent / "_build")
    edit_source(paired)
    before = [path.read_bytes() for path in paired.parent.iterdir()]
    assert "01_good.ipynb has edits" in lexurn("pair", code=1)
    assert "may have been too: git has no commit of it" in lexurn("adopt", "good", code=1)
    assert [path.read_bytes() for path in paired.parent.iterdir()] == before
    lexurn("adopt", "--discard", "good")
    assert paired.read_text() == SOURCE


def test_edits_of_both_are_merged_as_the_message_says(paired):
    commit(paired)
    edit_source(paired)
    edit_notebook(paired, edit_prose)
    assert "01_good.ipynb has edits that 01_good.py lacks: cell 1 of 4" in lexurn("pair", code=1)
    said = lexurn("adopt", "good", code=1)
    assert "01_good.ipynb has been edited (" in said
    assert "01_good.py has been edited too" in said
    recipe = re.search(r"merge them: `(.*?)`, `(.*?)`, commit, and `(.*?)`", said)
    aside, adopt, back = recipe.groups()
    for command in (aside, adopt, "git commit --all --message adopted", back):
        program, *arguments = command.split()
        if program == "git":
            subprocess.run(command.split(), cwd=paired.parent.parent, check=True)
        else:
            lexurn(*arguments)
    lexurn("pair")
    for each in (paired, paired.with_suffix(".ipynb")):
        assert "An own sentence" in each.read_text() and "The very end" in each.read_text()


BROKEN = [
    b'{"cells": [',
    b'{"nbformat": 4}',
    b'{"cells": 3, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
    b"[]",
    b"\xff",
    b"<<<<<<< HEAD\n",
    b"",
]


def test_what_is_no_notebook_or_no_chapter_is_refused_with_the_remedy(paired):
    path = paired.with_suffix(".ipynb")
    for content in BROKEN:
        path.write_bytes(content)
        for command in ("pair", "adopt"):
            said = lexurn(command, "good", code=1)
            assert "01_good.ipynb cannot be read as a notebook (" in said
            assert path.read_bytes() == content and paired.read_text() == SOURCE
        lexurn(*re.search(r"`lexurn (pair --discard 01_good)`", said)[1].split())
        assert lexurn("pair") == ""
    path.unlink()
    lexurn("pair", "--discard")
    path.unlink()
    assert "write it by `lexurn pair 01_good`" in lexurn("adopt", "good", code=1)
    assert "no chapter 01_god; did you mean 01_good?" in lexurn("adopt", "book/01_god.py", code=2)


def test_a_pasted_picture_is_refused_because_a_source_cannot_hold_it(paired):
    def paste(notebook):
        notebook.cells[-1].source += "\n\n![a.png](attachment:a.png)"
        notebook.cells[-1]["attachments"] = {"a.png": {"image/png": "iVBORw0KGgo="}}

    edit_notebook(paired, paste)
    said = lexurn("adopt", "good", code=1)
    assert "cell 4 of 4, `## The end` has a pasted picture" in said and paired.read_text() == SOURCE


def test_all_refusals_of_one_command_are_told(paired):
    other = paired.with_name("02_other.py")
    other.write_text(SOURCE)
    lexurn("pair")
    for each in (paired, other):
        edit_notebook(each, edit_prose)
    said = lexurn("pair", code=1)
    assert "01_good.ipynb has edits" in said and "02_other.ipynb has edits" in said


CHAPTERS = sorted((REAL / "book").glob("[0-9][0-9]_*.py"))


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_adopting_changes_no_line_but_the_edited_ones(chapter):
    notebook = jupytext.read(chapter.with_suffix(".ipynb"))
    text = chapter.read_text()
    assert pairing.HEADER.match(text)[0] + pairing.cells_as_text(notebook) == text


@pytest.mark.parametrize("newer", [".py", ".ipynb"])
@pytest.mark.parametrize("is_filtered", [True, False])
def test_synchronizing_by_jupytext_leaves_nothing_in_the_headers(tmp_path, newer, is_filtered):
    line = "\n.*notebook_metadata_filter.*"
    for path in (REAL / "pyproject.toml", CHAPTERS[0], CHAPTERS[0].with_suffix(".ipynb")):
        text = path.read_text()
        if not is_filtered:  # the negative control
            text = re.sub(f",{line}|{line}", "", text)
        (tmp_path / path.name).write_text(text)
    pair = [tmp_path / path.name for path in (CHAPTERS[0], CHAPTERS[0].with_suffix(".ipynb"))]
    before = [path.read_text() for path in pair]
    os.utime(pair[0].with_suffix(newer), (2e9, 2e9))
    assert jupytext_command(["--sync", "--quiet", str(pair[0].with_suffix(newer))]) == 0
    assert ([path.read_text() for path in pair] == before) is is_filtered


@pytest.fixture
def clone(source, tmp_path):
    """A repository of git with the library, a chapter, and the hooks of this repository."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REAL / "lexurn", tmp_path / "lexurn", ignore=ignored)
    for name in (".pre-commit-config.yaml", "pyproject.toml"):
        shutil.copy(REAL / name, tmp_path)
    (source.parent / "_toc.yml").touch()
    (tmp_path / ".gitignore").write_text("_build/\nhooks/\n")
    lexurn("pair")
    git(source, "init", "--quiet")
    git(source, "add", ".")
    git(source, "commit", "--quiet", "--message", "a chapter")
    return tmp_path


def run_hook(clone):
    environment = os.environ | {"PRE_COMMIT_HOME": str(clone / "hooks"), "PYTHONPATH": ""}
    del environment["LEXURN_BUILD"]
    command = [sys.executable, "-m", "pre_commit", "run", "notebooks"]
    return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True)


@pytest.mark.book
def test_the_hook_pairs_sources_and_refuses_to_drop_an_edited_notebook(clone, source):
    pytest.importorskip("pre_commit")
    path = source.with_suffix(".ipynb")
    edit_source(source)
    git(source, "add", source)
    done = run_hook(clone)  # a commit fails once, so that the notebook can be added
    assert done.returncode == 1 and "files were modified by this hook" in done.stdout, done
    git(source, "add", path)
    assert run_hook(clone).returncode == 0 and "The very end" in path.read_text()
    git(source, "commit", "--quiet", "--message", "both")

    edit_notebook(source, edit_prose)
    for staged in (path, source):  # the edited notebook alone, then with a changed source
        if staged == source:
            edit_source(source, "# ## The very end", "# ## The last end")
        git(source, "add", staged)
        done = run_hook(clone)
        assert done.returncode == 1 and "01_good.ipynb has edits that 01_good.py" in done.stdout
        assert "An own sentence" in path.read_text()


def test_cells_are_named_by_their_first_line():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("\nx = 1\ny = 2")])
    assert [place for place, _ in cards.places(notebook)] == ["cell 1 of 1, `x = 1`"]
