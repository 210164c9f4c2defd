"""Where the metrics of a training go: `log(metrics, step)` and `finish()`."""

import json
import sys
import time
from pathlib import Path
from typing import Protocol, TextIO, runtime_checkable

from lexurn.files import write


@runtime_checkable
class Tracker(Protocol):
    def log(self, metrics: dict[str, float], step: int) -> None: ...

    def finish(self) -> None: ...


class JsonLines:
    """One JSON object per line, flushed as it is written: a killed run keeps what it had.

    A training that goes on from `step` keeps the lines up to there; without one the file begins anew.
    """

    def __init__(self, path: Path, *, step: int | None = None):
        lines = path.read_text().splitlines() if step is not None else []
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
        write(path, "".join(line + "\n" for line in kept))
        self.file: TextIO = path.open("a")

    def log(self, metrics: dict[str, float], step: int) -> None:
        self.file.write(json.dumps({"step": step, **metrics}) + "\n")
        self.file.flush()

    def finish(self) -> None:
        self.file.close()


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
