"""A training that is broken off at one evaluation, and what runs are compared by."""

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
