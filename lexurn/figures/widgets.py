"""Notebook views: live progress, updated in place, and flipbooks, which need no kernel."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets
import pandas as pd
from IPython import get_ipython
from IPython.display import Image, Markdown, display
from matplotlib.axes import Axes

from lexurn import runs
from lexurn.base import files
from lexurn.figures import drawing, figure_card
from lexurn.figures.drawing import Drawing
from lexurn.runs import workers
from lexurn.runs.run import Run
from lexurn.runs.tracking import Clock, ProgressLines, Tracker, duration
from lexurn.settings import Settings

# Panels and legend of the live figure of a training.
TRAINING = Drawing(
    plot="lexurn.figures.plots.training",
    each={"view": ["losses", "distances"]},
    legend="distance to",
)


class LiveTraining(Tracker):
    """A tracker that redraws losses and distances during training, with the time left.

    In a notebook it shows one picture, which it replaces at most every `interval` seconds and
    finally by one line of text. Elsewhere it prints lines.
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
        self.clock = Clock(n_steps)
        self.start = time.monotonic()
        self.last_drawn = float("-inf")
        self.rows: list[dict[str, float]] = []
        self.handle: Any = None
        self.lines = None if _in_notebook() else ProgressLines(n_steps)

    def report_wait(self, text: str) -> None:
        if self.lines:
            self.lines.report_wait(text)
        elif self.handle is None:  # this text stays if the run is then loaded, so it must fit both
            self._show(
                "Another process is training this run; it is loaded when training has ended."
            )

    def resume(self, past: list[dict[str, Any]]) -> None:
        self.rows = list(past)

    def log(self, metrics: dict[str, float], step: int) -> None:
        if self.lines:
            return self.lines.log(metrics, step)
        self.rows.append({"step": step, **metrics})
        time_left = self.clock.remaining(step)
        if time.monotonic() - self.last_drawn > self.interval:
            title = f"step {step} of {self.clock.n_steps}, {time_left}"
            live = TRAINING.model_copy(update={"title": title, "keywords": self.judged})
            (picture,) = drawing.draw(live, pd.DataFrame(self.rows))
            self._show(Image(picture.png, width=9 * 96))
            self.last_drawn = time.monotonic()

    def finish(self) -> None:
        if self.rows and not self.lines:
            seconds = duration(time.monotonic() - self.start)
            self._show(f"Trained for {self.rows[-1]['step']:.0f} steps, {seconds} in all.")

    def _show(self, content: Any) -> None:
        content = Markdown(content) if isinstance(content, str) else content
        if self.handle is None:
            self.handle = display(content, display_id=True)
        else:
            self.handle.update(content)


class StatusTracker(Tracker):
    """A tracker that reports the step and the time left of one run through `say`."""

    def __init__(self, title: str, n_steps: int, say: Callable[[str], None]):
        self.title = title
        self.clock = Clock(n_steps)
        self.say = say
        self.has_trained = False

    def report_wait(self, text: str) -> None:
        self.say(f"{self.title}: {text}")

    def log(self, metrics: dict[str, float], step: int) -> None:
        self.has_trained = True
        self.say(f"{self.title}: step {step} of {self.clock.n_steps}, {self.clock.remaining(step)}")


def get_all(wanted: Sequence[Settings], *, jobs: int = 1) -> list[Run]:
    """Return one run per settings, trained or loaded, and report progress in one status line.

    With several `jobs`, the same number of processes train side by side; RuntimeError is raised for
    runs that failed, after the others were trained.
    """
    start = time.monotonic()
    say = status_line()
    n_trained = 0
    if jobs > 1:
        missing = [settings for settings in dict.fromkeys(wanted) if not runs.is_stored(settings)]
        n_trained = _train_side_by_side(missing, jobs, say) if missing else 0
    results = []
    for number, settings in enumerate(wanted, 1):
        title = f"run {number} of {len(wanted)}, {settings.kind}, seed {settings.training.seed}"
        tracker = StatusTracker(title, settings.training.n_steps, say)
        results.append(runs.get(settings, tracker=tracker))
        n_trained += tracker.has_trained
    say(
        f"{n_trained} run(s) trained in {duration(time.monotonic() - start)}, "
        f"{len(wanted) - n_trained} loaded from the store."
    )
    return results


def _train_side_by_side(missing: Sequence[Settings], jobs: int, say: Callable[[str], None]) -> int:

    def report(point: Settings, trace: str, count: str, time_left: str) -> None:
        say(f"{count} runs trained by {jobs} processes, {time_left}")

    say(f"{len(missing)} runs to train by {jobs} processes")
    with workers.Processes(min(jobs, len(missing))) as executor:
        failed = workers.train(missing, executor, report=report)
    if failed:
        point, trace = next(iter(failed.items()))
        names = ", ".join(point.name for point in failed)
        raise RuntimeError(f"{len(failed)} run(s) failed: {names}; the first: {trace.strip()}")
    return len(missing)


def status_line() -> Callable[[str], None]:
    """Return a function that replaces its last text in a notebook, and elsewhere prints lines."""
    if not _in_notebook():
        return files.print_to_stderr
    handle = display(Markdown("preparing"), display_id=True)
    return lambda text: handle.update(Markdown(text))


def flipbook(
    plot: Callable[..., Axes],
    table: pd.DataFrame,
    *,
    label: str,
    alts: Sequence[str],
    **options: Any,
) -> ipywidgets.VBox:
    """Return a figure with its card whose pages a slider or a play button shows one at a time.

    `alts` has one alternative text per page; `options` are those of `figure_card.card`, with
    `each`. The browser links slider and pages, so saved notebooks and pages of the book move too.
    """
    card = figure_card.card(plot, table, pages=True, **options)
    pages = [card.picture(number, alt=alt) for number, alt in enumerate(alts)]
    stack = ipywidgets.Stack([ipywidgets.HTML(page) for page in pages], selected_index=0)
    last = len(pages) - 1
    style = {"description_width": "initial"}
    slider = ipywidgets.IntSlider(0, 0, last, description=label, style=style)
    player = ipywidgets.Play(value=0, min=0, max=last, interval=700)
    ipywidgets.jslink((player, "value"), (slider, "value"))
    ipywidgets.jslink((slider, "value"), (stack, "selected_index"))
    details = ipywidgets.HTML(card.html(with_picture=False))
    return ipywidgets.VBox([ipywidgets.HBox([player, slider]), stack, details])


def _in_notebook() -> bool:
    return get_ipython() is not None and hasattr(get_ipython(), "kernel")
