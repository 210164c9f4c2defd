"""The worked example: what G, M and S expect after five balls, to be followed with a pencil."""

from collections.abc import Mapping
from itertools import permutations

import pandas as pd
import torch

from lexurn.base.shapes import Pool, Predictor, Tokens
from lexurn.predictors import SequenceMixture
from lexurn.predictors.combining import log_evidence

COLORS = ("red", "blue", "green")


def renamings(urn: Pool, counts: Mapping[int, int], color: int) -> pd.DataFrame:
    """Return how S expects a colour: one row per renaming of an urn of three colours, and the sum.

    Columns: urn, likelihood (of the balls that were counted), weight (the posterior probability of
    the renaming), share (of the colour) and product (weight · share).
    """
    rows = []
    for shares in permutations(urn[0].tolist()):
        likelihood = 1.0
        for number, count in counts.items():
            likelihood *= shares[number] ** count
        text = ", ".join(
            f"{100 * share:.0f} % {name}" for share, name in zip(shares, COLORS, strict=True)
        )
        rows.append({"urn": text, "likelihood": likelihood, "share": shares[color]})
    table = pd.DataFrame(rows)
    table["weight"] = table["likelihood"] / table["likelihood"].sum()
    table["product"] = table["weight"] * table["share"]
    return table


def with_doubt(references: Mapping[str, Predictor], epsilon: float) -> SequenceMixture:
    """Return B_ε of S and G."""
    return SequenceMixture(
        [references["symmetrized"], references["generalizing"]], [1 - epsilon, epsilon]
    )


def probability_of_fresh_urn(
    references: Mapping[str, Predictor], epsilon: float, tokens: Tokens
) -> torch.Tensor:
    """Return how sure B_ε is, before each row, that the urn is a fresh one: (batch, time)."""
    parts = [references[name] for name in ("symmetrized", "generalizing")]
    evidence = torch.stack([log_evidence(part(tokens), tokens) for part in parts])
    prior = torch.tensor([1 - epsilon, epsilon], dtype=torch.float64).log()[:, None, None]
    return (prior + evidence).softmax(0)[1]


def ratio_of_means(first: Mapping[str, float], second: Mapping[str, float]) -> tuple[float, float]:
    """Return the ratio of two independent means and its standard error, to first order.

    Each argument holds a `mean` and its standard error `sem`.
    """
    ratio = first["mean"] / second["mean"]
    relative = ((first["sem"] / first["mean"]) ** 2 + (second["sem"] / second["mean"]) ** 2) ** 0.5
    return ratio, ratio * relative
