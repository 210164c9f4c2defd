"""The mean over runs and units, with an interval that holds for new runs and new units."""

from collections.abc import Sequence
from math import nan

import numpy as np
from scipy import stats

from lexurn.measures.intervals import Interval


def two_way_interval(
    values: np.ndarray | Sequence[Sequence[float]],
) -> tuple[Interval, float, float]:
    """Return the mean of `values` (runs units) with a two-way t interval, and two standard errors.

    Every run answers the same units. The 95 % interval holds for new runs and new units; the
    standard errors are those over runs alone and over units alone. All are NaN with fewer than two
    runs or units.

    Source: a two-way layout without replication. The variance is the mean square of runs plus the
    mean square of units minus the mean square of the residual, which both contain. The degrees of
    freedom are the smaller of runs and units, minus one, as for two-way clusters (Cameron, Gelbach
    & Miller 2011, "Robust inference with multiway clustering", Journal of Business & Economic
    Statistics 29).
    """
    values = np.asarray(values, dtype=float)
    mean, run_means, unit_means = float(values.mean()), values.mean(1), values.mean(0)
    run_variance, unit_variance = (
        means.var(ddof=1) / len(means) if len(means) > 1 else nan
        for means in (run_means, unit_means)
    )
    degrees_of_freedom = min(values.shape) - 1
    error, half_width = nan, nan
    if degrees_of_freedom > 0:
        residual = ((values - run_means[:, None] - unit_means + mean) ** 2).sum()
        shared = residual / ((len(run_means) - 1) * (len(unit_means) - 1)) / values.size
        variance = max(run_variance, unit_variance, run_variance + unit_variance - shared)
        error = float(variance**0.5)
        half_width = float(stats.t.ppf(0.975, degrees_of_freedom)) * error
    interval = Interval(mean, mean - half_width, mean + half_width, len(run_means), error)
    return interval, float(run_variance**0.5), float(unit_variance**0.5)
