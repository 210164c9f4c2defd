"""Notebook views: progress in one line of text, and flipbooks, which need no kernel."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets
import pandas as pd
from IPython import get_ipython
from IPython.display import Markdown, display
from matplotlib.axes import Axes

from lexurn import runs
from lexurn.base import files
from lexurn.figures import figure_card
from lexurn.runs import workers
from lexurn.runs.run import Run
from lexurn.runs.tracking import Clock, Tracker, duration
from lexurn.settings import Settings


class StatusTracker(Tracker):
    """A tracker that reports the step and the time left of one run through `say`."""

    def __init__(self, title: str, n_steps: int, say: Callable[[str], None]):
        self.title = title
        self.clock = Clock(n_steps)
        self.say = say

    def report_wait(self, text: str) -> None:
        self.say(f"{self.title}: {text}")

    def log(self, metrics: dict[str, float], step: int) -> None:
        self.say(f"{self.title}: step {step} of {self.clock.n_steps}, {self.clock.remaining(step)}")


def get_all(wanted: Sequence[Settings], *, jobs: int = 1) -> list[Run]:
    """Return one run per settings, trained or loaded, and report progress in one status line.

    With several `jobs`, the same number of processes train side by side; RuntimeError is raised for
    runs that failed, after the others were trained.
    """
    start = time.monotonic()
    say = status_line()
    missing = [settings for settings in dict.fromkeys(wanted) if not runs.is_stored(settings)]
    if missing and jobs > 1:
        say(f"{len(missing)} runs to train by {jobs} processes")
        with workers.Processes(min(jobs, len(missing))) as executor:
            failed = workers.train(
                missing,
                executor,
                report=lambda _, __, count, time_left: say(
                    f"{count} runs trained by {jobs} processes, {time_left}"
                ),
            )
        if failed:
            names = ", ".join(point.name for point in failed)
            first = next(iter(failed.values())).strip()
            raise RuntimeError(f"{len(failed)} run(s) failed: {names}; the first: {first}")
    results = []
    for number, settings in enumerate(wanted, 1):
        title = f"run {number} of {len(wanted)}, {settings.kind}, seed {settings.training.seed}"
        tracker = StatusTracker(title, settings.training.n_steps, say)
        results.append(runs.get(settings, tracker=tracker))
    say(
        f"{len(missing)} run(s) trained in {duration(time.monotonic() - start)}, "
        f"{len(wanted) - len(missing)} loaded from the store."
    )
    return results


def status_line() -> Callable[[str], None]:
    """Return a function that replaces its last text in a notebook, and elsewhere prints lines."""
    if not hasattr(get_ipython(), "kernel"):  # not in a notebook
        return files.print_to_stderr
    handle = display(Markdown("preparing"), display_id=True, metadata=files.PROGRESS)
    return lambda text: handle.update(Markdown(text), metadata=files.PROGRESS)


class Flipbook(ipywidgets.VBox):
    """Widgets that are shown together with the card of their figure."""

    card: figure_card.Card

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return super()._repr_mimebundle_(**options) | self.card.bundle()


def flipbook(
    plot: Callable[..., Axes],
    table: pd.DataFrame,
    *,
    label: str,
    alts: Sequence[str],
    each: Mapping[str, Sequence[Any]],
    **options: Any,
) -> Flipbook:
    """Return a figure with its card whose pages a slider or a play button shows one at a time.

    `alts` has one alternative text per page; `options` are those of `figure_card.card`. Its `each`
    has the pages' values, which the slider shows. The browser links slider and pages, so saved
    notebooks and pages of the book move too.
    """
    card = figure_card.card(plot, table, each=each, pages=True, **options)
    (values,) = each.values()
    pages = [card.picture(number, alt=alt) for number, alt in enumerate(alts)]
    stack = ipywidgets.Stack([ipywidgets.HTML(page) for page in pages], selected_index=0)
    last = len(pages) - 1
    slider = ipywidgets.SelectionSlider(
        options=list(values), description=label, style={"description_width": "initial"}
    )
    player = ipywidgets.Play(value=0, min=0, max=last, interval=700)
    ipywidgets.jslink((player, "value"), (slider, "index"))
    ipywidgets.jslink((slider, "index"), (stack, "selected_index"))
    details = ipywidgets.HTML(card.html(with_picture=False))
    book = Flipbook([ipywidgets.HBox([player, slider]), stack, details])
    book.card = card
    return book
