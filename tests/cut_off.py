"""Trainings that are broken off, copies of what a kill leaves, and what runs are compared by."""

import shutil
import sys
from pathlib import Path

from lexurn.runs.tracking import Tracker


class Cut(Exception):
    """The training was broken off."""


class CutAt(Tracker):
    """A tracker that breaks the training off at one evaluation, or never at step None."""

    def __init__(self, step):
        self.step = step

    def log(self, metrics, step):
        if step == self.step:
            raise Cut


def contents(folder):
    """The bytes of every file that does not tell the time, by the name of the file."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in (".lock", "provenance.json", "SHA256SUMS")
    }


OPERATIONS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree"}


class Watch:
    """Copies of a folder from before each operation on files in it, while `active`."""

    def __init__(self):
        self.active = None
        sys.addaudithook(self)  # there is no way to remove it

    def __call__(self, event, arguments):
        if self.active is None or event not in OPERATIONS:
            return
        folder, copies = self.active
        path, mode = arguments[0], arguments[1] if event == "open" else "w"
        if not isinstance(path, str | Path) or not (folder / path).is_relative_to(folder):
            return
        if mode is not None and not set(str(mode)) & set("wax"):
            return
        self.active = None  # copying opens files too
        copy = copies / f"{len(list(copies.iterdir())):04d}"
        shutil.copytree(folder, copy)
        self.active = folder, copies


WATCH = Watch()
