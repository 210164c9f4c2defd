"""A number that is called KL, and is the loss minus one constant for all languages.

The published "KL" of a validation batch is its loss minus ln(n) / n, where n is half of the longest
string. The entropy of a^n b^n is ln(n) nats per string; per predicted token of a padded string it
is ln(n) / (2n + 1). So the constant is about twice the entropy of a^n b^n, and it is not the
entropy of any other language. Even the exact law, whose divergence is 0, gets other numbers.
"""

from math import log

import pandas as pd


def published_kl(loss: float, max_length: int) -> float:
    """Return the published number for a loss per token of padded strings, in nats."""
    half = max_length // 2
    return loss - log(half) / half


def of_exact_law(entropies: pd.DataFrame) -> pd.DataFrame:
    """Return pairs per language for its exact law, whose KL is 0: unit, published, corrected.

    `entropies` is `rules.languages.entropies`, whose column `original` is the loss of the exact law
    in the published convention: per row of a padded string.
    """
    values = [
        published_kl(loss, length)
        for loss, length in zip(entropies["original"], entropies["max_length"], strict=True)
    ]
    return pd.DataFrame({"unit": entropies["language"], "published": values, "corrected": 0.0})


def size_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return pairs of sizes without their signs, which differ from language to language."""
    return pairs.assign(published=pairs["published"].abs())
