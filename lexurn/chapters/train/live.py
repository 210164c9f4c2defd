"""Live progress of one training: a picture in a notebook, and lines in a terminal."""

import time
from typing import Any

import pandas as pd
from IPython import get_ipython
from IPython.display import Image, Markdown, display

from lexurn.base import files, terminal
from lexurn.base.wording import duration
from lexurn.chapters.train import plots
from lexurn.figures import drawing
from lexurn.runs.tracking import ProgressLines, Tracker


class LiveTraining(Tracker):
    """A tracker that redraws losses and distances during training, with the time left.

    In a notebook it shows one picture, which it replaces at most every `interval` seconds and
    finally by one line of text; papermill's terminal gets lines. Elsewhere it prints lines.
    """

    def __init__(
        self,
        n_steps: int,
        *,
        split: str = "out_of_distribution",
        measure: str = "symmetrized_kl",
        interval: float = 2.0,
    ):
        self.judged = {"split": split, "measure": measure}
        self.interval = interval
        self.start = time.monotonic()
        self.last_drawn = float("-inf")
        self.rows: list[dict[str, float]] = []
        self.handle: Any = None
        self.is_notebook = hasattr(get_ipython(), "kernel")
        say = terminal.print_where_papermill_runs if self.is_notebook else files.print_to_stderr
        self.lines = ProgressLines(n_steps, say=say)

    def report_wait(self, text: str) -> None:
        self.lines.report_wait(text)
        if self.is_notebook and self.handle is None:
            self._show(  # this text stays if the run is then loaded, so it must fit both
                "Another process is training this run; it is loaded when training has ended."
            )

    def resume(self, past: list[dict[str, Any]]) -> None:
        self.rows = list(past)
        self.lines.resume(past)

    def report_step(self, step: int) -> None:
        self.lines.report_step(step)

    def log(self, metrics: dict[str, float], step: int) -> None:
        self.lines.log(metrics, step)
        if not self.is_notebook:
            return
        self.rows.append({"step": step, **metrics})
        time_left = self.lines.time_left(step)
        if time.monotonic() - self.last_drawn > self.interval:
            how = drawing.Drawing(
                plot=drawing.plot_name(plots.training),
                keywords=self.judged,
                each={"view": ["losses", "distances"]},
                title=f"step {step} of {self.lines.n_steps}, {time_left}",
                legend="distance to",
            )
            (picture,) = drawing.draw(how, pd.DataFrame(self.rows))
            self._show(Image(picture, width=9 * 96))
            self.last_drawn = time.monotonic()

    def finish(self) -> None:
        if self.rows and self.is_notebook:
            seconds = duration(time.monotonic() - self.start)
            self._show(f"Trained for {self.rows[-1]['step']:.0f} steps, {seconds} in all.")

    def _show(self, content: Any) -> None:
        content = Markdown(content) if isinstance(content, str) else content
        if self.handle is None:
            self.handle = display(content, display_id=True, metadata=files.PROGRESS)
        else:
            self.handle.update(content, metadata=files.PROGRESS)
