"""Tables that are made once for each run and kept beside the runs: what takes long and depends on nothing else.

    tables = kept.tables(found, rules.followed, name="rules-1", jobs=2)     a table a run
    table = kept.of_grid(grid, rules.followed, name="rules-1", jobs=2)      one for a grid of runs

A table is found again by its name, which ends in the run's key; number it anew when the function changes.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed

import pandas as pd

from lexurn import runs
from lexurn.base import files, session
from lexurn.runs import fit, workers
from lexurn.runs.run import Run
from lexurn.runs.sweeps import Sweep
from lexurn.runs.tracking import Clock

Make = Callable[[Run], pd.DataFrame]
"""A function that other processes can import."""


def tables(
    found: Sequence[Run],
    make: Make,
    *,
    name: str,
    jobs: int = 1,
    say: Callable[[str], None] | None = None,
) -> list[pd.DataFrame]:
    """The table of each run: read, or made by processes side by side and kept; `say` is told how far it is (stderr)."""
    say = say or files.print_to_stderr
    for run in found:
        run.require_data()
    missing = [run for run in found if not is_kept(run, name)]
    if missing:
        clock = Clock(len(missing))
        say(f"{len(missing)} trainings to follow, {clock.remaining(0)}")
        for number, _ in enumerate(
            _made(make, name, missing, min(jobs, len(missing), workers.cores())), 1
        ):
            say(f"{number} of {len(missing)} trainings followed, {clock.remaining(number)}")
    say(f"{len(missing)} training(s) followed, {len(found) - len(missing)} that had been before.")
    return [runs.read_table(_named(run, name)) for run in found]


def of_grid(
    grid: Sweep, make: Make, *, name: str, jobs: int = 1, say: Callable[[str], None] | None = None
) -> pd.DataFrame:
    """The tables of all points of a grid as one, with each point's place on the axes and its seed."""
    found = [runs.load(point.name) for point in grid.points]
    made = tables(found, make, name=name, jobs=jobs, say=say)
    return joined(grid, made)


def joined(grid: Sweep, made: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """A table for each point of a grid, in their order, as one."""
    placed = [
        table.assign(**grid.places[point.name], seed=point.training.seed)
        for point, table in zip(grid.points, made, strict=True)
    ]
    return pd.concat(placed, ignore_index=True)


def keep(make: Make, name: str, run_name: str) -> None:
    """Make the table of the run of this name and keep it, numbers to five digits."""
    run = runs.load(run_name)
    with fit.threads(run.settings.machine.threads):
        table = make(run)
    numbers = table.select_dtypes("float")
    table[numbers.columns] = numbers.map(lambda value: float(f"{value:.5g}"))
    runs.write_table(_named(run, name), table)


def _made(make: Make, name: str, missing: Sequence[Run], jobs: int) -> Iterator[None]:
    """Makes the tables that are missing, one by one here, or by processes side by side; yields as each is kept."""
    if jobs == 1:
        for run in missing:
            used = session.current().used_files
            before = set(used)
            keep(make, name, run.path.name)
            used.intersection_update(
                before
            )  # what depends on the table needs no more of the run, as below
            yield
        return
    with workers.Processes(jobs) as executor:
        for future in as_completed(
            [executor.submit(keep, make, name, run.path.name) for run in missing]
        ):
            yield future.result()


def is_kept(run: Run, name: str) -> bool:
    try:
        runs.read_table(_named(run, name))
    except FileNotFoundError:
        return False
    return True


def _named(run: Run, name: str) -> str:
    return f"{name}-{run.settings.key}"
