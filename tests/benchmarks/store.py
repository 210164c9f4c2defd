"""How long commands take with thousands of runs in the store, and how a process's memory grows.

python tests/benchmarks/store.py 5000 200 50000 FILE
numbers of: runs in the store, runs that one process trains, steps of one training
"""

import contextlib
import io
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
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


def seconds(act: Callable[[], None]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def count_points(n: int) -> None:
    """Count the missing points of a grid of `n` seeds."""
    path = Path(os.environ["LEXURN_RUNS"]) / "grid.yaml"
    path.write_text(f"fixed: {TINY}\nseeds: {n}\n")
    sweeps.read(path, max_points=n).missing()


def megabytes() -> float:
    """Return the memory that this process has at present (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def growth(numbers: Iterable[int], act: Callable[[int], None]) -> float:
    """Return by how many MB the memory grew over the last nine tenths of some calls."""
    numbers = list(numbers)
    for number in numbers[: len(numbers) // 10 + 1]:
        act(number)
    before = megabytes()
    for number in numbers[len(numbers) // 10 + 1 :]:
        act(number)
    return megabytes() - before


class Memory(tracking.Tracker):
    """Remember the memory at every evaluation."""

    def __init__(self) -> None:
        self.sizes: list[float] = []

    def log(self, metrics: dict[str, float], step: int) -> None:
        self.sizes.append(megabytes())


def measure(n_stored: int, n_trained: int, n_steps: int) -> dict[str, float]:
    """Return seconds by the clock, and MB."""
    quiet = tracking.Tracker()
    memory = Memory()
    fill(n_stored)

    def list_runs() -> None:
        stored.main(["list"], standalone_mode=False)

    last = check(TINY | {"seed": n_stored - 1})
    n_points = min(n_stored, 1000)
    with contextlib.redirect_stdout(io.StringIO()):
        measured = {
            "n_stored": n_stored,
            "n_trained": n_trained,
            "n_steps": n_steps,
            "n_points": n_points,
            "first_listing": seconds(list_runs),
            "listing": seconds(list_runs),
            "finding": seconds(lambda: runs.load(last.key)),
            "counting": seconds(lambda: count_points(n_points)),
        }
    measured["growth"] = growth(
        range(n_trained), lambda seed: runs.get(TINY | {"seed": 10**6 + seed}, tracker=quiet)
    )
    runs.get(TINY | {"n_steps": n_steps, "eval_every": n_steps // 50}, tracker=memory)
    measured["growth_of_steps"] = memory.sizes[-1] - memory.sizes[5]
    return {name: round(value, 2) for name, value in measured.items()}


if __name__ == "__main__":
    *numbers, path = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LEXURN_RUNS"] = folder
        measured = measure(*map(int, numbers))
    text = json.dumps(measured, indent=1)
    print(text)
    Path(path).write_text(text)
