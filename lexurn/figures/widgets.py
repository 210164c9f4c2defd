"""Progress of trainings in a notebook, as one line of text."""

import time
from collections.abc import Sequence

from IPython import get_ipython
from IPython.display import Markdown, display

from lexurn import runs
from lexurn.base import files, terminal
from lexurn.base.wording import counted, duration
from lexurn.runs import tracking, workers
from lexurn.runs.run import Run
from lexurn.settings import Settings

MIN_STEPS_TO_MEASURE = 1000
"""Runs of fewer steps for each of their kinds are not measured before they are trained."""


def get_all(wanted: Sequence[Settings], *, jobs: int = 1) -> list[Run]:
    """Return one run per settings, trained or loaded, and report progress in one status line.

    With several `jobs`, the same number of processes train side by side; RuntimeError is raised for
    runs that failed, after the others were trained.
    """
    start = time.monotonic()
    say = status_line()
    pause = terminal.Pause(tracking.INTERVAL)

    def say_sometimes(text: str) -> None:
        if pause.is_over():
            say(text)

    missing = [settings for settings in dict.fromkeys(wanted) if not runs.is_stored(settings)]
    clock = _clock(missing, say_sometimes, n_processes=min(jobs, len(missing)))
    if missing and jobs > 1:
        with workers.Processes(clock.n_processes) as executor:
            failed = workers.train(missing, executor, say=say_sometimes, clock=clock)
        if failed:
            names = ", ".join(point.name for point in failed)
            first = next(iter(failed.values())).strip()
            raise RuntimeError(f"{counted(len(failed), 'run')} failed: {names}; the first: {first}")
    results = []
    for number, settings in enumerate(wanted, 1):
        title = f"run {number} of {len(wanted)}, {settings.kind}, seed {settings.training.seed}"
        tracker = tracking.ProgressLines(
            settings.training.n_steps,
            say=lambda text, title=title: say(f"{title}: {text}"),
            pause=pause,
            clock=clock,
            number=missing.index(settings) if settings in missing else 0,
        )
        results.append(runs.get(settings, tracker=tracker))
    say(
        f"{counted(len(missing), 'run')} trained in {duration(time.monotonic() - start)}, "
        f"{len(wanted) - len(missing)} loaded from the store."
    )
    return results


def _clock(missing: Sequence[Settings], say: terminal.Say, *, n_processes: int) -> tracking.Clock:
    """Return a clock of the runs to train, which knows how long each takes if they are long.

    Measuring one kind of run takes as long as a few dozen of its steps.
    """
    n_steps = [float(settings.training.n_steps) for settings in missing]
    n_kinds = len({settings.of_kind(settings.kind, seed=0) for settings in missing})
    if n_kinds < 2 or sum(n_steps) < MIN_STEPS_TO_MEASURE * n_kinds:
        return tracking.Clock(n_steps, n_processes=n_processes)
    seconds = workers.expected_seconds(missing, say=say)
    return tracking.Clock(seconds, n_processes=n_processes, speed=1.0)


def status_line() -> terminal.Say:
    """Return a function that replaces its last text in a notebook, and elsewhere prints lines.

    If papermill runs the notebook, the function also prints the lines where papermill runs.
    """
    if not hasattr(get_ipython(), "kernel"):  # not in a notebook
        return files.print_to_stderr
    handle = display(Markdown("preparing"), display_id=True, metadata=files.PROGRESS)

    def say(text: str) -> None:
        handle.update(Markdown(text), metadata=files.PROGRESS)
        terminal.print_where_papermill_runs(text)

    return say
