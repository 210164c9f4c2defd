"""Analyses over many runs whose models are exact predictors, so that the truth is known."""

import numpy as np
import pandas as pd
import pytest
import torch

from lexurn import comparison, evaluation, parameters, tasks
from lexurn.base import divergences
from lexurn.base.seeding import generator
from lexurn.chapters.analysis import headline, sequence_entropy, verdicts
from lexurn.measures import intervals
from lexurn.predictors import Uniform
from lexurn.runs import Run

BECAME = {"normal": "memorizing", "lexical": "symmetrized", "permuted": "generalizing"}
"""Which exact predictor stands in for the model of each kind."""


def run_that_became(who, kind, seed, tmp_path):
    """A run whose model is an exact predictor, from beginning to end."""
    flat = {"n_test_samples": 60, "n_colors": 3, "seed": seed, "context_length": 30, "lex": True}
    settings = parameters.check(flat).of_kind(kind)
    pool = tasks.build(settings).pool
    splits, references = tasks.build(settings).held_out(), tasks.build(settings).references()
    results = evaluation.evaluate(references[who], references, splits)
    lines = {"step": [0, 10]}
    for split in ("in_distribution", "out_of_distribution"):
        loss = evaluation.select(results, split=split, measure="loss").loc["", "mean"]
        lines[f"{split}/loss"] = [loss + 1.0, loss]
        for name, distance in evaluation.select(results, split=split)["mean"].items():
            lines[f"{split}/symmetrized_kl/{name}"] = [distance + 2.0, distance]
    for name in [*references, "uniform"]:
        lines[f"out_of_distribution/weight/{name}"] = [float(name == "uniform"), float(name == who)]
    run = Run(tmp_path / settings.name)
    known = {
        "settings": settings,
        "pool": pool,
        "splits": splits,
        "references": references,
        "results": results,
        "results_by_row": results,
    }
    run.__dict__.update(
        known | {"predictor": references[who], "metrics": pd.DataFrame(lines).assign(n_tables=1)}
    )
    return run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [
        run_that_became(who, kind, seed, folder)
        for kind, who in BECAME.items()
        for seed in range(6)
    ]


def test_published_scores_are_those_of_what_the_models_became(runs):
    table = headline.published_scores(runs).pivot(index="seed", columns="who", values="mean")
    for kind, who in BECAME.items():
        np.testing.assert_allclose(table[kind], table[who])
    assert (
        table["memorizing"] > 1.5 * table["symmetrized"]
    ).all()  # the control: they are told apart
    assert (table["symmetrized"] > 1.5 * table["generalizing"]).all()


def test_published_scores_count_fresh_urns_and_draw_the_same_for_all(runs):
    table = headline.published_scores(runs)
    assert set(table["n"]) == {headline.N_SETS * headline.N_URNS} and len(table) == 6 * 6
    again = headline.published_scores(runs[:6])  # normal models alone
    one = table[table["who"] == "normal"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again[again["who"] == "normal"].reset_index(drop=True), one)


def test_models_stand_where_they_became(runs):
    table = headline.standings(runs)
    assert table["kind"].tolist() == [run.settings.kind for run in runs]
    r = table.groupby("kind")["r"].mean()
    assert (r["normal"], r["lexical"], r["permuted"]) == pytest.approx((1, 1, -1))
    assert (table["r_low"] <= table["r"] + 1e-9).all() and (
        table["r"] <= table["r_high"] + 1e-9
    ).all()
    permuted = table[table["kind"] == "permuted"]  # is G: as far from S as G is
    np.testing.assert_allclose(permuted["to_symmetrized"], permuted["apart"])
    np.testing.assert_allclose(table[table["kind"] == "normal"]["regret"], 0, atol=1e-12)
    assert (permuted["regret"] > 0).all()
    entropy = divergences.entropy(runs[0].pool.log()).item() / np.log(3)
    assert table["entropy"].iloc[0] == pytest.approx(entropy) and 0 < entropy < 1


def test_a_distance_that_is_not_there_leaves_r_undetermined(runs, tmp_path):
    run = run_that_became("generalizing", "lexical", 0, tmp_path)
    run.__dict__["references"] = run.references | {"symmetrized": run.references["generalizing"]}
    (line,) = headline.standings([run]).to_dict("records")
    assert line["apart"] == 0 and all(np.isnan(line[name]) for name in ("r", "r_low", "r_high"))


def test_trajectories_have_shares_weights_and_regrets_against_the_same_references(runs):
    (lexical,) = [
        run for run in runs if run.settings.kind == "lexical" and run.settings.training.seed == 0
    ]
    table = headline.trajectories([lexical]).set_index(["reference", "step"])
    last, before = table.xs(10, level="step"), table.xs(0, level="step")
    ends = lexical.references["generalizing"], lexical.references["symmetrized"]
    apart = (
        comparison.mean_over_rows(comparison.distance(*ends, lexical.splits["out_of_distribution"]))
        .mean()
        .item()
    )
    assert (
        last.loc["symmetrized", "distance"] == pytest.approx(0)
        and before.loc["symmetrized", "distance"] == 2.0
    )
    assert last.loc["generalizing", "share"] == pytest.approx(1)
    assert before.loc["generalizing", "share"] == pytest.approx(1 + 2 / apart)
    for column in ("regret_in", "regret_out"):
        assert last.loc["symmetrized", column] == pytest.approx(0, abs=1e-12)
        assert before.loc["symmetrized", column] == pytest.approx(1.0)
    assert last["weight"].to_dict() == {
        "generalizing": 0,
        "memorizing": 0,
        "symmetrized": 1,
        "uniform": 0,
    }


def test_a_verdict_counts_urns_and_says_which_end_is_nearer(runs):
    table = headline.standings(runs)
    verdict_of = {
        kind: verdicts.verdict(lines, generator=generator(0, "verdict"))
        for kind, lines in table.groupby("kind")
    }
    text = str(verdict_of["lexical"])
    assert "the models are nearer to S than to G: r = 1.0000 [1.0000, 1.0000]" in text
    assert "Of 6 models, 0 are certainly nearer to G and 6 certainly nearer to S; 0 are" in text
    assert (
        "nearer to G than to S" in str(verdict_of["permuted"])
        and verdict_of["permuted"].n_nearer_g == 6
    )
    assert (
        "nearer to M than to G" in str(verdict_of["normal"])
        and verdict_of["normal"].table_row()["n"] == 6
    )
    lexical, permuted = (table[table["kind"] == kind] for kind in ("lexical", "permuted"))
    mixed = pd.concat([lexical[lexical["seed"] < 3], permuted[permuted["seed"] > 2]])
    text = str(verdicts.verdict(mixed, generator=generator(0, "verdict")))
    assert "not clearly nearer to G or to S" in text
    assert "3 are certainly nearer to G and 3 certainly nearer to S" in text
    few = str(verdicts.verdict(lexical[:3], generator=generator(0, "verdict")))
    assert "On average, with n = 3 too few to tell" in few and "is not defined for r" in few
    none = str(verdicts.verdict(lexical.assign(r=np.nan), generator=generator(0, "verdict")))
    assert none == "On none of 6 urns can G and S be distinguished."


def test_a_model_that_only_hedges_is_not_taken_for_one_that_memorizes(tmp_path):
    """Its r rises with the urn's entropy, and so does the control's r: the difference is zero."""
    runs = []
    for seed in range(8):
        run = run_that_became("generalizing", "lexical", seed, tmp_path)
        g = run.references["generalizing"]

        def hedges(tokens, g=g):
            return torch.logaddexp(
                g(tokens) + np.log(0.8), torch.full_like(g(tokens), np.log(0.2 / 3))
            )

        known = {
            "predictor": hedges,
            "results": evaluation.evaluate(hedges, run.references, run.splits),
        }
        run.__dict__.update(known)
        runs.append(run)
    found = verdicts.verdict(headline.standings(runs), generator=generator(0, "verdict"))
    assert found.r_with_entropy.sign == found.control_with_entropy.sign == 1
    assert found.r.value > -0.9 and abs(found.beyond_control.value) < 0.05
    weights = headline.nearest_mixtures(runs)
    np.testing.assert_allclose(weights["uniform"], 0.2, atol=0.02)
    assert (weights["symmetrized"] < 0.05).all() and (weights["left_over"] < 1e-4).all()
    assert (weights["from_g"] > 10 * weights["left_over"]).all()


def test_what_hedges_is_as_far_from_g_as_is_asked_or_uniform(runs):
    log_g = runs[0].references["generalizing"](runs[0].splits["out_of_distribution"])
    for wanted in (0.01, 0.1):
        far = (
            divergences.symmetrized_kl(log_g, headline.hedge(log_g, distance=wanted))[:, 1:]
            .mean()
            .item()
        )
        assert far == pytest.approx(wanted, rel=1e-4)
    assert (headline.hedge(log_g, distance=9.0) + np.log(3)).abs().max() < 1e-6


def test_a_memorizer_lies_beyond_its_control(runs):
    found = verdicts.verdict(
        headline.standings([run for run in runs if run.settings.kind == "lexical"]),
        generator=generator(0, "verdict"),
    )
    assert found.beyond_control.sign == 1 and "They are nearer to S than their controls" in str(
        found
    )


def test_rows_are_averaged_over_runs(runs):
    few = [run for run in runs if run.settings.kind == "permuted"][:3]
    table = headline.distances_by_row(few)
    line = table[
        (table["split"] == "out_of_distribution")
        & (table["row"] == "3")
        & (table["reference"] == "symmetrized")
    ]
    split = "out_of_distribution"
    each = [evaluation.select(run.results_by_row, split=split, row="3") for run in few]
    values = [found.loc["symmetrized", "mean"] for found in each]
    assert line["mean"].item() == pytest.approx(np.mean(values)) and line["n"].item() == 3
    assert line["sem"].item() == pytest.approx(np.std(values, ddof=1) / 3**0.5)


def test_relative_distances_along_training_are_those_of_the_distances(runs):
    permuted = [run for run in runs if run.settings.kind == "permuted"][:1]
    table = headline.relative_distances(headline.trajectories(permuted)).set_index("step")
    assert table.loc[10, "relative_distance"] == pytest.approx(-1)
    assert table.loc[10, "regret to G on fresh urns"] == pytest.approx(0, abs=1e-12)
    assert table.loc[0, "regret to G on fresh urns"] == pytest.approx(1)


def test_urns_are_what_is_resampled():
    table = pd.DataFrame({"kind": "a", "value": [1.0, 2.0, 3.0, 4.0, 5.0, np.nan]})
    (line,) = verdicts.mean_over_urns(
        table, "value", by=["kind"], generator=generator(0, "over")
    ).to_dict("records")
    found = intervals.bootstrap([1.0, 2.0, 3.0, 4.0, 5.0], generator=generator(0, "over"))
    assert (line["mean"], line["low"], line["high"], line["n"]) == (3.0, found.low, found.high, 5)


def test_sequences_carry_the_entropy_of_their_balls_and_their_quartile(runs):
    table = sequence_entropy.distances_by_sequence(runs[:1])
    tokens = runs[0].splits["out_of_distribution"]
    counts = torch.nn.functional.one_hot(tokens[:, :-1], 3).sum(1)
    assert table["balls"].tolist() == [" ".join(map(str, each)) for each in counts.tolist()]
    shares = counts.double() / 30
    wanted = -torch.special.xlogy(shares, shares).sum(-1)
    np.testing.assert_allclose(table["entropy"], wanted, atol=1e-12)
    assert table["quartile"].value_counts().to_dict() == dict.fromkeys(
        sequence_entropy.QUARTILES, 15
    )
    least = table.groupby("quartile")["entropy"].min()
    assert least[list(sequence_entropy.QUARTILES)].is_monotonic_increasing


def test_distances_by_sequence_are_zero_from_what_the_model_became(runs):
    table = sequence_entropy.distances_by_sequence(runs)
    worst = table.groupby("kind")[["to_generalizing", "to_optimum"]].max()
    assert (
        worst.loc["normal", "to_optimum"] == worst.loc["lexical", "to_optimum"] == pytest.approx(0)
    )
    assert (
        worst.loc["permuted", "to_generalizing"] == pytest.approx(0)
        and worst.loc["permuted", "to_optimum"] > 0.1
    )


def test_correlations_and_quartiles_are_within_runs(runs):
    table = sequence_entropy.distances_by_sequence(
        [run for run in runs if run.settings.kind == "lexical"]
    )
    planted = table.assign(
        to_generalizing=table["entropy"] * (1 + table["seed"]),
        to_optimum=-(table["entropy"] ** 3),
    )
    found = sequence_entropy.correlations(planted).set_index(["to", "seed"])
    np.testing.assert_allclose(found.loc["generalizing", "pearson"], 1)
    np.testing.assert_allclose(found.loc["symmetrized", "spearman"], -1)
    assert (found.loc["symmetrized", "pearson"] > -1).all() and set(found["n"]) == {60}
    by = sequence_entropy.quartiles(planted, column="to_generalizing")
    assert len(by) == 6 * 4 and by["quartile"].iloc[0] == "lowest"
    assert by[by["seed"] == 0]["to_generalizing"].is_monotonic_increasing


def test_an_infinite_distance_is_left_out_of_a_correlation(runs):
    table = sequence_entropy.distances_by_sequence(runs[:1])
    table.loc[0, "to_generalizing"] = np.inf
    found = sequence_entropy.correlations(table).set_index("to")
    assert found.loc["generalizing", "n"] == 59 and np.isfinite(
        found.loc["generalizing", "pearson"]
    )


def test_what_is_far_from_both_ends_shows_in_the_distances_where_r_alone_would_mislead(tmp_path):
    run = run_that_became("generalizing", "lexical", 1, tmp_path)
    uniform = {
        "predictor": Uniform(3),
        "results": evaluation.evaluate(Uniform(3), run.references, run.splits),
    }
    run.__dict__.update(uniform)
    (line,) = headline.standings([run]).to_dict("records")
    assert (
        line["r"] < -1
        and min(line["to_generalizing"], line["to_symmetrized"]) > 1.5 * line["apart"]
    )
