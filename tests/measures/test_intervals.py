"""Intervals cover the truth at the stated rate; numbers have the digits that their error allows."""

import numpy as np
import pytest
import torch
from scipy import stats

from lexurn.base import wording
from lexurn.base.seeding import generator
from lexurn.chapters.rules.two_way import two_way_interval
from lexurn.measures import intervals
from lexurn.measures.intervals import bootstrap, format_with_error, mean_and_sem

N_TRIALS = 400
WITHIN = 4 * (0.95 * 0.05 / N_TRIALS) ** 0.5
"""Four standard errors of a coverage of .95 found in so many trials."""


def coverage(draw, truth, n, **options):
    stream, hits = generator(0, "trials"), 0
    for _ in range(N_TRIALS):
        found = bootstrap(*draw(n, stream), generator=stream, **options)
        assert found.n == n
        hits += found.low <= truth <= found.high
    return hits / N_TRIALS


def normal(n, stream):
    return (torch.randn(n, generator=stream, dtype=torch.float64),)


@pytest.mark.parametrize("n", [5, 12, 60])
def test_intervals_of_a_mean_cover_it_at_the_stated_rate(n):
    assert abs(coverage(normal, 0.0, n) - 0.95) < WITHIN


def test_intervals_of_another_level_cover_less():
    assert abs(coverage(normal, 0.0, 12, level=0.6) - 0.6) < 4 * (0.24 / N_TRIALS) ** 0.5


def ratio(first, second, apart, axis):
    return (first.mean(axis) - second.mean(axis)) / apart.mean(axis)


def test_intervals_of_a_ratio_of_skewed_and_correlated_means_cover_it():
    """As relative distances are: three distances a sequence, all larger for the same sequences."""

    def draw(n, stream):
        common, *own = torch.rand(4, n, generator=stream, dtype=torch.float64).log().neg()
        return common + own[0], 0.5 * common + own[1], common + own[2]

    assert abs(coverage(draw, (2 - 1.5) / 2, 80, statistic=ratio) - 0.95) < WITHIN


def test_resampling_them_apart_or_counting_rows_as_units_would_not():
    """The negative controls: with the correlated rows of a sequence as units, it is too narrow."""

    def rows(n, stream):
        return (
            (
                torch.randn(n // 8, 1, generator=stream)
                + 0.2 * torch.randn(n // 8, 8, generator=stream)
            ).flatten(),
        )

    assert coverage(rows, 0.0, 80) < 0.7

    def unpaired(n, stream):
        first = torch.randn(n, generator=stream)
        return first, (first + 0.1 * torch.randn(n, generator=stream))[
            torch.randperm(n, generator=stream)
        ]

    def difference(first, second, axis):
        return first.mean(axis) - second.mean(axis)

    assert coverage(unpaired, 0.0, 40, statistic=difference) == 1.0


@pytest.mark.parametrize("n", [1, 2, 4])
def test_a_few_units_give_no_interval(n):
    """Percentiles from two values would be the two values, which cover the mean half the time."""
    found = bootstrap(torch.arange(float(n)), generator=generator(0, "test"))
    assert (
        found.value == (n - 1) / 2
        and np.isnan([found.low, found.high]).all()
        and "too few" in str(found)
    )


def test_percentiles_are_widened_for_few_units_as_hesterberg_says(monkeypatch):
    """For n = 12: Φ(−√(12/11) t₀.₀₂₅,₁₁) = Φ(−1.0445 · 2.2010) = .01075 in each tail."""
    asked, real = [], stats.bootstrap
    monkeypatch.setattr(stats, "bootstrap", lambda *a, **k: asked.append(k) or real(*a, **k))
    bootstrap(torch.arange(12.0), generator=generator(0, "test"))
    assert asked[0]["confidence_level"] == pytest.approx(1 - 2 * 0.01075, abs=2e-5)


def test_an_interval_says_on_which_side_of_zero_it_lies_and_nothing_where_there_is_none():
    words = {"above": "more", "below": "less", "between": "as much"}
    for values, said in (
        ([1.0, 1.1] * 4, "more"),
        ([-1.0, -1.1] * 4, "less"),
        ([1.0, -1.1] * 4, "as much"),
    ):
        assert bootstrap(values, generator=generator(0, "side")).describe(**words) == said
    assert (
        bootstrap([1.0, 1.1], generator=generator(0, "side")).describe(**words)
        == "with n = 2 too few to tell"
    )


def test_the_same_generator_gives_the_same_interval_and_the_text_shows_it():
    values = torch.arange(30.0)
    first, second = (bootstrap(values, generator=generator(0, "test")) for _ in range(2))
    assert first == second and first.low < 14.5 < first.high
    assert str(first) == f"14.50 [{first.low:.2f}, {first.high:.2f}]"
    assert mean_and_sem(values) == pytest.approx((14.5, (30 * 31 / 12 / 30) ** 0.5))


@pytest.mark.parametrize(
    ("mean", "sem", "text"),
    [
        (0.02163, 0.000612, "0.02163 ± 0.00061"),
        (0.5499, 0.0139, "0.550 ± 0.014"),
        (12.345, 3.2, "12.35 ± 3.20"),
        (0.000214, 0.0000119, "0.000214 ± 0.000012"),
        (0.0, 0.0, "0"),
        (3e-17, 2e-17, "0"),
        (-3e-17, float("nan"), "0"),
        (0.35, 4e-17, "0.350 ± 0"),
        (0.35, float("nan"), "0.350 (one value)"),
        (-0.00004, 0.2, "0.00 ± 0.20"),
        (-2e-9, 3.1e-7, "(-0.02 ± 3.10) × 10⁻⁷"),
        (4.214e-5, 2e-7, "(4.214 ± 0.020) × 10⁻⁵"),
        (float("inf"), float("nan"), "infinite"),
    ],
)
def test_numbers_are_written_to_the_second_digit_of_their_error(mean, sem, text):
    assert format_with_error(mean, sem) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.35, "0.350"),
        (-20806.4, "-20,800"),
        (12.345, "12.3"),
        (0.99951, "1.00"),
        (1000.0, "1,000"),
        (-0.0, "0"),
        (-1e-17, "0"),
        (2.5e-7, "2.50 × 10⁻⁷"),
        (float("nan"), "undetermined"),
        (float("-inf"), "infinite"),
    ],
)
def test_numbers_without_an_error_have_three_significant_digits(value, text):
    assert wording.format_number(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.08345, "8.3 %"),
        (0.4712, "47 %"),
        (1.02, "102 %"),
        (-0.0214, "−2.1 %"),
        (0.0003, "0.03 %"),
    ],
)
def test_shares_are_percents_with_two_digits_below_ten(share, text):
    assert wording.percent(share) == text


def test_of_few_values_there_is_a_t_interval_that_covers_as_it_says():
    stream = np.random.default_rng(0)
    found = [intervals.t_interval(stream.normal(2.0, 1.0, 3).tolist()) for _ in range(2000)]
    covered = np.mean([each.low < 2.0 < each.high for each in found])
    assert abs(covered - 0.95) < 0.02 and found[0].n == 3
    narrow = np.mean(
        [abs(each.value - 2.0) < 1.96 * each.error for each in found]
    )  # as if three were many
    assert narrow < 0.85
    assert (
        str(intervals.t_interval([1.5])) == "1.5 [too few for an interval]"
        and intervals.t_interval([]).n == 0
    )
    assert intervals.format_with_error(float("nan"), 0.1) == "undetermined"


def two_ways(n_runs, n_units, stream, of=(1.0, 1.0, 1.0)):
    """Return run effects plus unit effects plus residuals with these standard deviations."""
    run, unit = (torch.randn(n, generator=stream, dtype=torch.float64) for n in (n_runs, n_units))
    rest = torch.randn(n_runs, n_units, generator=stream, dtype=torch.float64)
    return of[0] * run[:, None] + of[1] * unit + of[2] * rest


def test_intervals_over_runs_and_units_cover_what_intervals_over_either_do_not():
    stream, n, hits = generator(0, "two ways"), 2000, {"both": 0, "runs": 0, "units": 0}
    squares = []
    for _ in range(n):
        both, over_runs, over_units = two_way_interval(
            two_ways(5, 40, stream, (0.5, 1.0, 1.0)).numpy()
        )
        squares.append(both.error**2)
        hits["both"] += both.low <= 0 <= both.high
        hits["runs"] += abs(both.value) <= stats.t.ppf(0.975, 4) * over_runs
        hits["units"] += abs(both.value) <= stats.t.ppf(0.975, 39) * over_units
    assert 0.95 - 4 * (0.95 * 0.05 / n) ** 0.5 < hits["both"] / n <= 1
    assert hits["runs"] / n < 0.94 and hits["units"] / n < 0.85
    truth = 0.5**2 / 5 + 1 / 40 + 1 / 200
    assert abs(np.mean(squares) - truth) < 4 * np.std(squares) / n**0.5 + 0.02 * truth


def test_over_runs_and_units_is_the_usual_interval_where_only_one_differs():
    values = two_ways(6, 30, generator(0, "one way"), (1.0, 0.0, 0.0)).numpy()
    both, over_runs, over_units = two_way_interval(values)
    few = intervals.t_interval(values[:, 0].tolist())
    assert over_units == pytest.approx(0, abs=1e-12) and both.n == 6
    found = (both.value, both.low, both.high, both.error)
    assert found == pytest.approx(
        (few.value, few.low, few.high, few.error)
    ) and over_runs == pytest.approx(few.error)


def test_over_one_run_there_are_units_but_no_interval():
    both, over_runs, over_units = two_way_interval([[0.0, 1.0, 1.0, 0.0]])
    assert both.value == 0.5 and np.isnan([both.low, both.error, over_runs]).all()
    assert over_units == pytest.approx((1 / 3 / 4) ** 0.5)


def test_a_side_is_told_where_the_t_interval_has_no_zero():
    for values in ([1.0, 1.1, 0.9], [-1.0, -1.1, -0.9], [1.0, -0.5, 0.7], [5.0]):
        n = len(values)
        error = np.std(values, ddof=1) / n**0.5 if n > 1 else np.nan
        half_width = stats.t.ppf(0.975, n - 1) * error
        wanted = np.sign(np.mean(values)) if abs(np.mean(values)) > half_width else 0
        found = intervals.t_interval_of_mean(np.mean(values), error, n)
        assert (found.sign or 0) == (intervals.t_interval(values).sign or 0) == wanted
    signs = [intervals.t_interval_of_mean(1.0, error, 3).sign for error in (0.2, 0.25)]
    assert signs == [1, 0]  # t = 4.30
    assert intervals.t_interval_of_mean(1.0, 0.2, 1).sign is None
