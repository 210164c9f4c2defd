"""Padding that is predicted: the loss counts a token that is certain.

After the end of a string, PAD follows with certainty. If the loss averages over it, it is small
where strings are short, whatever the model has learned, and losses of two languages cannot be
compared. Here PAD is in no loss.
"""

import pandas as pd
from jaxtyping import Int64
from torch import Tensor

from lexurn.base.seeding import generator
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import PAD


def pad_share(tokens: Int64[Tensor, "batch time"]) -> float:
    """Return the share of the predicted tokens that are PAD."""
    return (tokens == PAD).double().mean().item()


def pad_shares(max_length: int, n_strings: int, seed: int) -> pd.Series:
    """Return, by language, the share of PAD in padded strings of at most `max_length` letters."""
    shares = {}
    for name in ("baN", "bbaN", "aNbN", "dyck", "aNbNcN", "cs_dyck"):
        stream = generator(seed, "pad", name)
        tokens = LANGUAGES[name].sample(n_strings, max_length=max_length, generator=stream)
        shares[name] = pad_share(tokens)
    return pd.Series(shares)


def pairs(entropies: pd.DataFrame) -> pd.DataFrame:
    """Return pairs per language: the exact law's loss per token, with PAD and without it (nats)."""
    columns = ["language", "original", "position"]
    return entropies[columns].set_axis(["unit", "published", "corrected"], axis=1)
