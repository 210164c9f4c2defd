"""Trackers: metrics are on disk as soon as they are logged, and durations are right."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import lexurn
from lexurn.runs import tracking
from lexurn.runs.tracking import (
    Clock,
    Files,
    ProgressLines,
    Tracker,
    duration,
    terminal_progress,
)


def test_json_lines_are_flushed_one_by_one(tmp_path):
    tracker = Files(tmp_path, [])
    tracker.log({"loss": 1.5}, 0)
    tracker.log({"loss": 0.5}, 10)
    lines = (tmp_path / "metrics.jsonl").read_text().split("\n")  # before it is closed
    assert [json.loads(line) for line in lines if line] == [
        {"step": 0, "loss": 1.5},
        {"step": 10, "loss": 0.5},
    ]
    tracker.finish()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (65.0, "1 min 5 s"), (7800.0, "2 h 10 min")]
)
def test_durations_in_words(seconds, text):
    assert duration(seconds) == text


def test_the_remaining_time_counts_the_remaining_steps(monkeypatch):
    """Also when a training goes on from a late step."""
    now = iter([100.0, 130.0, 5.0, 35.0])
    monkeypatch.setattr(tracking.time, "monotonic", lambda: next(now))
    for first, second in ((0, 10), (5010, 5020)):
        clock = Clock(second + 20)
        assert clock.remaining(first) == "estimating"
        assert clock.remaining(second) == "about 1 min 0 s left"


def test_progress_lines_show_step_loss_and_remaining_time(monkeypatch, capsys):
    """At most one line per interval, whatever the number of evaluations."""
    seconds = 0.0
    monkeypatch.setattr(tracking.time, "monotonic", lambda: seconds)
    lines = ProgressLines(100, interval=5.0)
    for step in range(0, 50, 10):
        lines.log({"validation_loss": 1.25}, step)
        seconds += 3.0
    assert capsys.readouterr().err.splitlines() == [
        "step 20/100  validation loss 1.2500  about 24 s left",
        "step 40/100  validation loss 1.2500  about 18 s left",
    ]


def test_a_tracker_that_raises_does_not_keep_others_from_finishing():
    finished = []

    class Finishing(Tracker):
        def finish(self):
            finished.append(self)
            raise OSError

    with pytest.raises(OSError):
        tracking.finish([Finishing(), Finishing()])
    assert len(finished) == 2


NOTEBOOK_CELL = """
from lexurn.runs.tracking import terminal_progress

for lines in terminal_progress(100):
    lines.interval = 0.0
    lines.log({"validation_loss": 1.25}, 10)
"""


@pytest.mark.book
@pytest.mark.parametrize("session", [None, "notebook.ipynb"])
def test_progress_appears_in_the_terminal_of_papermill(tmp_path, session):
    """But not where a Jupyter server runs the kernel: there the notebook shows it."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(NOTEBOOK_CELL)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python"}
    nbformat.write(notebook, tmp_path / "in.ipynb")
    environment = os.environ | {"PYTHONPATH": str(Path(lexurn.__file__).parent.parent)}
    environment |= {"JPY_SESSION_NAME": session} if session else {}
    environment.pop("PYTEST_CURRENT_TEST")  # in tests ipykernel does not redirect stderr
    reader, terminal = os.openpty()
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", "in.ipynb", "out.ipynb"]
    subprocess.run(command, cwd=tmp_path, env=environment, stderr=terminal, check=True)
    shown = os.read(reader, 100_000).decode()
    assert ("step 10/100  validation loss 1.2500" in shown) == (session is None)


def test_without_a_kernel_there_is_no_terminal_to_find():
    assert terminal_progress(100) == []
