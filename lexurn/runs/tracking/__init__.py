"""Trackers: where a training sends its metrics and, at its end, its tables.

Files in the run's folder always get them. Beside them, a tracker may draw a live figure, print
progress lines on stderr, or record to Weights & Biases (`lexurn.runs.tracking.weights_and_biases`).
"""

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

import pandas as pd

from lexurn.base import files
from lexurn.base.wording import duration


class Tracker:
    """Receive what a training reports, and ignore it; derived classes override what they need."""

    def report_wait(self, text: str) -> None:
        """Report that another process is training this run; the caller waits for that process."""
        files.print_to_stderr(text)

    def resume(self, past: list[dict[str, Any]]) -> None:
        """Receive the metrics, each with its `step`, from before the training was cut off."""

    def log(self, metrics: dict[str, float], step: int) -> None:
        """Receive the metrics of one evaluation."""

    def log_table(self, name: str, table: pd.DataFrame) -> None:
        """Receive a table of the finished training; its name may contain slashes."""

    def finish(self) -> None:
        """Close the tracker; called once, also after an error."""


def finish(trackers: list[Tracker]) -> None:
    """Finish each tracker, the last one first, even if another one raises."""
    with ExitStack() as stack:
        for tracker in trackers:
            stack.callback(tracker.finish)


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


class ProgressLines(Tracker):
    """Print a line with step, loss and time left, at most one per `interval` seconds.

    The lines go to stderr, or to a `terminal`, where they replace papermill's progress bar.
    """

    def __init__(self, n_steps: int, *, interval: float = 5.0, terminal: TextIO | None = None):
        self.interval = interval
        self.terminal = terminal
        self.clock = Clock(n_steps)
        self.last_printed = time.monotonic()

    def log(self, metrics: dict[str, float], step: int) -> None:
        remaining = self.clock.remaining(step)
        if time.monotonic() - self.last_printed < self.interval:
            return
        self.last_printed = time.monotonic()
        loss = metrics["validation_loss"]
        text = f"step {step}/{self.clock.n_steps}  validation loss {loss:.4f}  {remaining}"
        clear_line = "\r\x1b[K" if self.terminal else ""
        print(clear_line + text, file=self.terminal or sys.stderr, flush=True)


def terminal_progress(n_steps: int) -> list[ProgressLines]:
    """Return progress lines for the terminal where papermill runs, or an empty list elsewhere.

    papermill shows nothing of a cell that is running. Its kernel inherits the terminal as stderr,
    and ipykernel keeps a copy of this descriptor when it redirects stderr into the notebook. A
    kernel of a Jupyter server has a session name; there a person sees the notebook itself.
    """
    descriptor = getattr(sys.stderr, "_original_stdstream_copy", None)
    if descriptor is None or "JPY_SESSION_NAME" in os.environ or not os.isatty(descriptor):
        return []
    terminal = open(descriptor, "w", closefd=False)  # noqa: SIM115
    return [ProgressLines(n_steps, terminal=terminal)]


class Clock:
    """Estimate the remaining time from the mean time per step since the first step it is given."""

    def __init__(self, n_steps: int):
        self.n_steps = n_steps
        self.first: tuple[int, float] | None = None

    def remaining(self, step: int) -> str:
        """Return for example `about 1 min 5 s left`, or `estimating` at the first step."""
        now = time.monotonic()
        if self.first is None:
            self.first = (step, now)
        first_step, start = self.first
        if step == first_step:
            return "estimating"
        seconds = (now - start) / (step - first_step) * (self.n_steps - step)
        return f"about {duration(seconds)} left"


def countdown(items: Iterable[Any], n: int) -> Iterator[tuple[str, str, Any]]:
    """Yield each of `n` items as it comes, with for example `2 of 3` and `about 5 s left`."""
    clock = Clock(n)
    clock.remaining(0)
    for number, item in enumerate(items, 1):
        left = clock.remaining(number) if number < n else "that was the last"
        yield f"{number} of {n}", left, item
