"""A generator that draws a single string.

A sampler of balanced brackets that opens and closes at once, and never opens twice, can only emit
one string, `[]`, however often it is asked. A count of distinct strings shows it.
"""

import pandas as pd

from lexurn.base.seeding import generator
from lexurn.generators.languages import LANGUAGES


def open_and_close(n: int) -> list[str]:
    """Return `n` strings of a sampler that closes every bracket as soon as it is open."""
    return ["[]"] * n


def pairs(n: int, *, max_length: int, seed: int) -> pd.DataFrame:
    """Return a pair: distinct strings among `n`, of that sampler and of ours."""
    language = LANGUAGES["brackets"]
    stream = generator(seed, "brackets")
    ours = language.decode(language.sample(n, max_length=max_length, generator=stream))
    row = {"unit": "brackets", "published": len({*open_and_close(n)}), "corrected": len({*ours})}
    return pd.DataFrame([row])
