"""What Weights & Biases costs a training step, run by hand: `python tests/benchmarks/tracking.py [--rounds 2]`.

Two equal trainings go on in turn, a block of steps each: one with `tracker=wandb` (offline), one with files alone. A
block begins just before the metrics of an evaluation are told, so that recording them falls into it, and ends with
the next evaluation. The standard error is that over pairs of blocks. The processor's time is that of this process: on
a busy machine it tells more than the clock, but leaves out what the recording process takes on another core. What it
takes to begin and to finish recording is reported apart.
"""

import os
import statistics
import tempfile
import threading
import time

import click
import torch

from lexurn import runs
from lexurn.runs import recording
from lexurn.runs.tracking import Tracker
from lexurn.runs.tracking.weights_and_biases import Wandb

FLAT = {"n_steps": 2500, "eval_every": 50}


class InTurn(Tracker):
    """One of two trainings: at an evaluation it lets the other go on, and times its own blocks."""

    def __init__(self, start: threading.Barrier, mine: threading.Event, other: threading.Event):
        self.start, self.mine, self.other = start, mine, other
        self.blocks: list[tuple[float, float]] = []

    def log(self, metrics, step):
        if step == 0:
            self.start.wait(60)  # for the other training, and for recording to begin
        else:
            self.blocks.append(
                tuple(now - then for now, then in zip(self.now(), self.began, strict=True))
            )
            self.other.set()
        self.mine.wait()
        self.mine.clear()
        self.began = self.now()

    def finish(self):
        self.other.set()

    def now(self) -> tuple[float, float]:
        return time.perf_counter(), time.process_time()


class TimedWandb(Tracker):
    """`Wandb` that knows how long it takes to begin and to finish, and begins before training does."""

    def __init__(self, *arguments, config, key):
        began = time.perf_counter()
        self.wandb = Wandb(*arguments, config=config, key=key)
        while self.wandb.at is None and self.wandb.thread.is_alive():
            time.sleep(0.01)
        print(
            f"to begin recording: {time.perf_counter() - began:.2f} s (in a training nothing waits for it)"
        )
        self.log, self.log_table, self.log_weights = (
            self.wandb.log,
            self.wandb.log_table,
            self.wandb.log_weights,
        )

    def finish(self):
        began = time.perf_counter()
        self.wandb.finish()
        print(f"to finish: {time.perf_counter() - began:.2f} s")


def two_trainings(*, seed: int) -> dict[str, list[tuple[float, float]]]:
    """The blocks of both, seconds by the clock and of the processor each."""
    turns = threading.Event(), threading.Event()
    turns[seed % 2].set()
    start = threading.Barrier(2)
    trackers = {"wandb": InTurn(start, *turns), "files": InTurn(start, *reversed(turns))}
    threads = []
    for i, (name, tracker) in enumerate(trackers.items()):
        flat = FLAT | {
            "tracker": name,
            "seed": 2 * seed + i,
        }  # seeds apart: a run is trained by one at a time
        threads.append(threading.Thread(target=runs.get, args=(flat,), kwargs={"tracker": tracker}))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {name: of.blocks for name, of in trackers.items()}


def mean_and_error(values: list[float]) -> str:
    return f"{statistics.mean(values):.4f} ± {statistics.stdev(values) / len(values) ** 0.5:.4f}"


def compare(rounds: int) -> None:
    os.environ["WANDB_MODE"] = "offline"
    recording.Wandb = TimedWandb
    blocks: dict[str, list[tuple[float, float]]] = {"wandb": [], "files": []}
    with tempfile.TemporaryDirectory() as store:
        os.environ["LEXURN_RUNS"] = store
        for i in range(rounds):
            for name, seconds in two_trainings(seed=i).items():
                blocks[name] += seconds
    for i, what in enumerate(("by the clock", "of the processor")):
        on, off = ([1e3 * each[i] / FLAT["eval_every"] for each in blocks[name]] for name in blocks)
        ratios = [first / second for first, second in zip(on, off, strict=True)]
        print(
            f"{what}: wandb {mean_and_error(on)}, files {mean_and_error(off)} ms a step, evaluations included; "
            f"wandb / files {mean_and_error(ratios)}, median {statistics.median(ratios):.4f}, n = {len(ratios)} pairs "
            f"of {FLAT['eval_every']} steps"
        )


@click.command()
@click.option("--threads", default=1, help="CPU threads")
@click.option("--rounds", default=2, help="pairs of trainings")
def main(threads: int, rounds: int) -> None:
    torch.set_num_threads(threads)
    print(f"torch {torch.__version__}, {threads} thread(s)")
    compare(rounds)


if __name__ == "__main__":
    main()
