"""What changes the rate of rule 1: planted variances, two methods, coverage, looks, learning."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lexurn import runs
from lexurn.base import paths
from lexurn.chapters.rules import anova, best_of_looks, extrapolation, grids, languages, variation
from lexurn.chapters.rules import plots as rules_plots
from lexurn.runs import cache, sweeps


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def simulate(rng, *, n_kinds=6, n_seeds=5, n_prompts=1, seed_sds=0.1, kind_sd=0.3, noise=0.05):
    """Return rates (model, seed, decoding, prompt, value) and the planted variances by column.

    The variance of kinds is that of the drawn means. Seeds are normal, with the standard deviation
    `seed_sds` in each kind. Each seed has a noise of its own in each decoding.
    """
    means = kind_sd * rng.standard_normal((n_kinds, 1, 2, 1)) + np.array([0.0, 0.2])[:, None]
    sds = np.broadcast_to(seed_sds, n_kinds)[:, None, None, None]
    values = means + sds * rng.standard_normal((n_kinds, n_seeds, 1, 1))
    values = values + noise * rng.standard_normal((n_kinds, n_seeds, 2, 1))
    values = values + 0.4 * rng.standard_normal(n_prompts)
    kinds, seeds, decodings, prompts = np.indices(values.shape).reshape(4, -1)
    table = pd.DataFrame({"model": kinds, "seed": seeds, "decoding": decodings, "prompt": prompts})
    squares = [(means[i] - means[j]) ** 2 for i, j in combinations(range(n_kinds), 2)]
    planted = {
        "model": np.mean(squares) / 2,
        "seed": float((sds**2).mean()) + noise**2,
        "decoding": means[:, 0].var(1, ddof=1).mean() + noise**2,
    }
    return table.assign(value=values.ravel()), planted


def test_both_methods_recover_planted_variances_and_not_those_of_another_factor(rng):
    table, planted = simulate(rng, n_seeds=60, n_prompts=3)
    for factor, variance in planted.items():
        for method in variation.METHODS.values():
            assert method(table, factor) == pytest.approx(variance, rel=0.2), factor
    swapped = table.rename(columns={"model": "seed", "seed": "model"})
    for method in variation.METHODS.values():
        assert method(swapped, "seed") != pytest.approx(planted["seed"], rel=0.9)


def test_both_methods_agree_exactly_where_models_share_all_but_the_factor(rng):
    table, _ = simulate(rng, n_prompts=4, noise=0.2)
    for factor in ("seed", "decoding"):
        one, other = (method(table, factor) for method in variation.METHODS.values())
        assert one == pytest.approx(other, rel=1e-9)
    greedy = table[table["decoding"] == 0].drop(columns="decoding")
    one, other = (method(greedy, "prompt") for method in variation.METHODS.values())
    assert one == pytest.approx(other, rel=1e-9)


def test_what_models_of_one_seed_share_does_not_count_as_a_difference_of_kinds(rng):
    """The analysis of variance takes it for chance and subtracts too much."""
    table, _ = simulate(rng, n_prompts=2, kind_sd=0.0, seed_sds=0.0, noise=0.001)
    shared = table.assign(
        value=table["value"] + table["seed"].map(dict(enumerate(rng.normal(size=5))))
    )
    assert abs(variation.one_at_a_time(shared, "model")) < 1e-5
    assert anova.total_variance(shared, "model") < -0.01


def test_components_of_a_table_add_up_to_its_variances(rng):
    """Unrelated numbers: their variance is that of the whole set of factors, and no other."""
    parts = anova.components(rng.standard_normal((40, 30, 20)), "ksd")
    assert set(parts) == {"k", "d", "ks", "kd", "ksd"}
    assert parts.pop("ksd") == pytest.approx(1, abs=0.05)
    assert np.abs(list(parts.values())).max() < 0.05


def test_intervals_cover_the_variance_over_seeds_of_these_kinds(rng):
    """The estimand: the mean variance over the seeds, and the variance between these very kinds.

    Five seeds, of kinds that vary by very different amounts. An interval for one factor is none for
    another.
    """
    n_covered = {"model": 0, "seed": 0, "swapped": 0}
    n_trials = 20
    for _ in range(n_trials):
        table, planted = simulate(rng, n_kinds=4, seed_sds=[0.02, 0.02, 0.4, 0.1], kind_sd=1.0)
        table = table.drop(columns="prompt").assign(prompt=0)
        for factor in ("model", "seed"):

            def compute(seeds, factor=factor, table=table):
                return variation.one_at_a_time(table[table["seed"].isin(seeds)], factor)

            _, low, high = variation.jackknife_interval(compute, range(5), log=factor == "seed")
            n_covered[factor] += low <= planted[factor] <= high
            n_covered["swapped"] += factor == "model" and low <= planted["seed"] <= high
    assert n_covered["model"] >= 0.85 * n_trials and n_covered["seed"] >= 0.85 * n_trials
    assert n_covered["swapped"] < 0.2 * n_trials


def test_two_seeds_have_no_interval_and_a_negative_estimate_counts_as_zero(rng):
    assert np.isnan(variation.jackknife_interval(lambda seeds: 0.1, [0, 1], log=True)[1:]).all()
    value, low, high = variation.jackknife_interval(
        lambda seeds: -0.1 - sum(seeds), range(3), log=False
    )
    assert value < 0 and (low, high) == (0.0, pytest.approx(high)) and high >= 0


def test_regrets_leave_a_gap_around_the_limit_and_only_gated_states_learn_the_parity(monkeypatch):
    """The published runs of the chapter."""
    root = paths.root() / "book" / "results"
    monkeypatch.setattr(paths, "published_results", lambda: root)
    four = sweeps.read("rules", seeds=range(5))
    grid = grids.join_grids(four, sweeps.read("rules_architectures", seeds=range(3)))
    some = grids.select_points(grid, model=["mamba", "rotary"])
    assert list(some.points) == [*grid.where(model="rotary"), *grid.where(model="mamba")]
    table = [languages.excess(runs.load(point.name)) for point in grid.points]
    table = cache.concat_tables(grid, table).rename(columns={"words": "language"})
    learned = languages.has_learned(table)
    assert len(learned) == len(grid.points)
    assert not learned["value"].between(0.3, 0.5).any()  # so the limit hardly matters
    shares = learned.groupby(["language", "model"])["has_learned"].mean()
    assert set(shares["baN"][shares["baN"] == 1].index) == {"lstm", "xlstm"}
    assert set(shares["baN"]) == {0, 1} and set(shares["aNbN"]) == {1}


def rates_along(values, seed=0):
    """Return a table like that of `rates_along_training` for one run with these rates by step."""
    columns = {"step": range(len(values)), "value": values, "n": 5, "best": False, "seed": seed}
    constant = {"prompts": "out_of_distribution", "decoding": "greedy", "language": "aNbN"}
    return pd.DataFrame(columns).assign(**constant, measure="rule_1_of_finished", model="lstm")


@pytest.mark.parametrize("values", [[0.3, 0.1, 0.8, 0.1, 0.5], [np.nan, 0.2, np.nan, 0.6, 0.4]])
def test_the_expected_best_is_the_mean_over_all_choices_of_looks(values):
    table = best_of_looks.expected_best(rates_along(values))
    for looks, value in zip(table["looks"], table["value"], strict=True):
        maxima = [
            np.nanmax(each) for each in combinations(values, looks) if not np.isnan(each).all()
        ]
        assert value == pytest.approx(np.mean(maxima))
    assert table["value"].iloc[-1] == extrapolation.best_rates(rates_along(values))["value"].item()
    assert (table["value"].diff().dropna() > 0).any()  # looking more often does change it


def test_a_run_that_never_ended_a_completion_has_no_best(rng):
    assert best_of_looks.expected_best(rates_along([np.nan] * 3))["value"].isna().all()


def test_all_factors_are_estimated_and_drawn(rng):
    kinds = (*variation.POSITIONS, *variation.OTHERS)
    by_prompt, _ = simulate(rng, n_kinds=7, n_prompts=6)
    by_prompt = by_prompt.assign(
        model=by_prompt["model"].map(dict(enumerate(kinds))),
        decoding=by_prompt["decoding"].map({0: "greedy", 1: "sampled"}),
        language="aNbN",
    )
    by_prompt = by_prompt[(by_prompt["seed"] < 3) | ~by_prompt["model"].isin(["mamba", "linear"])]
    runs_of = by_prompt[["model", "seed"]].drop_duplicates().to_numpy()
    rates = pd.concat(
        rates_along(rng.random(6), seed).assign(model=model, measure="rule_1_and_finished")
        for model, seed in runs_of
    )
    table = variation.typical_changes(rates, by_prompt)
    assert table["factor"].unique().tolist() == list(variation.FACTORS)
    first, second = (
        table[table["method"] == method].set_index("factor") for method in variation.METHODS
    )
    assert (first["n"] == 5).all() and second["n"].tolist() == [5, *[3] * 7]
    assert (table["low"] <= table["value"]).all() and (table["value"] <= table["high"]).all()
    axes = rules_plots.typical_changes(table, Figure().add_subplot())
    assert [label.get_text() for label in axes.get_yticklabels()] == list(variation.FACTORS)
    single = variation.typical_changes(rates[rates["seed"] == 0], by_prompt[by_prompt["seed"] == 0])
    assert (
        single["low"].isna().all() and single["value"].notna().sum() == 3
    )  # decoding, step, prompt
    rules_plots.typical_changes(single, Figure().add_subplot())
