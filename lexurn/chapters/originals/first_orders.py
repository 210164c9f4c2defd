"""Invariance to order, shown on the first orders of a list.

There are C(n, k) sequences of n flips with k heads. In lexicographic order of the places of heads,
the first 1000 agree in their first flips: for ten heads of 20, in the first six. A predictor that
looks at nothing but the beginning passes such a test.
"""

import itertools

import pandas as pd
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from lexurn.base.shapes import LogProbs, Predictor, Tokens

VERSIONS = ("the first 1000 orders, as published", "1000 random orders")


def orders(version: str, n: int, n_heads: int, n_orders: int, *, generator: Generator) -> Tokens:
    """Return sequences of `n` flips with `n_heads` heads, and one more flip that is not seen."""
    tokens = torch.zeros(n_orders, n + 1, dtype=torch.int64)
    if version == VERSIONS[0]:
        first = itertools.islice(itertools.combinations(range(n), n_heads), n_orders)
        places = torch.tensor(list(first))
    else:
        places = torch.rand(n_orders, n, generator=generator).argsort(-1)[:, :n_heads]
    return tokens[: len(places)].scatter(1, places, 1)


def heads_by_place(n: int, n_heads: int, n_orders: int, *, generator: Generator) -> pd.DataFrame:
    """Return the share of heads at every place of the tested sequences: who, place, heads."""
    tables = []
    for version in VERSIONS:
        tokens = orders(version, n, n_heads, n_orders, generator=generator)[:, :-1]
        shares = tokens.double().mean(0).tolist()
        tables.append(pd.DataFrame({"who": version, "place": range(1, n + 1), "heads": shares}))
    return pd.concat(tables, ignore_index=True)


class FirstFlips:
    """A predictor that counts the first `n_seen` flips and ignores all later ones."""

    def __init__(self, n_seen: int):
        self.n_seen = n_seen

    def __call__(self, tokens: Tokens) -> LogProbs:
        """Return log-probabilities (batch time 2); row t has seen tokens[:, :t]."""
        counted = tokens.double().clone()
        counted[:, self.n_seen :] = 0
        heads = counted.cumsum(1) - counted
        n = torch.arange(tokens.shape[1]).clamp(max=self.n_seen).double()
        p = (heads + 1) / (n + 2)
        return torch.stack([1 - p, p], -1).log()


def spread(predictor: Predictor, tokens: Tokens) -> Float[Tensor, ""]:
    """Return the standard deviation of P(heads) at the last row over sequences of equal counts."""
    return predictor(tokens)[:, -1, 1].exp().double().std()


def pairs(
    predictors: dict[str, Predictor], n: int, n_heads: int, n_orders: int, *, generator: Generator
) -> pd.DataFrame:
    """Return pairs per predictor: the spread over the first orders, and over random ones."""
    rows = []
    for name, predictor in predictors.items():
        values = [
            spread(predictor, orders(version, n, n_heads, n_orders, generator=generator)).item()
            for version in VERSIONS
        ]
        rows.append((name, *values))
    return pd.DataFrame(rows, columns=["unit", "published", "corrected"])
