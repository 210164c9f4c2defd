"""Where the models of one kind lie over many training urns, in numbers and in sentences.

The sentences follow from intervals over urns and from the intervals of single urns. If there are
too few urns for an interval, they say so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import pandas as pd
from torch import Generator

from lexurn.chapters.analysis.correlation import Correlation, rank_correlation
from lexurn.measures import intervals
from lexurn.measures.intervals import Interval


@dataclass(frozen=True)
class Verdict:
    """Where the models of one kind lie over `n_urns` training urns, and how much exceeds hedging.

    `r` and `beyond_control` (r minus the control's r) are means over the urns for which r is
    determined. The correlations are with the entropy of the urn.
    """

    memorizer: str
    n_urns: int
    r: Interval
    n_nearer_g: int
    n_nearer_memorizer: int
    n_far: int
    beyond_control: Interval
    r_with_entropy: Correlation
    control_with_entropy: Correlation
    beyond_with_entropy: Correlation

    def table_row(self) -> dict[str, Any]:
        """Return the verdict as the row of a table."""
        return {
            "mean r [95 %]": str(self.r),
            "n": self.r.n,
            "nearer G": self.n_nearer_g,
            "nearer M or S": self.n_nearer_memorizer,
            "far from both": self.n_far,
            "r beyond the control [95 %]": str(self.beyond_control),
            "r with entropy": str(self.r_with_entropy),
            "control with entropy": str(self.control_with_entropy),
            "beyond it with entropy": str(self.beyond_with_entropy),
        }

    def __str__(self) -> str:
        name = self.memorizer[0].upper()
        if not self.r.n:
            return f"On none of {self.n_urns} urns can G and {name} be distinguished."
        average = self.r.describe(
            above=f"the models are nearer to {name} than to G",
            below=f"the models are nearer to G than to {name}",
            between=f"the models are not clearly nearer to G or to {name}",
        )
        control = self.beyond_control.describe(
            above=f"They are nearer to {name} than their controls",
            below=f"They are less near to {name} than their controls",
            between="They do not differ clearly from their controls",
        )
        n_undetermined = self.n_urns - self.r.n
        undetermined = f" For {n_undetermined} urns r is undetermined." if n_undetermined else ""
        return (
            f"On average, {average}: r = {self.r}. Of {self.n_urns} models, {self.n_nearer_g} are "
            f"certainly nearer to G and {self.n_nearer_memorizer} certainly nearer to {name}; "
            f"{self.n_far} are further from both than G is from S.{undetermined} Each control is a "
            f"hedging G at the model's distance from G. {control}: the difference of r is "
            f"{self.beyond_control}. The rank correlation with the urn's entropy is "
            f"{self.r_with_entropy} for r, {self.control_with_entropy} for the control's r, and "
            f"{self.beyond_with_entropy} for the difference."
        )


def verdict(standings: pd.DataFrame, *, generator: Generator) -> Verdict:
    """Return the verdict for one model kind; `standings` has one row per training urn."""
    known = standings.dropna(subset="r")
    r, control, entropy = (known[name].to_numpy() for name in ("r", "control", "entropy"))
    no_interval = Interval(nan, nan, nan, 0)
    return Verdict(
        "memorizing" if (standings["kind"] == "normal").all() else "symmetrized",
        len(standings),
        intervals.bootstrap(r, generator=generator) if len(r) else no_interval,
        int((known["r_high"] < 0).sum()),
        int((known["r_low"] > 0).sum()),
        int((standings["nearest"] > 1).sum()),
        intervals.bootstrap(r - control, generator=generator) if len(r) else no_interval,
        rank_correlation(entropy, r, generator=generator),
        rank_correlation(entropy, control, generator=generator),
        rank_correlation(entropy, r - control, generator=generator),
    )


def mean_over_urns(
    table: pd.DataFrame, value: str, *, by: Sequence[str], generator: Generator
) -> pd.DataFrame:
    """Return mean, low, high, n and text of the column `value` for each group, over training urns.

    The 95 % interval resamples urns (`intervals.bootstrap`). Rows without a value are left out.
    """
    rows = []
    for group, values in table.dropna(subset=value).groupby(list(by), sort=False)[value]:
        interval = intervals.bootstrap(values.tolist(), generator=generator)
        rows.append(
            (*group, interval.value, interval.low, interval.high, interval.n, str(interval))
        )
    return pd.DataFrame(rows, columns=[*by, "mean", "low", "high", "n", "text"])
