"""How large is the effect of a defect? Pairs of numbers, with and without it, and their intervals.

A table of pairs has one row per unit (an urn, a seed, a set of sequences, a language), and the
columns `PAIRS`: the unit, the number as published and the number as corrected. Exact numbers are a
table of one row. The interval of the change is that of paired differences, so that what the units
have in common does not widen it. Units that are no sample, such as all languages of a source, have
no interval.
"""

from dataclasses import dataclass

import pandas as pd

from lexurn.measures import intervals
from lexurn.measures.intervals import Interval

PAIRS = ("unit", "published", "corrected")
"""The columns of a table of pairs."""


@dataclass(frozen=True)
class Effect:
    """What a defect makes of a number: means over `n` units, and the change by the correction."""

    published: float
    corrected: float
    change: Interval
    what: str
    is_sample: bool = True

    @property
    def n(self) -> int:
        return self.change.n

    def __str__(self) -> str:
        """The two numbers, the interval of the change where there is one, and n."""
        text = f"{self.what}: {_short(self.published)} → {_short(self.corrected)}"
        if self.n == 1:
            return f"{text} (no interval)"
        if not self.is_sample:
            return f"{text} (mean of {self.n}, no interval)"
        has_interval = self.change.low == self.change.low
        spread = self.change.high - self.change.low if has_interval else 0.0
        bounds = f"[{_short(self.change.low)}, {_short(self.change.high)}]"
        return f"{text} ({f'change {bounds}, ' if spread else ''}n = {self.n})"


def effect_of(pairs: pd.DataFrame, what: str, *, is_sample: bool = True) -> Effect:
    """Return the effect of a defect from its table of pairs; `what` names the number.

    With `is_sample=False`, the effect has no interval: its units were not drawn from others.
    """
    if missing := [column for column in PAIRS if column not in pairs]:
        raise ValueError(f"pairs need the columns {', '.join(PAIRS)}, got none named {missing[0]}")
    change = intervals.t_interval((pairs["corrected"] - pairs["published"]).tolist())
    return Effect(pairs["published"].mean(), pairs["corrected"].mean(), change, what, is_sample)


def both_versions(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the means with and without a defect (95 % t): of, value, low, high, n."""
    rows = []
    for column, name in (("published", "as published"), ("corrected", "corrected")):
        mean = intervals.t_interval(pairs[column].tolist())
        rows.append((name, mean.value, mean.low, mean.high, mean.n))
    return pd.DataFrame(rows, columns=["of", "value", "low", "high", "n"])


def _short(number: float) -> str:
    text = f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}"
    return text.replace("-", "−")
