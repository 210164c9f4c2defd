"""Uncertainty: standard errors, bootstrap intervals and t intervals over independent units.

The independent units are sequences (out of distribution, each sequence has its own urn) or whole
runs (each run has its own pool and seed). Positions within a sequence are never independent units.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan, log, nan

import numpy as np
import pandas as pd
from scipy import special
from torch import Generator, Tensor

from lexurn.base.seeding import numpy_generator
from lexurn.base.wording import decimals_for, format_with_error

N_RESAMPLES = 4999

MIN_FOR_ERROR = 3
"""The smallest number of values that have a standard error."""

MIN_UNITS = 5
"""The smallest number of units from which resampling gives a useful interval."""

Values = np.ndarray | np.floating


@dataclass(frozen=True)
class Interval:
    """An estimate from `n` independent units, with bounds that cover the truth at the stated level.

    `error` is the standard error. The bounds and the error are NaN if there are too few units.
    """

    value: float
    low: float
    high: float
    n: int
    error: float = nan

    @property
    def sign(self) -> int | None:
        """Return +1 if the interval lies above zero, −1 if below, 0 if it contains zero, or None.

        None means that there are too few units for an interval.
        """
        return None if isnan(self.low) else int(self.low > 0) - int(self.high < 0)

    def describe(self, *, above: str, below: str, between: str) -> str:
        """Return the text for the position of the interval relative to zero.

        Without an interval, the text says that there are too few units.
        """
        texts = {1: above, -1: below, 0: between, None: f"with n = {self.n} too few to tell"}
        return texts[self.sign]

    def __str__(self) -> str:
        if isnan(self.low):
            return f"{self.value:.3g} [too few for an interval]"
        decimals = decimals_for((self.high - self.low) / 4)
        return f"{self.value:.{decimals}f} [{self.low:.{decimals}f}, {self.high:.{decimals}f}]"


def bootstrap(
    *samples: Tensor | np.ndarray | Sequence[float],
    generator: Generator,
    statistic: Callable[..., Values] = np.mean,
    level: float = 0.95,
) -> Interval:
    """Return the bootstrap interval of a statistic of quantities measured on the same units.

    All `samples` are resampled together. `statistic(*samples, axis)` reduces the last axis. The
    percentiles are widened for few units, so that the mean of normal values is covered at the
    stated level from about five units on. Source: Hesterberg 2015, "What teachers should know about
    the bootstrap" (The American Statistician 69), expanded percentile interval.
    """
    arrays = [np.asarray(sample, dtype=float) for sample in samples]
    n = len(arrays[0])
    value = float(statistic(*arrays, axis=-1))
    if n < MIN_UNITS:
        return Interval(value, nan, nan, n)
    from scipy import stats  # a third of a second, which most processes do not need

    tail = special.ndtr((n / (n - 1)) ** 0.5 * special.stdtrit(n - 1, (1 - level) / 2))
    result = stats.bootstrap(
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
    low, high = map(float, result.confidence_interval)
    return Interval(value, low, high, n, float(result.standard_error))


def t_interval(values: Sequence[float]) -> Interval:
    """Return the mean of values with its 95 % t interval.

    It suits a few values that are roughly normal, such as fits of single seeds. Fewer than three
    values have no error and no interval (NaN): two say next to nothing about their spread.
    """
    values = np.asarray(values, dtype=float)
    n = len(values)
    error = float(values.std(ddof=1) / n**0.5) if n >= MIN_FOR_ERROR else nan
    return t_interval_of_mean(float(values.mean()) if n else nan, error, n)


def t_interval_of_mean(mean: float, error: float, n: int, *, level: float = 0.95) -> Interval:
    """Return the t interval of a mean of `n` values with this standard error, at a level."""
    half_width = float(special.stdtrit(n - 1, (1 + level) / 2)) * error  # NaN for a single value
    return Interval(mean, mean - half_width, mean + half_width, n, error)


def ratio_interval(first: Sequence[float], second: Sequence[float]) -> Interval:
    """Return the geometric mean of paired ratios first / second, with its 95 % interval.

    It is a t interval of the paired log ratios: for distances of models that share their urns. The
    estimand is the geometric mean, which for skewed ratios is less than their arithmetic mean.
    """
    logs = t_interval([log(above / below) for above, below in zip(first, second, strict=True)])
    bounds = np.exp([logs.value, logs.low, logs.high])
    return Interval(*map(float, bounds), logs.n, logs.error * float(bounds[0]))


def geometric_mean(values: Sequence[float]) -> Interval:
    """Return the geometric mean of positive values with its 95 % t interval."""
    return ratio_interval(values, [1.0] * len(values))


def positive_mean_interval(
    values: Sequence[float], *, generator: Generator, level: float = 0.95
) -> Interval:
    """Return the arithmetic mean of positive values with its bootstrap-t interval of the log mean.

    It suits skewed values such as distances over few urns, where percentile intervals are too
    narrow. Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 12.5.
    """
    values = np.asarray(values, dtype=float)
    n, mean = len(values), float(values.mean())
    if n < MIN_UNITS:
        return Interval(mean, nan, nan, n)
    samples = numpy_generator(generator).choice(values, (N_RESAMPLES, n))
    means = samples.mean(-1)
    with np.errstate(divide="ignore"):  # resamples of one value alone have no error
        pivots = np.log(means / mean) / (samples.std(-1, ddof=1) / n**0.5 / means)
    error = float(values.std(ddof=1) / n**0.5)
    tails = np.quantile(pivots[np.isfinite(pivots)], [(1 - level) / 2, (1 + level) / 2])
    high, low = mean * np.exp(-tails * error / mean)
    return Interval(mean, float(low), float(high), n, error)


def mean_and_sem(values: Tensor) -> tuple[float, float]:
    """Return the mean and the standard error of `values` (n); NaN for fewer than three values."""
    n = len(values)
    return values.mean().item(), (values.std() / n**0.5).item() if n >= MIN_FOR_ERROR else nan


def format_mean(values: Tensor) -> str:
    """Return the mean of `values` (n) with its standard error as text."""
    return format_with_error(*mean_and_sem(values))


def mean_over_seeds(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return mean, low, high, sem and n (seeds) of the column `value` for each combination of `by`.

    The bounds are those of the 95 % t interval over seeds.
    """
    rows = []
    for group, part in table.groupby(by, sort=False):
        seeds = t_interval(part["value"].dropna().tolist())
        rows.append((*group, seeds.value, seeds.low, seeds.high, seeds.error, seeds.n))
    return pd.DataFrame(rows, columns=[*by, "mean", "low", "high", "sem", "n"])


def is_above_zero(values: Tensor) -> bool:
    """Return whether the mean of at least `MIN_UNITS` values is two standard errors above zero."""
    mean, sem = mean_and_sem(values)
    return len(values) >= MIN_UNITS and mean > 2 * sem
