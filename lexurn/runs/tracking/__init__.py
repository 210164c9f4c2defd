"""Trackers: where a training sends its metrics and, at its end, its tables.

Files in the run's folder always get them. Beside them, a tracker may draw a live figure, print
progress lines on stderr, or record to Weights & Biases (`lexurn.runs.tracking.weights_and_biases`).
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import pandas as pd

from lexurn.base import files, terminal
from lexurn.runs.tracking.clock import Clock

INTERVAL = 5.0
"""Seconds between two lines about the progress of a training or of a grid."""

MAX_LINE = 2**16
"""The most bytes that the metrics of one evaluation take in a file."""


class Tracker:
    """Receive what a training reports, and ignore it; derived classes override what they need."""

    def report_wait(self, text: str) -> None:
        """Report that another process is training this run; the caller waits for that process."""
        files.print_to_stderr(text)

    def resume(self, past: list[dict[str, Any]]) -> None:
        """Receive the metrics, each with its `step`, from before the training was cut off."""

    def report_step(self, step: int) -> None:
        """Report that this number of steps is done; called before every step but not at the end."""

    def log(self, metrics: dict[str, float], step: int) -> None:
        """Receive the metrics of one evaluation."""

    def log_table(self, name: str, table: pd.DataFrame) -> None:
        """Receive a table of the finished training; its name may contain slashes."""

    def finish(self) -> None:
        """Close the tracker; called once, also after an error."""


class Files(Tracker):
    """Write metrics and tables into the run's folder.

    `metrics.jsonl` gets one JSON object per evaluation, flushed at once. A table becomes
    `tables/<name>.csv`. The file begins with the metrics from before the training was cut off:
    `past`, which the saved state holds, because the file itself may have lost lines. Raises
    `files.StoreError` on a full disk.
    """

    def __init__(self, folder: Path, past: list[dict[str, Any]]):
        self.folder = folder
        self.metrics = folder / "metrics.jsonl"
        self.lines = [json.dumps(row) + "\n" for row in past]
        files.write(self.metrics, "".join(self.lines))

    def log(self, metrics: dict[str, float], step: int) -> None:
        self.lines.append(json.dumps({"step": step, **metrics}) + "\n")
        with files.store_errors(self.metrics), self.metrics.open("a") as file:
            file.write(self.lines[-1])

    def log_table(self, name: str, table: pd.DataFrame) -> None:
        files.write(self.folder / "tables" / f"{name}.csv", table.to_csv(index=False))


def last_step(folder: Path) -> int | None:
    """Return the last step whose metrics a training has written, or None before the first ones."""
    try:
        with (folder / "metrics.jsonl").open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - MAX_LINE, 0))
            steps = re.findall(rb'{"step": (\d+),', file.read())
    except FileNotFoundError:
        return None
    return int(steps[-1]) if steps else None


class ProgressLines(Tracker):
    """Say a line with step, loss and time left in every `pause`, by default five seconds.

    `say` is by default `terminal.print_everywhere`. The time left is for all trainings of a `clock`
    of which this one has a `number`; by default there is no other one.
    """

    def __init__(
        self,
        n_steps: int,
        *,
        say: terminal.Say = terminal.print_everywhere,
        pause: terminal.Pause | None = None,
        clock: Clock | None = None,
        number: int = 0,
    ):
        self.n_steps = n_steps
        self.say = say
        self.pause = pause or terminal.Pause(INTERVAL)
        self.clock = clock or Clock([float(n_steps)])
        self.number = number
        self.loss = "to come"

    def report_wait(self, text: str) -> None:
        self.say(text)

    def resume(self, past: list[dict[str, Any]]) -> None:
        if past:
            self.loss = f"{past[-1]['validation_loss']:.4f}"

    def report_step(self, step: int) -> None:
        if self.pause.is_over():
            text = f"step {step}/{self.n_steps}  validation loss {self.loss}"
            self.say(f"{text}  {self.time_left(step)}")

    def log(self, metrics: dict[str, float], step: int) -> None:
        self.loss = f"{metrics['validation_loss']:.4f}"
        self.time_left(step)  # the clock learns the speed
        self.report_step(step)

    def time_left(self, step: int) -> str:
        """Return how long all trainings take after this step of this one: `about 5 s left`."""
        others = len(self.clock.work) - self.number - 1
        return self.clock.remaining(
            [1.0] * self.number + [step / (self.n_steps + 1)] + [0.0] * others
        )
