"""How long G, M and S take, run by hand: `python tests/benchmarks/predictors.py [--rounds 5]`.

1. S in compiled loops against its torch form, in turn, at five sizes: CPU seconds of both, and the
   median of their ratios.
2. Growth with the number of colours V, of urns D, of rows C, and of sequences n. Every line has the
   seconds, the ratio to the line above, and what the formula of the cost predicts for that ratio.
   The plain form, with a line of Python for every row, urn and relabeling, is measured in the same
   run on one row and at most 1000 relabelings, and extrapolated.
"""

import itertools
import math
import statistics
import time
from collections.abc import Callable, Iterable

import click
import torch

from lexurn.base.seeding import generator
from lexurn.base.shapes import Predictor, Tokens
from lexurn.base.threads import set_threads
from lexurn.generators.urns import Urns
from lexurn.predictors import Generalizing, Memorizing, Symmetrized, compiled, symmetrized

PAIRS = [(6, 4, 64, 500), (8, 1, 64, 500), (8, 16, 128, 250), (10, 1, 128, 100), (12, 1, 128, 30)]
"""V, D, C and n of the comparison of both forms of S."""

BASE = {"V": 8, "D": 4, "C": 64, "n": 200}
GROWTH = {
    "V": [5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
    "D": [1, 4, 16, 64],
    "C": [32, 64, 128, 256],
    "n": [50, 100, 200, 400],
}
SMALLER = {("S", "V"): {"D": 1, "C": 32, "n": 16}}  # what replaces BASE while V grows

PREDICTORS: dict[str, Callable[..., Predictor]] = {
    "G": lambda pool: Generalizing(pool.shape[1]),
    "M": Memorizing,
    "S": Symmetrized,
}
COSTS: dict[str, Callable[..., float]] = {
    "G": lambda V, D, C, n: n * C * V,
    "M": lambda V, D, C, n: n * C * V * D,
    "S": lambda V, D, C, n: n * C * D * V * 2**V,
}


def draw(V: int, D: int, C: int, n: int) -> tuple[torch.Tensor, Tokens]:
    """Return a pool of D urns, and n sequences of fresh urns."""
    pool = Urns(V).sample_tasks(D, generator=generator(0, "pool"))
    return pool, Urns(V).out_of_distribution(n, C, generator=generator(0, "tokens"))


def cpu_seconds(function: Callable[..., object], *args: object) -> float:
    began = time.process_time()
    function(*args)
    return time.process_time() - began


def compare_forms(sizes: Iterable[tuple[int, int, int, int]], rounds: int) -> None:
    for V, D, C, n in sizes:
        pool, tokens = draw(V, D, C, n)
        in_torch, in_loops = symmetrized.Symmetrized(pool), Symmetrized(pool)
        gap = (in_torch(tokens) - in_loops(tokens)).abs().max().item()
        pairs = [
            (cpu_seconds(in_torch, tokens), cpu_seconds(in_loops, tokens)) for _ in range(rounds)
        ]
        ratios = [slow / fast for slow, fast in pairs]
        slow, fast = map(statistics.median, zip(*pairs, strict=True))
        print(
            f"S, V {V}, D {D}, {n} × {C}: torch {slow:.3f} s, loops {fast:.3f} s, "
            f"{statistics.median(ratios):.1f}× ({min(ratios):.1f} … {max(ratios):.1f}, "
            f"n = {rounds}); largest difference {gap:.0e}"
        )


def plain_seconds(name: str, V: int, D: int, C: int, n: int) -> float:
    """Return the seconds of the plain form, extrapolated from one row and a few relabelings."""
    pool = draw(V, D, 1, 1)[0].tolist()
    row, shown = list(range(V)), min(math.factorial(V), 1000)
    orders = list(itertools.islice(itertools.permutations(row), shown)) if name == "S" else [row]

    def predict_row() -> None:
        if name == "G":
            [(count + 1) / (sum(row) + V) for count in row]
        for urn in pool if name != "G" else []:
            for order in orders:
                math.prod(urn[k] ** count for k, count in zip(order, row, strict=True))

    scale = math.factorial(V) / shown if name == "S" else 1.0
    rounds = 1 if name == "S" else 20
    return cpu_seconds(lambda: [predict_row() for _ in range(rounds)]) / rounds * scale * C * n


def show_growth(growth: dict[str, list[int]], rounds: int) -> None:
    for name, (size, values) in itertools.product(PREDICTORS, growth.items()):
        before = None
        for value in values:
            sizes = BASE | SMALLER.get((name, size), {}) | {size: value}
            pool, tokens = draw(**sizes)
            predictor = PREDICTORS[name](pool)
            predictor(tokens)
            seconds = statistics.median(cpu_seconds(predictor, tokens) for _ in range(rounds))
            cost = COSTS[name](**sizes)
            line = f"{name}, {', '.join(f'{key} {sizes[key]}' for key in sizes)}: {seconds:.4f} s"
            if before:
                line += f", {seconds / before[0]:.2f}× for a cost of {cost / before[1]:.2f}×"
            print(f"{line}; plain {plain_seconds(name, **sizes) / seconds:.2g}×")
            before = seconds, cost


@click.command()
@click.option("--threads", default=1, help="CPU threads")
@click.option("--rounds", default=5, help="measurements of every size")
def main(threads: int, rounds: int) -> None:
    set_threads(threads)
    compiled.MIN_SECONDS = 0  # loops at every size, so that their growth is seen
    compare_forms(PAIRS, rounds)
    show_growth(GROWTH, rounds)


if __name__ == "__main__":
    main()
