"""What Weights & Biases costs a training step, run by hand: `python tests/benchmarks/tracking.py [--rounds 10]`.

Equal trainings in turn, with `tracker=wandb` (offline) and with files alone, the order changing from pair to pair. A
training is timed from its first evaluation, once recording has begun, to its last; what it takes to begin and to finish
recording is reported apart. The standard error is that over pairs. The processor's time is that of the training's own
process: on a busy machine it tells more than the clock, but it leaves out what the recording process takes elsewhere.
"""

import os
import statistics
import tempfile
import time

import click
import torch

from lexurn import runs
from lexurn.tracking import Tracker
from lexurn.tracking.weights_and_biases import Wandb

FLAT = {"n_steps": 300, "eval_every": 50}


class Clock(Tracker):
    """Clock and processor's time after each evaluation, not counting what it takes recording to begin."""

    def __init__(self, made: list["TimedWandb"]):
        self.made, self.times = made, []

    def log(self, metrics, step):
        if step == 0:
            for wandb in self.made:
                wandb.wait()
        self.times.append((time.perf_counter(), time.process_time()))

    def spent(self) -> tuple[float, float]:
        return tuple(last - first for first, last in zip(self.times[0], self.times[-1], strict=True))


class TimedWandb:
    """`Wandb` that knows how long it took to begin and to finish."""

    def __init__(self, *arguments, config, key):
        self.made = time.perf_counter()
        self.wandb = Wandb(*arguments, config=config, key=key)
        self.log, self.log_table, self.log_weights = self.wandb.log, self.wandb.log_table, self.wandb.log_weights

    def wait(self):
        while self.wandb.at is None and self.wandb.thread.is_alive():
            time.sleep(0.01)
        self.to_begin = time.perf_counter() - self.made

    def finish(self):
        began = time.perf_counter()
        self.wandb.finish()
        self.to_finish = time.perf_counter() - began


def one_training(tracker: str) -> tuple[tuple[float, float], list[TimedWandb]]:
    """Seconds from the first to the last evaluation, by the clock and of the processor, in a store of its own."""
    made: list[TimedWandb] = []
    runs.Wandb = lambda *arguments, **keywords: made.append(TimedWandb(*arguments, **keywords)) or made[-1]
    clock = Clock(made)
    with tempfile.TemporaryDirectory() as store:
        os.environ["LEXURN_RUNS"] = store
        runs.get(FLAT | {"tracker": tracker}, tracker=clock)
    return clock.spent(), made


def mean_and_error(values: list[float]) -> str:
    return f"{statistics.mean(values):.4f} ± {statistics.stdev(values) / len(values) ** 0.5:.4f}"


def compare(rounds: int) -> None:
    os.environ["WANDB_MODE"] = "offline"
    seconds: dict[str, list[tuple[float, float]]] = {"files": [], "wandb": []}
    recorders: list[TimedWandb] = []
    one_training("files")  # slower than those to come
    for i in range(rounds):
        for tracker in ("files", "wandb") if i % 2 else ("wandb", "files"):
            spent, made = one_training(tracker)
            seconds[tracker].append(spent)
            recorders += made
    n_steps = FLAT["n_steps"]
    for i, what in enumerate(("by the clock", "of the processor")):
        on, off = ([each[i] for each in seconds[tracker]] for tracker in ("wandb", "files"))
        per_step = [mean_and_error([1e3 * of / n_steps for of in spent]) for spent in (on, off)]
        ratios = [first / second for first, second in zip(on, off, strict=True)]
        print(
            f"{what}: wandb {per_step[0]}, files {per_step[1]} ms a step, {rounds * n_steps} steps each, evaluations "
            f"included; wandb / files {mean_and_error(ratios)} (median {statistics.median(ratios):.4f}, n = {rounds})"
        )
    print(f"to begin recording: {mean_and_error([each.to_begin for each in recorders])} s, beside the training")
    print(f"to finish: {mean_and_error([each.to_finish for each in recorders])} s")


@click.command()
@click.option("--threads", default=1, help="CPU threads")
@click.option("--rounds", default=10, help="pairs of trainings")
def main(threads: int, rounds: int) -> None:
    torch.set_num_threads(threads)
    print(f"torch {torch.__version__}, {threads} thread(s), evaluations every {FLAT['eval_every']} steps")
    compare(rounds)


if __name__ == "__main__":
    main()
