"""Measure what Weights & Biases costs a training step. Run it by hand.

    python tests/benchmarks/tracking.py [--rounds 2]

Two equal trainings alternate, one block of steps each: one with `tracker=wandb` (offline), one with
files alone. A block starts just before the metrics of an evaluation are logged and ends with the
next evaluation, so it contains the logging. The standard error is taken over pairs of blocks.
Processor time is that of the training process: on a busy machine it is more reliable than the
clock, but it leaves out the process of wandb on another core. The times to start and to finish
recording are reported separately.
"""

import os
import statistics
import tempfile
import threading
import time

import click
import torch

from lexurn import runs
from lexurn.base.wording import counted
from lexurn.runs import recording
from lexurn.runs.tracking import Tracker
from lexurn.runs.tracking.weights_and_biases import Wandb

FLAT = {"n_steps": 2500, "eval_every": 50}


def clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


class Alternating(Tracker):
    """One of two trainings: at an evaluation it lets the other go on; it times its own blocks."""

    def __init__(self, ready: threading.Barrier, own: threading.Event, other: threading.Event):
        self.ready = ready
        self.own_turn = own
        self.other_turn = other
        self.blocks: list[tuple[float, float]] = []

    def log(self, metrics, step):
        if step == 0:
            self.ready.wait(60)  # for the other training
        else:
            pairs = zip(clocks(), self.block_start, strict=True)
            self.blocks.append(tuple(end - start for end, start in pairs))
            self.other_turn.set()
        self.own_turn.wait()
        self.own_turn.clear()
        self.block_start = clocks()

    def finish(self):
        self.other_turn.set()


class TimedWandb(Wandb):
    """Print the seconds that a training waits for the start and for the end of recording."""

    def __init__(self, *arguments, **options):
        start = time.perf_counter()
        super().__init__(*arguments, **options)
        print(f"to start recording: {time.perf_counter() - start:.2f} s")

    def finish(self):
        start = time.perf_counter()
        super().finish()
        print(f"to finish: {time.perf_counter() - start:.2f} s")


def two_trainings(*, seed: int) -> dict[str, list[tuple[float, float]]]:
    """Return the blocks of both trainings, as seconds of the clock and of the processor."""
    turns = threading.Event(), threading.Event()
    turns[seed % 2].set()
    ready = threading.Barrier(2)
    trackers = {
        "wandb": Alternating(ready, *turns),
        "files": Alternating(ready, *reversed(turns)),
    }
    threads = []
    for i, (name, tracker) in enumerate(trackers.items()):
        flat = FLAT | {"tracker": name, "seed": 2 * seed + i}  # two seeds, so two runs
        options = {"tracker": tracker}
        threads.append(threading.Thread(target=runs.get, args=(flat,), kwargs=options))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {name: tracker.blocks for name, tracker in trackers.items()}


def mean_and_error(values: list[float]) -> str:
    return f"{statistics.mean(values):.4f} ± {statistics.stdev(values) / len(values) ** 0.5:.4f}"


def compare(rounds: int) -> None:
    os.environ["WANDB_MODE"] = "offline"
    recording.Wandb = TimedWandb
    blocks: dict[str, list[tuple[float, float]]] = {"wandb": [], "files": []}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as store:
        os.environ["LEXURN_RUNS"] = store
        for i in range(rounds):
            for name, seconds in two_trainings(seed=i).items():
                blocks[name] += seconds
    for i, kind in enumerate(("clock", "processor")):
        with_wandb, with_files = (
            [1e3 * block[i] / FLAT["eval_every"] for block in blocks[name]] for name in blocks
        )
        ratios = [a / b for a, b in zip(with_wandb, with_files, strict=True)]
        print(
            f"{kind}: wandb {mean_and_error(with_wandb)}, files {mean_and_error(with_files)} "
            f"ms per step, evaluations included; wandb / files {mean_and_error(ratios)}, "
            f"median {statistics.median(ratios):.4f}, n = {len(ratios)} pairs of "
            f"{FLAT['eval_every']} steps"
        )


@click.command()
@click.option("--threads", default=1, help="CPU threads")
@click.option("--rounds", default=2, help="pairs of trainings")
def main(threads: int, rounds: int) -> None:
    torch.set_num_threads(threads)
    print(f"torch {torch.__version__}, {counted(threads, 'thread')}")
    compare(rounds)


if __name__ == "__main__":
    main()
