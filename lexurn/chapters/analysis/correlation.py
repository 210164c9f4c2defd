"""Rank correlations with the p value of a permutation test."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan

import numpy as np
from scipy import stats
from torch import Generator

from lexurn.base.seeding import numpy_generator
from lexurn.measures.intervals import MIN_UNITS, N_RESAMPLES, Values


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation over `n` units, with the p value of a permutation test.

    Both are NaN with fewer than `MIN_UNITS` units or if all values of one variable are equal.
    """

    value: float
    p: float
    n: int

    @property
    def sign(self) -> int | None:
        """Return the sign if p is below 5 %, else 0; None if the correlation is not defined."""
        return None if isnan(self.p) else int(np.sign(self.value)) * (self.p < 0.05)

    def __str__(self) -> str:
        if isnan(self.p):
            return "not defined"
        return f"{self.value:+.2f} (p = {self.p:.2g}, n = {self.n})"


def rank_correlation(
    first: np.ndarray | Sequence[float],
    second: np.ndarray | Sequence[float],
    *,
    generator: Generator,
) -> Correlation:
    """Return Spearman's correlation with a permutation test, which is exact for few units."""
    x, y = stats.rankdata(first), stats.rankdata(second)
    if len(x) < MIN_UNITS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Correlation(nan, nan, len(x))

    def statistic(x: np.ndarray, axis: int) -> Values:
        return ((x - x.mean(axis, keepdims=True)) * (y - y.mean())).sum(axis)

    result = stats.permutation_test(
        (x,),
        statistic,
        permutation_type="pairings",
        vectorized=True,
        n_resamples=N_RESAMPLES,
        rng=numpy_generator(generator),
    )
    return Correlation(float(np.corrcoef(x, y)[0, 1]), float(result.pvalue), len(x))
