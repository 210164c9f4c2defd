"""How sure a number is: standard errors and bootstrap intervals, over what was drawn independently.

That is sequences (each with an urn of its own out of distribution), or whole runs (each with a pool and a seed of its
own); never positions within a sequence.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor, inf, isnan, log10, nan

import numpy as np
import pandas as pd
from scipy import stats
from torch import Generator, Tensor

from lexurn.base.seeding import numpy_generator

N_RESAMPLES = 4999

FEWEST = 5
"""Units below which resampling says too little for an interval."""

Values = np.ndarray | np.floating


@dataclass(frozen=True)
class Interval:
    """An estimate with the bounds that cover the truth at the stated level, from `n` independent units.

    The bounds, and the standard error (that of the resamples), are NaN where there are fewer than `FEWEST` units.
    """

    value: float
    low: float
    high: float
    n: int
    error: float = nan

    @property
    def side(self) -> int | None:
        """+1 where the interval lies above zero, −1 where below, 0 where it holds zero; None where there is none."""
        return None if isnan(self.low) else int(self.low > 0) - int(self.high < 0)

    def words(self, *, above: str, below: str, between: str) -> str:
        """One of three texts, by where the interval lies; and without an interval, that there are too few."""
        return {1: above, -1: below, 0: between, None: f"with n = {self.n} too few to tell"}[
            self.side
        ]

    def __str__(self) -> str:
        if isnan(self.low):
            return f"{self.value:.3g} [too few for an interval]"
        decimals = _decimals((self.high - self.low) / 4)
        return f"{self.value:.{decimals}f} [{self.low:.{decimals}f}, {self.high:.{decimals}f}]"


def mean(sample: np.ndarray, axis: int) -> Values:
    """The statistic of a plain mean, for `bootstrap`."""
    return sample.mean(axis)


def bootstrap(
    *samples: Tensor | np.ndarray | Sequence[float],
    generator: Generator,
    statistic: Callable[..., Values] = mean,
    level: float = 0.95,
) -> Interval:
    """A bootstrap interval for a statistic of one or more quantities measured on the same units, resampled together.

    `statistic(*samples, axis)` reduces the last axis. Percentiles are widened for few units, so that the mean of normal
    values is covered at the stated level from about five units on: Hesterberg 2015, "What teachers should know about
    the bootstrap" (The American Statistician 69), expanded percentile interval.
    """
    arrays = [np.asarray(sample, dtype=float) for sample in samples]
    n, value = len(arrays[0]), float(statistic(*arrays, axis=-1))
    if n < FEWEST:
        return Interval(value, float("nan"), float("nan"), n)
    tail = stats.norm.cdf((n / (n - 1)) ** 0.5 * stats.t.ppf((1 - level) / 2, n - 1))
    found = stats.bootstrap(
        arrays,
        statistic,
        paired=True,
        vectorized=True,
        method="percentile",
        confidence_level=1 - 2 * tail,
        n_resamples=N_RESAMPLES,
        batch=max(2**22 // n, 1),
        rng=numpy_generator(generator),
    )
    low, high = map(float, found.confidence_interval)
    return Interval(value, low, high, n, float(found.standard_error))


def of_few(values: Sequence[float]) -> Interval:
    """The mean of a few values with its t interval (95 %), for what is about normal, such as fits of single seeds; from
    two values on, of which it makes little."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return Interval(float(values.mean()) if len(values) else nan, nan, nan, len(values))
    error = float(values.std(ddof=1) / len(values) ** 0.5)
    half = float(stats.t.ppf(0.975, len(values) - 1)) * error
    return Interval(
        float(values.mean()),
        float(values.mean()) - half,
        float(values.mean()) + half,
        len(values),
        error,
    )


def side(value: float, error: float, n: int) -> int:
    """On which side of zero the t interval (95 %) of a mean of `n` values with a standard error lies: −1, 1, or 0 where
    it holds zero, or where there are too few."""
    half = float(stats.t.ppf(0.975, n - 1)) * error if n > 1 else inf
    return 0 if not abs(value) > half else int(np.sign(value))


def crossed(values: np.ndarray | Sequence[Sequence[float]]) -> tuple[Interval, float, float]:
    """The mean of `values` (runs units), where every run answers the same units, with its t interval (95 %) over both
    as drawn anew, and the two standard errors that there would be over runs and over units alone.

    The estimates of a two-way layout without replication, in which what a run makes of a unit beyond its own level and
    that of the unit counts once: mean squares of runs and of units less that of the rest. With the fewer of runs and
    units less one as degrees of freedom, as for two-way clusters (Cameron, Gelbach & Miller 2011, "Robust inference
    with multiway clustering", Journal of Business & Economic Statistics 29). NaN from fewer than two of either.
    """
    values = np.asarray(values, dtype=float)
    mean, per_run, per_unit = float(values.mean()), values.mean(1), values.mean(0)
    over_runs, over_units = (
        each.var(ddof=1) / len(each) if len(each) > 1 else nan for each in (per_run, per_unit)
    )
    freedom, error, half = min(values.shape) - 1, nan, nan
    if freedom > 0:
        rest = ((values - per_run[:, None] - per_unit + mean) ** 2).sum()
        shared = rest / ((len(per_run) - 1) * (len(per_unit) - 1)) / values.size
        error = float(max(over_runs, over_units, over_runs + over_units - shared) ** 0.5)
        half = float(stats.t.ppf(0.975, freedom)) * error
    return (
        Interval(mean, mean - half, mean + half, len(per_run), error),
        float(over_runs**0.5),
        float(over_units**0.5),
    )


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation over `n` units, and how often a random order would give one as far from zero (`p`).

    Both are NaN where there are fewer than `FEWEST` units or all are equal.
    """

    value: float
    p: float
    n: int

    @property
    def side(self) -> int | None:
        """The sign where p is below 5 %, else 0; None where nothing can be said."""
        return None if isnan(self.p) else int(np.sign(self.value)) * (self.p < 0.05)

    def __str__(self) -> str:
        return (
            "not defined"
            if isnan(self.p)
            else f"{self.value:+.2f} (p = {self.p:.2g}, n = {self.n})"
        )


def rank_correlation(
    first: np.ndarray | Sequence[float],
    second: np.ndarray | Sequence[float],
    *,
    generator: Generator,
) -> Correlation:
    """Spearman's correlation with the p of a permutation test, exact where there are few enough orders."""
    x, y = stats.rankdata(first), stats.rankdata(second)
    if len(x) < FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Correlation(float("nan"), float("nan"), len(x))

    def statistic(x: np.ndarray, axis: int) -> Values:
        return ((x - x.mean(axis, keepdims=True)) * (y - y.mean())).sum(axis)

    found = stats.permutation_test(
        (x,),
        statistic,
        permutation_type="pairings",
        vectorized=True,
        n_resamples=N_RESAMPLES,
        rng=numpy_generator(generator),
    )
    return Correlation(float(np.corrcoef(x, y)[0, 1]), float(found.pvalue), len(x))


def mean_and_sem(values: Tensor) -> tuple[float, float]:
    """Mean and standard error over the first axis, which must be the only one."""
    n = len(values)
    return values.mean().item(), (values.std() / n**0.5).item() if n > 1 else float("nan")


def is_above_zero(values: Tensor) -> bool:
    """Whether the mean of independent values is told from zero by two standard errors, from at least `FEWEST`."""
    mean, sem = mean_and_sem(values)
    return len(values) >= FEWEST and mean > 2 * sem


def in_words(values: Tensor) -> str:
    return with_error(*mean_and_sem(values))


def with_error(mean: float, sem: float) -> str:
    """`0.0216 ± 0.0006`, to the second digit of the standard error but no coarser than 0.01."""
    if isnan(mean):
        return "undetermined"
    if mean == inf:
        return "infinite"
    if max(abs(mean), sem) < 1e-12:  # rounding alone
        return "0 ± 0"
    if not sem > 1e-9 * abs(
        mean
    ):  # a constant, but for rounding; or a single sequence, whose error is not known
        return f"{mean:.4g} ± {'?' if isnan(sem) else 0}"
    decimals = _decimals(sem)
    return f"{mean:.{decimals}f} ± {sem:.{decimals}f}"


def _decimals(error: float) -> int:
    """As many as show the second digit of an error, at least two."""
    return min(max(1 - floor(log10(error)), 2), 12) if error > 0 else 4


def over_seeds(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Mean and t interval over seeds of `value`, for each combination of `by`: mean, low, high, sem, n (seeds)."""
    lines = []
    for of, mine in table.groupby(by, sort=False):
        found = of_few(mine["value"].dropna().tolist())
        lines.append((*of, found.value, found.low, found.high, found.error, found.n))
    return pd.DataFrame(lines, columns=[*by, "mean", "low", "high", "sem", "n"])
