"""In numbers and words: where the models of one kind stand over many training urns, and how sure that is.

The words come from intervals over urns and from those of the urns; where there are too few for one, they say so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from torch import Generator

from lexurn.measures import intervals
from lexurn.measures.intervals import Correlation, Interval


@dataclass(frozen=True)
class Verdict:
    """Where the models of one kind stand, over `n_urns` training urns, and how much of that is more than hedging.

    `r` and `beyond` (r less that of the control) are means over the urns where r is determined; the correlations are
    with the entropy of the urn.
    """

    memorizer: str
    n_urns: int
    r: Interval
    n_nearer_g: int
    n_nearer_memorizer: int
    n_far: int
    beyond: Interval
    with_entropy: Correlation
    control_with_entropy: Correlation
    beyond_with_entropy: Correlation

    def line(self) -> dict[str, Any]:
        """For a table."""
        return {
            "mean r [95 %]": str(self.r),
            "n": self.r.n,
            "nearer G": self.n_nearer_g,
            "nearer M or S": self.n_nearer_memorizer,
            "far from both": self.n_far,
            "r beyond the control [95 %]": str(self.beyond),
            "r with entropy": str(self.with_entropy),
            "control with entropy": str(self.control_with_entropy),
            "beyond it with entropy": str(self.beyond_with_entropy),
        }

    def __str__(self) -> str:
        name, unknown = self.memorizer[0].upper(), self.n_urns - self.r.n
        if not self.r.n:
            return f"On none of {self.n_urns} urns can G and {name} be told apart."
        ends = {"above": f"nearer to {name} than to G", "below": f"nearer to G than to {name}"}
        average = self.r.describe(**ends, between="not told from half-way")
        counts = (
            f"{self.n_nearer_g} are nearer to G and {self.n_nearer_memorizer} to {name} for certain"
        )
        far = f"{self.n_far} are further from both than these are from each other"
        rest = f", {unknown} cannot be told" if unknown else ""
        hedging = self.beyond.words(
            above=f"That is nearer to {name} than a hedging G is which is as far from G",
            below=f"That is less near to {name} than a hedging G is which is as far from G",
            between="A hedging G that is as far from G is not told from them",
        )
        return (
            f"On average {average}, r = {self.r}. Of {self.n_urns} urns' models {counts}, {far}{rest}. {hedging} "
            f"(their r is higher by {self.beyond}). Rank correlation with the urn's entropy: of r {self.with_entropy}, "
            f"of the hedging G's r {self.control_with_entropy}, of the difference {self.beyond_with_entropy}."
        )


def verdict(standing: pd.DataFrame, *, generator: Generator) -> Verdict:
    """That of the lines of one kind in `standings`, each a training urn."""
    known = standing.dropna(subset="r")
    r, control, entropy = (
        known["r"].to_numpy(),
        known["control"].to_numpy(),
        known["entropy"].to_numpy(),
    )
    nothing = Interval(float("nan"), float("nan"), float("nan"), 0)
    return Verdict(
        "memorizing" if (standing["kind"] == "normal").all() else "symmetrized",
        len(standing),
        intervals.bootstrap(r, generator=generator) if len(r) else nothing,
        int((known["r_high"] < 0).sum()),
        int((known["r_low"] > 0).sum()),
        int((standing["nearest"] > 1).sum()),
        intervals.bootstrap(r - control, generator=generator) if len(r) else nothing,
        intervals.rank_correlation(entropy, r, generator=generator),
        intervals.rank_correlation(entropy, control, generator=generator),
        intervals.rank_correlation(entropy, r - control, generator=generator),
    )


def over_urns(
    table: pd.DataFrame, value: str, *, by: Sequence[str], generator: Generator
) -> pd.DataFrame:
    """The mean of a column over training urns, a line for each group, with its 95 % interval: mean, low, high, n, text.

    Urns are resampled (see `intervals.bootstrap`); lines without a value are left out.
    """
    lines = []
    for group, values in table.dropna(subset=value).groupby(list(by), sort=False)[value]:
        found = intervals.bootstrap(values.tolist(), generator=generator)
        mean = {
            "mean": found.value,
            "low": found.low,
            "high": found.high,
            "n": found.n,
            "text": str(found),
        }
        lines.append({**dict(zip(by, group, strict=True)), **mean})
    return pd.DataFrame(lines, columns=[*by, "mean", "low", "high", "n", "text"])
