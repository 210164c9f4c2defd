"""Views for notebooks: live ones, updated in place, and flipbooks, which need no kernel."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.axes import Axes

from lexurn import runs
from lexurn.base import files
from lexurn.figures import drawing, figure_card
from lexurn.figures.drawing import Drawing
from lexurn.runs import sweeps, workers
from lexurn.runs.run import Run
from lexurn.runs.tracking import Clock, ProgressLines, Tracker, duration
from lexurn.settings import Settings

if TYPE_CHECKING:
    import ipywidgets


TRAINING: dict[str, Any] = {"each": {"view": ["losses", "distances"]}, "legend": "distance to"}
"""The panels of a training's figure."""


class LiveTraining(Tracker):
    """A tracker that redraws loss and distances at every evaluation, with the time left.

    In a notebook there is one picture, replaced in place at most every `interval` seconds, and at the end by a line;
    the finished training is for a figure to show. Elsewhere it prints lines.
    """

    def __init__(self, n_steps: int, *, interval: float = 2.0):
        self.n_steps, self.interval = n_steps, interval
        self.clock, self.began, self.drawn = Clock(n_steps), time.monotonic(), float("-inf")
        self.rows: list[dict[str, float]] = []
        self.handle: Any = None
        self.lines = None if _in_notebook() else ProgressLines(n_steps)

    def report_wait(self, text: str) -> None:
        from IPython.display import Markdown, display

        if self.lines:
            self.lines.report_wait(text)
        elif (
            self.handle is None
        ):  # what is said here must be true when the run has been loaded, too
            said = "Another process is training this run; it is loaded when that has ended."
            self.handle = display(Markdown(said), display_id=True)

    def resume(self, past: list[dict[str, Any]]) -> None:
        self.rows = list(past)

    def log(self, metrics: dict[str, float], step: int) -> None:
        if self.lines:
            return self.lines.log(metrics, step)
        self.rows.append({"step": step, **metrics})
        left = self.clock.remaining(step)
        if time.monotonic() - self.drawn > self.interval:
            self._draw(left)

    def finish(self) -> None:
        from IPython.display import Markdown

        if self.rows and not self.lines:
            step = int(self.rows[-1]["step"])
            self._show(
                Markdown(
                    f"Trained for {step} steps, {duration(time.monotonic() - self.began)} in all."
                )
            )

    def _draw(self, clock: str) -> None:
        from IPython.display import Image

        metrics = pd.DataFrame(self.rows)
        title = f"step {int(metrics['step'].iloc[-1])} of {self.n_steps}, {clock}"
        how = Drawing(plot="lexurn.figures.plots.training", title=title, **TRAINING)
        (picture,) = drawing.draw(how, metrics)
        self._show(Image(picture.png, width=9 * 96))
        self.drawn = time.monotonic()

    def _show(self, what: Any) -> None:
        from IPython.display import display

        if self.handle is None:
            self.handle = display(what, display_id=True)
        else:
            self.handle.update(what)


class OneLine(Tracker):
    """A tracker that says the step and the time left; `say` puts it in place of what was said before."""

    def __init__(self, title: str, n_steps: int, say: Callable[[str], None]):
        self.title, self.clock, self.say = title, Clock(n_steps), say
        self.has_told = False

    def report_wait(self, text: str) -> None:
        self.say(f"{self.title}: {text}")

    def log(self, metrics: dict[str, float], step: int) -> None:
        self.has_told = True
        self.say(f"{self.title}: step {step} of {self.clock.n_steps}, {self.clock.remaining(step)}")


def get_all(wanted: Sequence[Settings], *, jobs: int = 1) -> list[Run]:
    """Train or load several runs, telling the progress in a single line that is updated in place.

    With several `jobs` as many processes train side by side. Raises RuntimeError for runs that failed there, after the
    others were trained.
    """
    began, say = time.monotonic(), line_in_place()
    if jobs > 1:
        missing = [each for each in dict.fromkeys(wanted) if not runs.is_stored(each)]
        n_trained = _train_side_by_side(missing, jobs, say)
        found = [runs.get(settings) for settings in wanted]
    else:
        n_trained, found = 0, []
        for number, settings in enumerate(wanted, 1):
            title = f"run {number} of {len(wanted)}, {settings.kind}, seed {settings.training.seed}"
            line = OneLine(title, settings.training.n_steps, say)
            found.append(runs.get(settings, tracker=line))
            n_trained += line.has_told
    took, loaded = duration(time.monotonic() - began), len(wanted) - n_trained
    say(f"{n_trained} run(s) trained in {took}, {loaded} loaded that were trained before.")
    return found


def _train_side_by_side(missing: Sequence[Settings], jobs: int, say: Callable[[str], None]) -> int:
    """How many were trained, by as many processes as there are jobs."""
    if not missing:
        return 0
    n_ended, clock = 0, Clock(len(missing))
    clock.remaining(0)

    def tell(point: Settings, trace: str) -> None:
        nonlocal n_ended
        n_ended += 1
        left = clock.remaining(n_ended) if n_ended < len(missing) else "that was the last"
        say(f"{n_ended} of {len(missing)} runs trained by {jobs} processes, {left}")

    say(f"{len(missing)} runs to train by {jobs} processes")
    with workers.Processes(min(jobs, len(missing))) as executor:
        failed = sweeps.train(missing, executor, tell=tell)
    if failed:
        names = ", ".join(point.name for point in failed)
        raise RuntimeError(
            f"{len(failed)} run(s) failed: {names}; the first: {next(iter(failed.values())).strip()}"
        )
    return len(missing)


def line_in_place() -> Callable[[str], None]:
    """Says one thing in place of the last; in a line each where this is no notebook."""
    from IPython.display import Markdown, display

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
) -> "ipywidgets.VBox":
    """A figure in pages, of which one is seen, with its card: a slider chooses, or a button plays.

    `alts` says what each page shows; the options are those of `figure_card.card`, `each` among them. Everything is linked
    in the browser, so that it moves in a saved notebook and on a page too.
    """
    import ipywidgets

    card = figure_card.card(plot, table, pages=True, **options)
    pages = [card.picture(number, alt=alt) for number, alt in enumerate(alts)]
    shown = ipywidgets.Stack([ipywidgets.HTML(page) for page in pages], selected_index=0)
    last = len(pages) - 1
    slider = ipywidgets.IntSlider(
        0, 0, last, description=label, style={"description_width": "initial"}
    )
    player = ipywidgets.Play(value=0, min=0, max=last, interval=700)
    ipywidgets.jslink((player, "value"), (slider, "value"))
    ipywidgets.jslink((slider, "value"), (shown, "selected_index"))
    below = ipywidgets.HTML(card.html(with_picture=False))
    return ipywidgets.VBox([ipywidgets.HBox([player, slider]), shown, below])


def _in_notebook() -> bool:
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return get_ipython() is not None and hasattr(get_ipython(), "kernel")
