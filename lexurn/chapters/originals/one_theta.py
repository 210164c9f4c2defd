"""One coin for all sequences of a batch.

Every sequence alone is drawn as it should be, so the expected gradient and the optimum are right.
But the sequences of a batch are not independent: the gradient of a batch is about as noisy as that
of a few sequences. The predictor here adds a and b to the counts of heads and tails, so that its
optimum, a = b = 1, is known exactly.
"""

from functools import partial
from math import log

import pandas as pd
import torch
from jaxtyping import Float64
from torch import Generator, Tensor

from lexurn.base.seeding import generator

VERSIONS = ("one coin for a batch, as published", "one coin for a sequence")

START = log(4)

Flips = Float64[Tensor, "seeds batch time"]


def draw_flips(
    version: str, n_seeds: int, batch_size: int, length: int, *, generator: Generator
) -> Flips:
    """Draw batches of flips (1.0 is heads) with one θ ~ Uniform(0, 1) per batch or per sequence."""
    n_coins = 1 if version == VERSIONS[0] else batch_size
    theta = torch.rand(n_seeds, n_coins, 1, generator=generator, dtype=torch.float64)
    uniform = torch.rand(n_seeds, batch_size, length, generator=generator, dtype=torch.float64)
    return (uniform < theta).double()


def losses(log_added: Float64[Tensor, "seeds 2"], flips: Flips) -> Float64[Tensor, "seeds batch"]:
    """Return the loss per flip (nats) of each sequence with exp(log_added) added to both counts."""
    heads = flips.cumsum(-1) - flips  # before each flip
    n = torch.arange(flips.shape[-1], dtype=torch.float64)
    added = log_added.exp()[:, None, None]  # seeds 1 1 2
    p = (heads + added[..., 0]) / (n + added.sum(-1))
    return -torch.where(flips > 0, p, 1 - p).log().mean(-1)


def effective_sizes(
    batch_sizes: list[int], *, n_batches: int, length: int, seed: int
) -> pd.DataFrame:
    """Return how many independent sequences a batch of one coin is worth: batch_size, value, low,
    high.

    It is the batch size times the ratio of the variances of the batch's gradient by the log of the
    added counts, at the optimum: independent over dependent. The interval is a jackknife over ten
    groups of batches.
    """
    rows = []
    for batch_size in batch_sizes:
        squared = {}
        for version in VERSIONS:
            stream = generator(seed, "one theta", version, batch_size)
            flips = draw_flips(version, n_batches, batch_size, length, generator=stream)
            log_added = torch.zeros(n_batches, 2, dtype=torch.float64, requires_grad=True)
            loss = losses(log_added, flips).mean(-1).sum()
            squared[version] = torch.autograd.grad(loss, log_added)[0].square().sum(-1)
        value, low, high = _ratio_interval(squared[VERSIONS[1]], squared[VERSIONS[0]])
        rows.append((batch_size, batch_size * value, batch_size * low, batch_size * high))
    return pd.DataFrame(rows, columns=["batch_size", "value", "low", "high"])


def _ratio_interval(above: Tensor, below: Tensor, n_groups: int = 10) -> tuple[float, float, float]:
    groups = torch.arange(len(above)) % n_groups
    parts = [
        (above[groups != g].mean() / below[groups != g].mean()).item() for g in range(n_groups)
    ]
    value = (above.mean() / below.mean()).item()
    error = (n_groups - 1) ** 0.5 * torch.tensor(parts).std(correction=0).item()
    return value, value - 2.26 * error, value + 2.26 * error  # t with nine degrees of freedom


def train(
    n_seeds: int, *, n_steps: int, batch_size: int, length: int, rate: float, seed: int
) -> pd.DataFrame:
    """Train the added counts from 4 by SGD on both kinds of batches: version, step, excess, unit.

    `excess` is the expected loss beyond Laplace's rule, nats per flip, on the same 4000 sequences.
    """
    test = partial(draw_flips, VERSIONS[1], 1, 4000, length)(generator=generator(seed, "test"))
    best = losses(torch.zeros(1, 2, dtype=torch.float64), test).mean()
    rows = []
    for version in VERSIONS:
        stream = generator(seed, "training", version)
        log_added = torch.full((n_seeds, 2), START, dtype=torch.float64, requires_grad=True)
        for step in range(1, n_steps + 1):
            flips = draw_flips(version, n_seeds, batch_size, length, generator=stream)
            gradient = torch.autograd.grad(losses(log_added, flips).mean(-1).sum(), log_added)[0]
            with torch.no_grad():
                log_added -= rate * gradient
            if step % max(n_steps // 10, 1) == 0:
                with torch.no_grad():
                    excess = losses(log_added, test.expand(n_seeds, -1, -1)).mean(-1) - best
                rows += [(version, step, value, unit) for unit, value in enumerate(excess.tolist())]
    return pd.DataFrame(rows, columns=["version", "step", "excess", "unit"])
