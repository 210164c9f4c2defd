"""In a container, the user may have no name, and the clone may belong to another user."""

import getpass
import pwd
import re
import subprocess

import pytest

from lexurn import runs
from lexurn.base import paths
from lexurn.runs import provenance

TINY = {"n_steps": 6, "eval_every": 3, "n_test_samples": 20, "context_length": 8}


def test_a_user_without_a_name_trains(monkeypatch):
    """torch before 2.13 asks for the name when it builds Muon (pytorch issue 140765)."""

    def find_no_entry(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", find_no_entry)
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "")
    with pytest.raises((KeyError, OSError)):  # the control
        getpass.getuser()
    runs.get(TINY | {"optimizer": "muon"})
    assert re.fullmatch(r"uid\d+", getpass.getuser())


def test_a_run_knows_the_commit_of_a_clone_that_belongs_to_another_user(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "LIBRARY", tmp_path / "lexurn")
    author = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], [*author, "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", "-C", tmp_path, *command], check=True)
    own = provenance.commit()
    assert re.fullmatch("[0-9a-f]{40}", own) and not provenance.is_changed()
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    plain = ["git", "-C", tmp_path, "rev-parse", "HEAD"]
    refused = subprocess.run(plain, capture_output=True, text=True)
    assert "dubious ownership" in refused.stderr  # the control
    assert provenance.commit() == own and not provenance.is_changed()
