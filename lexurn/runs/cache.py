"""Tables that are computed once and cached beside the runs, because they take long.

    table = cache.table(headline.standings, list_of_runs)                          of any inputs
    tables = cache.tables(list_of_runs, rules.followed, name="rules-1", jobs=2)    one per run
    table = cache.grid_table(grid, rules.followed, name="rules-1", jobs=2)         one for a grid

`table` identifies a cached table by its inputs and by the code that computes it
(`base.sources`), so it is computed again when either changes. The tables of `tables` take minutes
for each run, and some of their runs are published without weights. They are identified by their
name and the key of their run: change the number at the end of the name when the function changes.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
from torch import Tensor

from lexurn import runs, tasks
from lexurn.base import files, session, sources, terminal
from lexurn.base.wording import counted
from lexurn.runs import contents, store, sweeps, tracking, workers
from lexurn.runs.scoring import Compute, is_cached, make_table, table_name
from lexurn.settings import Settings
from lexurn.settings.registry import CHOICES, entries

RUN_CODE = ("lexurn.runs.fit:as_predictor", "lexurn.models:build", "lexurn.predictors:Predictor")
"""Code that every table of runs depends on, beside the code of the run's task and model."""


def table(compute: Callable[..., pd.DataFrame], *inputs: Any) -> pd.DataFrame:
    """Return `compute(*inputs)`, from the cache if it was computed before.

    `compute` is a function at the top of a module of this library that returns a table (see
    `lexurn.runs.tables`). Inputs are runs, settings, tables, tensors, numbers, texts, and lists of
    these. Give it a run if it uses the run's model, because its weights are then published too.
    """
    described, targets = _describe(list(inputs))
    code = sources.code_hash(f"{compute.__module__}:{compute.__qualname__}", *sorted(targets))
    identity = files.hash_bytes(json.dumps([code, described]).encode(), 12)
    name = f"{compute.__name__}-{identity}"
    if not store.stored(f"tables/{name}.csv").exists():
        runs.write_table(name, compute(*inputs))
    return runs.read_table(name)


def _describe(value: Any) -> tuple[Any, set[str]]:
    """Return what identifies an input, as JSON, and the code that stands behind it.

    A run is identified by its key and the numbers of its results, which a training on another
    machine may change in their last digits.
    """
    if isinstance(value, list | tuple):
        parts = [_describe(part) for part in value]
        return [described for described, _ in parts], set().union(*(code for _, code in parts))
    if isinstance(value, Settings):
        built = (entries(section)[getattr(value, section).name] for section in CHOICES)
        return [value.key, tasks.build(value).fingerprint], {entry.target for entry in built}
    if isinstance(value, runs.Run):
        described, targets = _describe(value.settings)
        if contents.locate(value.path, store.WEIGHTS).exists():
            # They are needed again when the code changes.
            session.current().used_files.add(f"{value.path.name}/{store.WEIGHTS}")
        return [described, value.results_hash], targets | set(RUN_CODE)
    if isinstance(value, Tensor):
        content = value.numpy().tobytes()
        return [str(value.dtype), list(value.shape), files.hash_bytes(content, 12)], set()
    if isinstance(value, pd.DataFrame):
        hashes = pd.util.hash_pandas_object(value, index=False).to_numpy()
        return [list(value), files.hash_bytes(hashes.tobytes(), 12)], set()
    if value is None or isinstance(value, str | int | float):
        return value, set()
    raise TypeError(
        "a cached table is identified by runs, settings, tables, tensors, numbers, texts and "
        f"lists of these, got {type(value).__name__}; let the function build it from such inputs"
    )


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
    missing = [run.path.name for run in of_runs if not is_cached(name, run.settings)]
    if missing:
        n_processes = min(jobs, len(missing), workers.cores())
        clock = tracking.Clock([1.0] * len(missing), n_processes=n_processes)
        pause = terminal.Pause(tracking.INTERVAL)

        def tell(n_done: int) -> None:
            time_left = clock.remaining([float(n < n_done) for n in range(len(missing))])
            if not n_done or pause.is_over():
                say(f"{n_done} of {len(missing)} tables computed, {time_left}")

        tell(0)
        if n_processes == 1:
            for count, run_name in enumerate(missing, 1):
                make_table(compute, name, run_name)
                tell(count)
        else:
            with workers.Processes(n_processes) as executor:
                submitted = [executor.submit(make_table, compute, name, each) for each in missing]
                for ended in workers.wait(submitted):
                    for future in ended:
                        future.result()
                    tell(sum(future.done() for future in submitted))
    n_loaded = len(of_runs) - len(missing)
    say(f"{counted(len(missing), 'table')} computed, {n_loaded} loaded from the store.")
    return [runs.read_table(table_name(name, run.settings)) for run in of_runs]


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
