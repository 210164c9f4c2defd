"""Trackers: metrics are on disk as soon as they are logged, and durations are right."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import nbformat
import pytest

import lexurn
from lexurn import parameters, runs
from lexurn.base import terminal
from lexurn.base.wording import duration
from lexurn.runs import recording, tracking
from lexurn.runs.tracking import Files, ProgressLines, Tracker


@pytest.fixture
def at(monkeypatch):
    """The time that progress lines and clocks read, which a test moves."""
    time = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr("time.monotonic", lambda: time.seconds)
    return time


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


def test_progress_lines_show_step_loss_and_remaining_time(at, capsys):
    """At most one line per pause, whatever the number of evaluations."""
    lines = ProgressLines(100)
    for step in range(0, 50, 10):
        lines.log({"validation_loss": 1.25}, step)
        at.seconds += 3.0
    assert capsys.readouterr().err.splitlines() == [
        "step 20/100  validation loss 1.2500  about 24 s left",
        "step 40/100  validation loss 1.2500  about 18 s left",
    ]


def test_slow_steps_are_told_between_evaluations(at):
    told = []
    lines = ProgressLines(100, say=told.append)
    lines.log({"validation_loss": 1.25}, 0)
    for step in range(1, 4):
        at.seconds += 20.0
        lines.report_step(step)
    assert told[-1] == "step 3/100  validation loss 1.2500  about 32 min 40 s left"
    assert len(told) == 3


def test_the_last_step_that_a_training_has_written_is_read_from_its_file(tmp_path):
    assert tracking.last_step(tmp_path) is None
    tracker = Files(tmp_path, [])
    assert tracking.last_step(tmp_path) is None
    for step in range(0, 200, 10):
        tracker.log({"loss": 1.5} | {f"measure {n}": 0.125 for n in range(300)}, step)
        assert tracking.last_step(tmp_path) == step
    assert tracker.metrics.stat().st_size > tracking.MAX_LINE  # only the end of the file was read


class Finishing(Tracker):
    """A tracker that raises when it is finished."""

    finished: ClassVar = []

    def __init__(self, *_, **options):
        self.options = options

    def finish(self):
        self.finished.append(self)
        raise OSError("not finished")


def test_a_tracker_that_raises_does_not_keep_others_from_finishing(monkeypatch):
    monkeypatch.setattr(recording, "Wandb", Finishing)
    monkeypatch.setenv("WANDB_MODE", "offline")
    settings = {"n_steps": 2, "eval_every": 2, "n_test_samples": 4, "context_length": 8}
    with pytest.raises(OSError, match="not finished"):
        runs.get(settings | {"tracker": "wandb"}, tracker=Finishing())
    assert ["config" in tracker.options for tracker in Finishing.finished] == [True, False]
    assert runs.is_stored(parameters.check(settings))


NOTEBOOK_CELL = """
from lexurn.figures import widgets

widgets.status_line()("step 10/100")
"""


@pytest.mark.book
@pytest.mark.parametrize(
    ("session", "option"),
    [(None, "--progress-bar"), (None, "--log-output"), ("notebook.ipynb", "--no-progress-bar")],
)
def test_progress_appears_once_in_the_terminal_of_papermill(tmp_path, session, option):
    """But not where a Jupyter server runs the kernel: there the notebook shows it."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(NOTEBOOK_CELL)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python"}
    nbformat.write(notebook, tmp_path / "in.ipynb")
    environment = os.environ | {"PYTHONPATH": str(Path(lexurn.__file__).parent.parent)}
    environment |= {"JPY_SESSION_NAME": session} if session else {}
    environment.pop("PYTEST_CURRENT_TEST")  # in tests ipykernel does not redirect stderr
    reader, end = os.openpty()
    command = [sys.executable, "-m", "papermill", option, "in.ipynb", "out.ipynb"]
    subprocess.run(command, cwd=tmp_path, env=environment, stderr=end, check=True)
    shown = os.read(reader, 100_000).decode()
    assert shown.count("\r\x1b[Kstep 10/100\r\n") == shown.count("step 10/100")
    assert shown.count("step 10/100") == (session is None)


def test_without_a_kernel_there_is_no_terminal_to_find(capfd):
    terminal.print_where_papermill_runs("step 10/100")
    assert capfd.readouterr().err == ""


def test_lines_in_a_log_file_have_no_control_characters(tmp_path, monkeypatch):
    with (tmp_path / "log").open("wb") as log, monkeypatch.context() as patch:
        stream = type("Stream", (), {"_original_stdstream_copy": log.fileno()})
        patch.setattr(terminal.sys, "stderr", stream)
        patch.delenv("JPY_SESSION_NAME", raising=False)
        terminal.print_where_papermill_runs("step 10/100")
    assert (tmp_path / "log").read_bytes() == b"step 10/100\n"


def test_a_closed_terminal_does_not_stop_the_work(monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with monkeypatch.context() as patch:
        stream = type("Stream", (), {"_original_stdstream_copy": writer})
        patch.setattr(terminal.sys, "stderr", stream)
        with pytest.raises(BrokenPipeError):
            os.write(writer, b"step 10/100")
        terminal.print_where_papermill_runs("step 10/100")
