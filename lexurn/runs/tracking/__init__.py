"""Where what a training tells goes: metrics along it, tables and weights at its end.

Files in the run's folder always get them; a picture, lines on stderr, or Weights & Biases (see
`lexurn.runs.tracking.weights_and_biases`) beside them.
"""

import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pandas as pd

from lexurn.base import files
from lexurn.base.files import append, print_to_stderr, store_errors, write


@runtime_checkable
class Tracker(Protocol):
    """A tracker that derives from this one ignores what it does not override."""

    def wait(self, text: str) -> None:
        """Another process trains this run; it is waited for and then loaded, or trained after all."""
        print_to_stderr(text)

    def go_on(self, past: list[dict[str, Any]]) -> None:
        """Metrics, each with its `step`, that were told before the training was cut off; before any others."""

    def log(self, metrics: dict[str, float], step: int) -> None: ...

    def log_table(self, name: str, table: pd.DataFrame) -> None:
        """A table of the finished training; its name may hold slashes."""

    def log_weights(self, path: Path) -> None:
        """The best weights, stored under `path`: the last thing that a whole training tells."""

    def finish(self) -> None:
        """Called once, also where the training was cut off."""


class Silent(Tracker):
    """Tells nobody."""


class Several:
    """Trackers that are told the same. A context: at its end each is finished, whatever the others do."""

    def __init__(self, *trackers: Tracker):
        self.trackers = list(trackers)

    def add(self, tracker: Tracker) -> None:
        self.trackers.append(tracker)

    def go_on(self, past: list[dict[str, Any]]) -> None:
        for each in self.trackers:
            each.go_on(past)

    def log(self, metrics: dict[str, float], step: int) -> None:
        for each in self.trackers:
            each.log(metrics, step)

    def log_table(self, name: str, table: pd.DataFrame) -> None:
        for each in self.trackers:
            each.log_table(name, table)

    def log_weights(self, path: Path) -> None:
        for each in self.trackers:
            each.log_weights(path)

    def __enter__(self) -> "Several":
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as stack:
            for each in reversed(self.trackers):  # called last in, first out
                stack.callback(each.finish)


class Files(Tracker):
    """`metrics.jsonl`, one JSON object per line, there as soon as it is logged: a killed run keeps what it had.

    A training that goes on from `step` keeps the lines up to there; without one the file begins anew. A table becomes
    `tables/<name>.csv`. (Whoever trains writes the weights.) Raises `files.StoreError` where the disk is full.
    """

    def __init__(self, folder: Path, *, step: int | None = None):
        self.folder, self.metrics = folder, folder / "metrics.jsonl"
        kept = (
            [line for line in read(self.metrics) if line["step"] <= step]
            if step is not None
            else []
        )
        write(self.metrics, "".join(json.dumps(line) + "\n" for line in kept))

    def log(self, metrics: dict[str, float], step: int) -> None:
        append(self.metrics, json.dumps({"step": step, **metrics}))

    def log_table(self, name: str, table: pd.DataFrame) -> None:
        path = self.folder / "tables" / f"{name}.csv"
        with store_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write(path, table.to_csv(index=False))


def read(metrics: Path) -> list[dict[str, Any]]:
    """The lines of a `metrics.jsonl`; a last one that a killed process had not finished is left out."""
    return [
        json.loads(line) for line in files.read(metrics).decode().splitlines() if line.endswith("}")
    ]


class Lines(Tracker):
    """Plain progress lines on stderr with an estimate of the time left, at most one in `interval` seconds."""

    def __init__(self, n_steps: int, *, interval: float = 5.0):
        self.n_steps, self.interval = n_steps, interval
        self.clock, self.said = Clock(n_steps), time.monotonic()

    def log(self, metrics: dict[str, float], step: int) -> None:
        left = self.clock.left(step)
        if time.monotonic() - self.said < self.interval:
            return
        self.said = time.monotonic()
        loss = metrics["validation_loss"]
        print(
            f"step {step}/{self.n_steps}  validation loss {loss:.4f}  {left}",
            file=sys.stderr,
            flush=True,
        )


class Clock:
    """The time left, from the mean time of the steps since the first that it was asked about (0, or a later one)."""

    def __init__(self, n_steps: int):
        self.n_steps, self.first = n_steps, None
        self.began = time.monotonic()

    def left(self, step: int) -> str:
        """`about 1 min 5 s left`."""
        if self.first is None:
            self.first, self.began = step, time.monotonic()
        if step == self.first:
            return "estimating"
        seconds = (time.monotonic() - self.began) / (step - self.first) * (self.n_steps - step)
        return f"about {duration(seconds)} left"


def duration(seconds: float) -> str:
    """`8 s`, `1 min 5 s` or `2 h 10 min`."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
