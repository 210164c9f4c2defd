"""Tables that are computed once per run and cached beside the runs, because they take long.

    tables = cache.tables(list_of_runs, rules.followed, name="rules-1", jobs=2)    one per run
    table = cache.grid_table(grid, rules.followed, name="rules-1", jobs=2)            one for a grid

A cached table is identified by its name and the key of its run. Change the number at the end of the
name when the function that computes the table changes.
"""

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd

from lexurn import runs
from lexurn.base import files, session
from lexurn.base.threads import threads
from lexurn.runs import store, sweeps, tracking, workers

Compute = Callable[[runs.Run], pd.DataFrame]
"""A function that other processes can import."""


def tables(
    of_runs: Sequence[runs.Run],
    compute: Compute,
    *,
    name: str,
    jobs: int = 1,
    say: Callable[[str], None] = files.print_to_stderr,
) -> list[pd.DataFrame]:
    """Return one table per run; `jobs` processes compute and cache those that are missing.

    `say` receives progress texts (default: stderr).
    """
    for run in of_runs:
        run.require_data()
    missing = [
        run.path.name
        for run in of_runs
        if not store.stored(f"tables/{_table_name(run, name)}.csv").exists()
    ]
    if missing:
        say(f"{len(missing)} tables to compute, estimating")
        n_processes = min(jobs, len(missing), workers.cores())
        make = partial(make_table, compute, name)
        with workers.Processes(n_processes) as executor:
            computed = executor.map(make, missing) if n_processes > 1 else map(make, missing)
            for count, left, _ in tracking.countdown(computed, len(missing)):
                say(f"{count} tables computed, {left}")
    say(f"{len(missing)} table(s) computed, {len(of_runs) - len(missing)} loaded from the store.")
    return [runs.read_table(_table_name(run, name)) for run in of_runs]


def grid_table(
    grid: sweeps.Sweep,
    compute: Compute,
    *,
    name: str,
    jobs: int = 1,
    say: Callable[[str], None] = files.print_to_stderr,
) -> pd.DataFrame:
    """Return the tables of all points of a grid as one table; see `tables` and `concat_tables`."""
    of_runs = [runs.load(point.name) for point in grid.points]
    return concat_tables(grid, tables(of_runs, compute, name=name, jobs=jobs, say=say))


def concat_tables(grid: sweeps.Sweep, by_point: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return one table per point as one table, with columns for the grid's axes and the seed."""
    return pd.concat(
        [
            table.assign(**grid.coordinates[point.name], seed=point.training.seed)
            for point, table in zip(grid.points, by_point, strict=True)
        ],
        ignore_index=True,
    )


def make_table(compute: Compute, name: str, run_name: str) -> None:
    """Compute the table of a run and cache it, with five significant digits.

    It has a session of its own, so that the caller's session does not count the run's files as
    used: the caller's results depend on the table alone.
    """
    with session.fresh():
        run = runs.load(run_name)
        with threads(run.settings.machine.threads):
            table = compute(run)
    numbers = table.select_dtypes("float")
    table[numbers.columns] = numbers.map(lambda value: float(f"{value:.5g}"))
    runs.write_table(_table_name(run, name), table)


def _table_name(run: runs.Run, name: str) -> str:
    return f"{name}-{run.settings.key}"
