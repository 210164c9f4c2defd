"""Measure what a run costs from its command to its stored evaluation. Run it by hand.

    python tests/benchmarks/run.py [--rounds 5]

Each round trains one normal and one lexical run with the default settings, in turn, each in a new
process, and the same number of steps with a plain PyTorch model of the same shape. Reported are
medians of CPU seconds of the process, which a busy machine disturbs less than the clock: of the
whole process, of `runs.get` alone (without imports), the share of `runs.get` in steps of the
training loop, and the ratio to the plain steps, pair by pair.
"""

import dataclasses
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click


def time_run(flat: dict) -> dict[str, float]:
    """Train a run and return CPU seconds: of the loop's steps, of `runs.get`, of the process.

    `peak_mb` is the most memory that the process has had, in megabytes (Linux).
    """
    from lexurn import runs
    from lexurn.runs import fit, recording, run  # noqa: F401  imports are not part of `runs.get`

    seconds = {"callbacks": 0.0, "fit": 0.0}
    fit_model = fit.fit

    def timed(function: Callable, name: str) -> Callable:
        def call(*arguments, **options):
            start = time.process_time()
            try:
                return function(*arguments, **options)
            finally:
                seconds[name] += time.process_time() - start

        return call

    def timed_fit(setup, train, batches, callbacks, **options):
        names = ("evaluate", "log", "checkpoint")
        timed_ones = {name: timed(getattr(callbacks, name), "callbacks") for name in names}
        callbacks = dataclasses.replace(callbacks, **timed_ones)
        return timed(fit_model, "fit")(setup, train, batches, callbacks, **options)

    start = time.process_time()
    fit.fit = timed_fit
    try:
        runs.get(flat)
    finally:
        fit.fit = fit_model
    end = time.process_time()
    return {
        "loop": seconds["fit"] - seconds["callbacks"],
        "get": end - start,
        "process": end,
        "peak_mb": peak_megabytes(),
    }


def peak_megabytes() -> float:
    """Return the most memory that this process has had; `getrusage` counts its parent's too."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text() if status.exists() else "")
    return int(found[1]) / 1024 if found else float("nan")


def time_plain(flat: dict) -> float:
    """Return the CPU seconds of the same steps with a plain model on one batch."""
    import torch

    sys.path.insert(0, str(Path(__file__).parent))
    import step

    from lexurn.settings.resolver import check

    torch.set_num_threads(1)
    settings = check(flat)
    plain = step.plain_model(settings)
    batch_size, length = settings.training.batch_size, settings.task.context_length + 1
    tokens = torch.randint(settings.task.n_colors, (batch_size, length))
    advance = step.stepper(plain, tokens)
    advance()
    start = time.process_time()
    for _ in range(settings.training.n_steps):
        advance()
    return time.process_time() - start


def compare(rounds: int, flat: dict) -> None:
    for lex in (False, True):
        rows = []
        for number in range(rounds):
            point = flat | {"lex": lex, "seed": 10_000 + number}
            with tempfile.TemporaryDirectory() as store:
                command = [sys.executable, __file__, "--one", json.dumps(point)]
                done = subprocess.run(
                    command,
                    env={**os.environ, "LEXURN_RUNS": store},
                    stdout=subprocess.PIPE,
                    text=True,
                    check=True,
                )
            rows.append(json.loads(done.stdout.splitlines()[-1]))
        median = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
        shares = [row["loop"] / row["get"] for row in rows]
        ratios = [row["get"] / row["plain"] for row in rows]
        print(
            f"{'lexical' if lex else 'normal'} run: process {median['process']:.1f} s, runs.get "
            f"{median['get']:.1f} s, {statistics.median(shares):.0%} of it in steps; plain steps "
            f"{median['plain']:.1f} s, runs.get / plain {statistics.median(ratios):.2f}, "
            f"{median['peak_mb']:.0f} MB, n = {rounds}"
        )


@click.command()
@click.option("--rounds", default=5, help="runs of each kind")
@click.option("--steps", default=1000, help="steps of each run")
@click.option("--one", hidden=True, help="settings of one run, as JSON")
def main(rounds: int, steps: int, one: str | None) -> None:
    if one is None:
        return compare(rounds, {"n_steps": steps})
    flat = json.loads(one)
    print(json.dumps({**time_run(flat), "plain": time_plain(flat)}))


if __name__ == "__main__":
    main()
