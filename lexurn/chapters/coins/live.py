"""What the explorable of coins computes with (`coins.js`): the weights of tiny models."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lexurn.chapters.coins.contexts import Weights
from lexurn.figures import explorables

DIGITS = 7
"""Significant digits of the weights in the page."""

LOOKS = ("tails", "heads", "exact", "tiny")


def live_coins(
    models: Mapping[str, tuple[str, Weights]], *, flips: Sequence[int], seed: int
) -> dict[str, Any]:
    """Return the data of the explorable: by a model's name a sentence about it, and its weights."""
    return {
        "looks": explorables.looks({name: name for name in LOOKS}),
        "flips": list(flips),
        "seed": seed,
        "models": [
            {"name": name, "about": about, "weights": weights_in_page(weights)}
            for name, (about, weights) in models.items()
        ],
    }


def weights_in_page(weights: Weights) -> dict[str, Any]:
    """Return weights as lists of rounded numbers; of the read-out, the difference of its rows."""
    parts = {name: part for name, part in weights.items() if name not in ("start", "readout_bias")}
    parts["readout"] = weights["readout"][1] - weights["readout"][0]
    parts["offset"] = weights["readout_bias"][1] - weights["readout_bias"][0]
    return {name: _rounded(np.asarray(part, float)) for name, part in parts.items()}


def _rounded(part: np.ndarray) -> Any:
    return np.vectorize(lambda value: float(f"{value:.{DIGITS}g}"), otypes=[float])(part).tolist()
