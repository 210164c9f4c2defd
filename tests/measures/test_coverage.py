"""Coverage of the intervals, simulated for few urns: how often they contain what they estimate.

Distances of models from predictors are skewed over urns, about log-normal with a spread near 0.8.
The estimand is named: the geometric mean of paired ratios, the arithmetic mean of a distance, the
mean of a signed difference. A percentile bootstrap is the negative control.
"""

from math import exp

import numpy as np
import pytest

from lexurn.base.seeding import generator
from lexurn.measures import intervals

N_SIMULATIONS = 1000
SPREAD = 0.8


def coverage(interval_of, truth):
    """The share of simulated intervals that contain the truth."""
    found = [interval_of(number) for number in range(N_SIMULATIONS)]
    return np.mean([low <= truth <= high for low, high in found])


def distances(number, n):
    return np.random.default_rng([number, n]).lognormal(0.0, SPREAD, n).tolist()


@pytest.mark.parametrize("n", [5, 12])
def test_paired_log_ratios_cover_the_geometric_mean_of_ratios(n):
    def interval_of(number):
        first, second = distances(number, n), distances(10**6 - number, n)
        interval = intervals.ratio_interval([1.5 * value for value in first], second)
        return interval.low, interval.high

    assert coverage(interval_of, 1.5) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("n, least", [(5, 0.90), (12, 0.915)])
def test_bootstrap_t_of_the_log_mean_covers_the_arithmetic_mean(n, least):
    truth = exp(SPREAD**2 / 2)

    def interval_of(number):
        interval = intervals.positive_mean_interval(
            distances(number, n), generator=generator(number, "coverage")
        )
        return interval.low, interval.high

    def percentile(number):
        values = distances(number, n)
        means = np.random.default_rng(number).choice(values, (999, n)).mean(-1)
        return np.quantile(means, [0.025, 0.975])

    covered = coverage(interval_of, truth)
    assert covered > least
    assert coverage(percentile, truth) < covered - 0.02  # the control is too narrow


@pytest.mark.parametrize("n", [5, 12])
def test_plain_t_covers_the_mean_of_signed_differences(n):
    def interval_of(number):
        values = 0.3 + np.random.default_rng([number, n]).normal(size=n)
        interval = intervals.t_interval(values.tolist())
        return interval.low, interval.high

    assert coverage(interval_of, 0.3) == pytest.approx(0.95, abs=0.02)


def test_few_units_have_no_interval_of_the_mean():
    assert np.isnan(intervals.positive_mean_interval([1.0, 2.0], generator=generator(0, "few")).low)
