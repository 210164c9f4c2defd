"""A tiny model on every context there is: all sequences of up to 20 flips, and their probabilities.

With one head, the numerator and the denominator of its attention are sums over flips. Both double
with every flip that may be tails or heads, so all 2^N sequences of N flips cost 2^N additions for
each last flip. The others of the model's numbers are read off one by one.

Sequences are weighted by their probability under the uniform prior, H! (N − H)! / (N + 1)!.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from lexurn.chapters.coins import tiny
from lexurn.models import LanguageModel
from lexurn.settings import Settings

Array = np.ndarray
Weights = Mapping[str, Array]
"""The weights of a tiny model by part (`tiny_loops.PARTS`), in double precision."""


@dataclass(frozen=True)
class Row:
    """All contexts of `n` flips: heads, last flip, probability, and what a model makes of them.

    `z` (context d_head) is the head's output, `log_odds` those of heads that the model says.
    """

    n: int
    heads: Array
    last: Array
    probability: Array
    z: Array
    log_odds: Array

    @property
    def exact(self) -> Array:
        """Return the log odds of Laplace's rule."""
        return np.log((self.heads + 1) / (self.n - self.heads + 1))


def read_weights(model: LanguageModel, settings: Settings) -> dict[str, Array]:
    """Return the weights of a tiny model by part."""
    vector = tiny.pack(model, settings).astype(float)
    parts = np.split(vector, tiny.offsets(settings)[1:-1])
    shapes = tiny.shapes(settings)
    return {name: part.reshape(shapes[name]) for name, part in zip(shapes, parts, strict=True)}


def rows(weights: Weights, *, max_flips: int = 0, uniform: bool = False) -> Iterator[Row]:
    """Yield the contexts of 1, 2, … flips, up to `max_flips` (0: as many as there are positions).

    With `uniform`, attention is replaced by the plain mean over the flips.
    """
    embedding, positions = weights["embedding"], weights["positions"]
    qkv, bias = weights["qkv"], weights["qkv_bias"]
    stream = embedding[:, None] + positions[None]  # flip position d_model
    query, key, value = np.split(stream @ qkv.T + bias, 3, axis=-1)
    root = query.shape[-1] ** -0.5
    for n in range(1, (max_flips or len(positions)) + 1):
        heads, last, probability = _counts(n)
        z = np.empty((2**n, value.shape[-1]))
        for flip in (0, 1):
            scores = root * key[:, :n] @ query[flip, n - 1] * (not uniform)  # flip position
            attention = np.exp(scores - scores.max())
            below = attention[..., None] * np.concatenate([value[:, :n], np.ones((2, n, 1))], -1)
            total = np.zeros((1, value.shape[-1] + 1))
            for position in range(n - 1):
                total = np.concatenate([total + below[0, position], total + below[1, position]])
            total = total + below[flip, n - 1]
            z[flip * 2 ** (n - 1) : (flip + 1) * 2 ** (n - 1)] = total[:, :-1] / total[:, -1:]
        mid = residual(weights, last, n, z)
        yield Row(n, heads, last, probability, z, read_out(weights, mid))


@cache
def _counts(n: int) -> tuple[Array, Array, Array]:
    """Return heads, last flip and probability of all 2^n sequences, the last flip slowest."""
    heads = np.zeros(1, int)
    for _ in range(n):
        heads = np.concatenate([heads, heads + 1])
    last = np.repeat([0, 1], 2 ** (n - 1))
    per_order = np.cumprod([1.0, *((h + 1) / (n - h) for h in range(n))]) / (n + 1)
    return heads, last, per_order[heads]


def residual(weights: Weights, last: Array, n: int | Array, z: Array) -> Array:
    """Return the stream before the MLP (context d_model)."""
    seen = weights["embedding"][last] + weights["positions"][np.asarray(n) - 1]
    return seen + z @ weights["out"].T + weights["out_bias"]


def mlp(weights: Weights, mid: Array) -> Array:
    """Return what the MLP adds to the stream (context d_model)."""
    hidden = np.maximum(mid @ weights["up"] + weights["up_bias"], 0)
    return hidden @ weights["down"].T + weights["down_bias"]


def read_out(weights: Weights, mid: Array) -> Array:
    """Return the log odds of heads from the stream before the MLP."""
    direction = weights["readout"][1] - weights["readout"][0]
    offset = weights["readout_bias"][1] - weights["readout_bias"][0]
    return (mid + mlp(weights, mid)) @ direction + offset


def kl_from_exact(row: Row) -> Array:
    """Return KL(Laplace's rule ‖ model) in nats, context by context."""
    p = (row.heads + 1) / (row.n + 2)
    log_heads, log_tails = -np.logaddexp(0, -row.log_odds), -np.logaddexp(0, row.log_odds)
    return p * (np.log(p) - log_heads) + (1 - p) * (np.log1p(-p) - log_tails)


def context_table(weights: Weights, *, max_flips: int = 0, uniform: bool = False) -> pd.DataFrame:
    """Return one row per number of flips, number of heads and last flip: means over all orders.

    Columns: n, heads, last, probability (adds up to 1 for each n), z (of the first dimension of the
    head), log_odds, order (the standard deviation of the log odds over the orders), kl (nats, of
    the model from Laplace's rule), exact (its log odds). With `uniform`, attention is a plain mean.
    """
    tables = []
    for row in rows(weights, max_flips=max_flips, uniform=uniform):
        context, place = np.unique(2 * row.heads + row.last, return_inverse=True)
        n_orders = np.bincount(place)
        columns = {"z": row.z[:, 0], "log_odds": row.log_odds}
        columns |= {"kl": kl_from_exact(row), "exact": row.exact}
        means = {name: np.bincount(place, values) / n_orders for name, values in columns.items()}
        apart = row.log_odds - means["log_odds"][place]
        heads, last = np.divmod(context, 2)
        means |= {"n": row.n, "heads": heads, "last": last}
        means["probability"] = np.bincount(place, row.probability)
        means["order"] = np.sqrt(np.bincount(place, apart**2) / n_orders)
        tables.append(pd.DataFrame(means))
    return pd.concat(tables, ignore_index=True)


def mean_kl(table: pd.DataFrame) -> float:
    """Return the mean of `kl` over contexts and numbers of flips: the excess loss, nats a flip."""
    return float((table["kl"] * table["probability"]).sum() / table["n"].nunique())
