"""Where the metrics of a training go: `log(metrics, step)` and `finish()`."""

import json
import sys
import time
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from lexurn.files import append, write


@runtime_checkable
class Tracker(Protocol):
    def log(self, metrics: dict[str, float], step: int) -> None: ...

    def finish(self) -> None: ...


class JsonLines:
    """One JSON object per line, in the file as soon as it is logged: a killed run keeps what it had.

    A training that goes on from `step` keeps the lines up to there; without one the file begins anew. Raises
    `files.StoreError` where the disk is full.
    """

    def __init__(self, path: Path, *, step: int | None = None):
        self.path = path
        kept = [line for line in read(path) if line["step"] <= step] if step is not None else []
        write(path, "".join(json.dumps(line) + "\n" for line in kept))

    def log(self, metrics: dict[str, float], step: int) -> None:
        append(self.path, json.dumps({"step": step, **metrics}))

    def finish(self) -> None:
        pass


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a `JsonLines` file; a last one that a killed process had not finished is left out."""
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]


class Lines:
    """Plain progress lines on stderr with an estimate of the time left, at most one in `interval` seconds."""

    def __init__(self, n_steps: int, *, interval: float = 5.0):
        self.n_steps, self.interval = n_steps, interval
        self.began = self.said = time.monotonic()

    def log(self, metrics: dict[str, float], step: int) -> None:
        now = time.monotonic()
        if now - self.said < self.interval:
            return
        self.said = now
        left = time_left(now - self.began, step, self.n_steps)
        loss = metrics["validation_loss"]
        print(f"step {step}/{self.n_steps}  validation loss {loss:.4f}  {left}", file=sys.stderr, flush=True)

    def finish(self) -> None:
        pass


def time_left(seconds: float, step: int, n_steps: int) -> str:
    """`about 1 min 5 s left`, from the mean time of the steps so far."""
    return f"about {duration(seconds / step * (n_steps - step))} left" if step else "estimating"


def duration(seconds: float) -> str:
    """`8 s`, `1 min 5 s` or `2 h 10 min`."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
