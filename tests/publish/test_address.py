"""The repository's address is set in all files, and without an owner no door is dead."""

import re
import shutil
from types import SimpleNamespace

import jupytext
import lint
import pytest
import yaml
from click.testing import CliRunner

from lexurn import cli
from lexurn.base import files, paths
from lexurn.publish import address, sphinx_extension

REAL = paths.root()
NAMES = ("_config.yml", "README.md", "CITATION.cff", "pyproject.toml")


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A copy of every file that may name the repository."""
    book = tmp_path / "repository" / "book"
    book.mkdir(parents=True)
    (book.parent / "lexurn").mkdir()
    for name in NAMES:
        shutil.copy(REAL / name, book.parent)
    for path in [*(REAL / "book").glob("0[12]_*"), REAL / "book" / "_toc.yml"]:
        shutil.copy(path, book)
    for path in (REAL / "book").glob("*.md"):
        shutil.copy(path, book)
    monkeypatch.setattr(paths, "root", lambda: book.parent)
    return book.parent


def state(root):
    return {path: path.read_text() for path in root.rglob("*") if path.is_file()}


def test_the_address_is_set_everywhere_and_can_be_taken_back(root):
    address.set_address("https://github.com/OWNER/lexurn")  # also the README's rows
    before = state(root)
    assert not re.search("Open in Colab", (root / "README.md").read_text())
    done = CliRunner().invoke(cli.main, ["address", "https://github.com/some-one/a.book/"])
    assert done.exit_code == 0, done.output
    after = state(root)
    assert not [path for path, text in after.items() if "OWNER" in text and path.suffix != ".md"]
    changed = {str(path.relative_to(root)) for path in after if after[path] != before[path]}
    assert changed >= {
        *("_config.yml", "README.md", "CITATION.cff"),
        *(
            f"book/{stem}.{ending}"
            for stem in ("01_data", "02_train")
            for ending in ("py", "ipynb")
        ),
    }
    assert all(name in done.output for name in changed)
    repository = yaml.safe_load((root / "_config.yml").read_text())["repository"]
    assert repository["url"] == "https://github.com/some-one/a.book"
    assert "repository-code: https://github.com/some-one/a.book\n" in after[root / "CITATION.cff"]
    assert lint.find_lint(root / "book" / "02_train.py") == []
    assert (
        'https://github.com/some-one/a.book"'
        in jupytext.read(root / "book" / "02_train.ipynb").cells[1].source
    )
    rows = re.findall(r"^\| \[(\d\d_\w+)\].*/github/(.*)\) \|$", after[root / "README.md"], re.M)
    place = f"some-one/a.book/blob/{repository['branch']}/book"
    assert rows and all(link == f"{place}/{stem}.ipynb" for stem, link in rows)

    again = CliRunner().invoke(cli.main, ["address", "https://github.com/some-one/a.book.git"])
    assert again.output == "the address was this one already\n"
    address.set_address("https://github.com/OWNER/lexurn")
    assert state(root) == before


@pytest.mark.parametrize(
    "wrong",
    [
        "lexurn",
        "github.com/me/lexurn",
        "https://gitlab.com/me/lexurn",
        "https://github.com/me",
        "https://github.com/me/lexurn/tree/main",
        "https://github.com/-me/lexurn",
        "https://github.com/me/..",
        "https://github.com/me/le xurn",
        "https://github.com/me/$(touch x)",
    ],
)
def test_what_is_no_address_is_refused_and_changes_nothing(root, wrong):
    before = state(root)
    done = CliRunner().invoke(cli.main, ["address", wrong])
    assert done.exit_code == 2 and "is https://github.com/NAME/REPOSITORY, got " in done.output
    assert state(root) == before


def test_where_one_file_cannot_be_written_the_same_command_finishes(root, monkeypatch):
    before, real = state(root), files.write

    def write(path, text):
        if path.name == "CITATION.cff" and "some-one" in text:
            raise OSError("No space left on device; free some space")
        real(path, text)

    arguments = ["address", "https://github.com/some-one/lexurn"]
    with monkeypatch.context() as patch:
        patch.setattr(files, "write", write)
        done = CliRunner().invoke(cli.main, arguments)
    assert done.exit_code == 1 and "No space left on device; free some" in done.output
    assert CliRunner().invoke(cli.main, arguments).exit_code == 0
    after = state(root)
    assert all("some-one" in text for path, text in after.items() if "OWNER" in before[path])
    address.set_address("https://github.com/OWNER/lexurn")
    assert state(root) == before


@pytest.mark.parametrize(("owner", "has_buttons"), [("OWNER", False), ("some-one", True)])
def test_pages_have_buttons_for_colab_only_with_an_owner(owner, has_buttons):
    tags = set()
    options = {
        "repository_url": f"https://github.com/{owner}/lexurn",
        "launch_buttons": {"colab_url": "https://colab.research.google.com"},
    }
    config = SimpleNamespace(html_theme_options=options)
    sphinx_extension.remove_launch_buttons(SimpleNamespace(tags=tags), config)
    assert bool(options["launch_buttons"]) == has_buttons == ("colab" in tags)
