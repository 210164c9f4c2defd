"""Live views for notebooks: one display handle, updated in place."""

import time
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd

from lexurn import plotting
from lexurn.tracking import Lines, Tracker, duration, time_left


class LiveTraining(Tracker):
    """A tracker that redraws loss and distances at every evaluation, with the time left.

    In a notebook there is one picture, replaced in place at most every `interval` seconds and at the end; elsewhere it
    prints lines.
    """

    def __init__(self, n_steps: int, *, interval: float = 2.0):
        self.n_steps, self.interval = n_steps, interval
        self.began, self.drawn = time.monotonic(), float("-inf")
        self.rows: list[dict[str, float]] = []
        self.handle: Any = None
        self.lines = None if _in_notebook() else Lines(n_steps)

    def log(self, metrics: dict[str, float], step: int) -> None:
        if self.lines:
            return self.lines.log(metrics, step)
        self.rows.append({"step": step, **metrics})
        if time.monotonic() - self.drawn > self.interval:
            self._draw(time_left(time.monotonic() - self.began, step, self.n_steps))

    def finish(self) -> None:
        if self.rows:
            self._draw(f"{duration(time.monotonic() - self.began)} in all")

    def _draw(self, clock: str) -> None:
        from IPython.display import display

        metrics = pd.DataFrame(self.rows)
        figure, (left, right) = plotting.panels(2)
        plotting.losses(metrics, left).set_title(f"step {int(metrics['step'].iloc[-1])} of {self.n_steps}, {clock}")
        plotting.legend(plotting.distances_along_training(metrics, right))
        if self.handle is None:
            self.handle = display(figure, display_id=True)
        else:
            self.handle.update(figure)
        plt.close(figure)
        self.drawn = time.monotonic()


def _in_notebook() -> bool:
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return get_ipython() is not None and hasattr(get_ipython(), "kernel")
