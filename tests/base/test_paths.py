"""Where the library looks for its repository, and what it says where there is none."""

import pytest

from lexurn.base import paths


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """The library installed without its repository, and a working directory outside of clones."""
    monkeypatch.setattr(paths, "LIBRARY", tmp_path / "site-packages" / "lexurn")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LEXURN_RUNS")
    monkeypatch.delenv("LEXURN_BUILD")
    return tmp_path


def test_without_a_repository_the_message_names_what_would_help(outside, monkeypatch):
    for folder in (paths.root, paths.runs, paths.build_folder):
        with pytest.raises(FileNotFoundError, match="clone, or set LEXURN_RUNS and LEXURN_BUILD"):
            folder()
    monkeypatch.setenv("LEXURN_RUNS", str(outside / "store"))
    monkeypatch.setenv("LEXURN_BUILD", str(outside))
    assert paths.roots() == [outside / "store"]
    assert paths.build_folder() == outside / "_build"


def test_a_working_directory_inside_a_clone_is_enough(outside, monkeypatch):
    (outside / "clone" / "lexurn").mkdir(parents=True)
    (outside / "clone" / "_config.yml").touch()
    (outside / "clone" / "book").mkdir()
    monkeypatch.chdir(outside / "clone" / "book")
    assert paths.runs() == outside / "clone" / "runs"
