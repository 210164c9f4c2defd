"""Tables that are computed once per run and cached beside the runs, because they take long.

    tables = cache.tables(list_of_runs, rules.followed, name="rules-1", jobs=2)    one per run
    table = cache.grid_table(grid, rules.followed, name="rules-1", jobs=2)            one for a grid

A cached table is identified by its name and the key of its run. Change the number at the end of the
name when the function that computes the table changes.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from functools import partial

import pandas as pd

from lexurn import runs
from lexurn.base import files, session
from lexurn.runs import store, workers
from lexurn.runs.machine import threads
from lexurn.runs.run import Run
from lexurn.runs.sweeps import Sweep
from lexurn.runs.tracking import Clock

Compute = Callable[[Run], pd.DataFrame]
"""A function that other processes can import."""


def tables(
    of_runs: Sequence[Run],
    compute: Compute,
    *,
    name: str,
    jobs: int = 1,
    say: Callable[[str], None] | None = None,
) -> list[pd.DataFrame]:
    """Return one table per run; `jobs` processes compute and cache those that are missing.

    `say` receives progress texts (default: stderr).
    """
    say = say or files.print_to_stderr
    for run in of_runs:
        run.require_data()
    missing = [run.path.name for run in of_runs if not _is_cached(run, name)]
    if missing:
        clock = Clock(len(missing))
        say(f"{len(missing)} tables to compute, {clock.remaining(0)}")
        n_processes = min(jobs, len(missing), workers.cores())
        ended = _make_tables(partial(make_table, compute, name), missing, n_processes)
        for number, _ in enumerate(ended, 1):
            say(f"{number} of {len(missing)} tables computed, {clock.remaining(number)}")
    n_loaded = len(of_runs) - len(missing)
    say(f"{len(missing)} table(s) computed, {n_loaded} loaded from the store.")
    return [runs.read_table(_table_name(run, name)) for run in of_runs]


def grid_table(
    grid: Sweep,
    compute: Compute,
    *,
    name: str,
    jobs: int = 1,
    say: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Return the tables of all points of a grid as one table; see `tables` and `concat_tables`."""
    of_runs = [runs.load(point.name) for point in grid.points]
    return concat_tables(grid, tables(of_runs, compute, name=name, jobs=jobs, say=say))


def concat_tables(grid: Sweep, by_point: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return one table per point as one table, with columns for the grid's axes and the seed."""
    labelled = [
        table.assign(**grid.coordinates[point.name], seed=point.training.seed)
        for point, table in zip(grid.points, by_point, strict=True)
    ]
    return pd.concat(labelled, ignore_index=True)


def make_table(compute: Compute, name: str, run_name: str) -> None:
    """Compute the table of a run and cache it, with five significant digits.

    The session does not count the run's files as used: its results depend on the table alone.
    """
    used_files = session.current().used_files
    used_before = set(used_files)
    run = runs.load(run_name)
    with threads(run.settings.machine.threads):
        table = compute(run)
    numbers = table.select_dtypes("float")
    table[numbers.columns] = numbers.map(lambda value: float(f"{value:.5g}"))
    runs.write_table(_table_name(run, name), table)
    used_files.intersection_update(used_before)


def _make_tables(
    make: Callable[[str], None], names: Sequence[str], n_processes: int
) -> Iterator[None]:
    """Make the tables of the runs with these names, and yield after each."""
    if n_processes == 1:
        yield from map(make, names)
        return
    with workers.Processes(n_processes) as executor:
        for future in as_completed([executor.submit(make, name) for name in names]):
            yield future.result()


def _is_cached(run: Run, name: str) -> bool:
    return store.stored(f"tables/{_table_name(run, name)}.csv").exists()


def _table_name(run: Run, name: str) -> str:
    return f"{name}-{run.settings.key}"
