"""A relative distance that is cut off at −1 and 1.

Symmetrized KL is no metric, so that r = (d(h, G) − d(h, M)) / d(G, M) leaves [−1, 1] easily:
d(h, M) can be larger than d(h, G) and d(G, M) together. Cut off at the ends, such a predictor looks
as if it were at an end. S, which has memorized all but the names of the colours, is one of them.
"""

import pandas as pd
import torch

from lexurn.base.seeding import generator
from lexurn.base.shapes import Predictor
from lexurn.generators.urns import Urns
from lexurn.measures import comparison
from lexurn.predictors import Generalizing, Memorizing, Symmetrized


def clamp(relative: float) -> float:
    """Return a relative distance cut off at −1 and 1."""
    return max(-1.0, min(1.0, relative))


def relative_distance(
    predictor: Predictor, generalizing: Predictor, memorizing: Predictor, tokens: torch.Tensor
) -> float:
    """Return r between two predictors, each distance averaged over rows 1 … C and sequences."""

    def distance(first: Predictor, second: Predictor) -> float:
        by_row = comparison.distance(first, second, tokens)
        return comparison.mean_over_rows(by_row).mean().item()

    difference = distance(predictor, generalizing) - distance(predictor, memorizing)
    return difference / distance(generalizing, memorizing)


def of_symmetrized(n_urns: int, context_length: int, seed: int) -> pd.DataFrame:
    """Return pairs per training urn for S on fresh urns: r as it is cut off, and as it is."""
    rows = []
    for number in range(n_urns):
        stream = generator(seed, "clamping", number)
        pool = Urns(4).sample_tasks(1, generator=stream)
        tokens = Urns(4).out_of_distribution(200, context_length + 1, generator=stream)
        ends = Generalizing(4), Memorizing(pool)
        relative = relative_distance(Symmetrized(pool), *ends, tokens)
        rows.append((number, clamp(relative), relative))
    return pd.DataFrame(rows, columns=["unit", "published", "corrected"])


def sorted_curves(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return both versions by the rank of the urn: urn, who, relative_distance."""
    ordered = pairs.sort_values("corrected").reset_index(drop=True)
    parts = [
        pd.DataFrame({"urn": range(1, len(ordered) + 1), "who": who, "relative_distance": values})
        for who, values in (
            ("cut off, as published", ordered["published"]),
            ("as it is", ordered["corrected"]),
        )
    ]
    return pd.concat(parts, ignore_index=True)
