"""How long commands take with thousands of runs in the store, and how a process's memory grows.

python tests/benchmarks/store.py 5000 200
numbers of: runs in the store, runs that one process trains
"""

import contextlib
import io
import os
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

from lexurn import runs
from lexurn.base import checksums, paths
from lexurn.cli.stored import stored
from lexurn.runs import integrity, store, sweeps, tracking
from lexurn.settings.resolver import check

TINY = {"n_steps": 20, "eval_every": 10, "n_test_samples": 8, "context_length": 4, "d_model": 8}


def fill(n: int) -> None:
    """Put `n` finished runs of different seeds into the store, with the results of the first."""
    first = runs.get(TINY, tracker=tracking.Tracker())
    for seed in range(1, n):
        settings = check(TINY | {"seed": seed})
        folder = paths.runs() / settings.name
        shutil.copytree(first.path, folder)
        (folder / "settings.json").write_text(settings.model_dump_json(indent=2))
        names = [name for name in integrity.final_files(folder) if name != checksums.NAME]
        content = (folder / store.RESULTS).read_text()
        checksums.write(folder, names, to_come={store.RESULTS: content})


def seconds(act) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def grid(n: int) -> None:
    path = Path(os.environ["LEXURN_RUNS"]) / "grid.yaml"
    path.write_text(f"fixed: {TINY}\nseeds: {n}\n")
    points = sweeps.read(path, max_points=n)
    print(f"{len(points.missing())} of {n} points missing")


def megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    n_stored, n_trained = map(int, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LEXURN_RUNS"] = folder
        fill(n_stored)
        list_runs = stored.commands["list"].callback
        for name, act in {
            "all runs listed, first time": lambda: list_runs((), None),
            "all runs listed again": lambda: list_runs((), None),
            "one run by its key": lambda: runs.load(check(TINY | {"seed": n_stored - 1}).key),
            "one run that is missing": lambda: runs.is_stored(check(TINY | {"seed": 10**6})),
            "points of a grid counted": lambda: grid(min(n_stored, 1000)),
        }.items():
            with contextlib.redirect_stdout(io.StringIO()):
                needed = seconds(act)
            print(f"{name:32} {needed:8.2f} s", flush=True)
        before = megabytes()
        for seed in range(n_trained):
            runs.get(TINY | {"seed": 2 * 10**6 + seed}, tracker=tracking.Tracker())
            if seed == n_trained // 10:
                before = megabytes()
        print(f"peak memory grew by {megabytes() - before:.1f} MB over the last 9/10 of the runs")
