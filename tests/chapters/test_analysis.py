"""Analyses over many runs whose models are exact predictors, so that the truth is known."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from lexurn import evaluation, parameters, predictors, tasks
from lexurn.base.seeding import generator
from lexurn.chapters.analysis import headline
from lexurn.generators.urns import Urns
from lexurn.measures import comparison, intervals, memorization
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


@pytest.fixture(autouse=True)
def exact_predictors_have_no_tables(monkeypatch):
    monkeypatch.setattr(headline, "as_trained", lambda run: run.predictor)


def mixed(run, weights):
    """The mixture of a run's references with these weights in every row."""
    parts = [(weight, run.references[name]) for name, weight in weights.items()]
    return lambda tokens: torch.stack([w * part(tokens).exp() for w, part in parts]).sum(0).log()


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
    assert (table["memorizing"] > 1.5 * table["symmetrized"]).all()  # the control: they differ
    assert (table["symmetrized"] > 1.5 * table["generalizing"]).all()


def test_published_scores_count_fresh_urns_and_draw_the_same_for_all(runs):
    table = headline.published_scores(runs)
    assert set(table["n"]) == {headline.N_SETS * headline.N_URNS} and len(table) == 6 * 6
    again = headline.published_scores(runs[:6])  # normal models alone
    one = table[table["who"] == "normal"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again[again["who"] == "normal"].reset_index(drop=True), one)


def test_the_published_score_has_one_table_beside_the_average_of_tables(runs, monkeypatch):
    table = headline.published_scores(runs[:6])
    np.testing.assert_allclose(table["one_table"], table["mean"])  # exact predictors have none
    monkeypatch.setattr(headline, "as_trained", lambda run: Uniform(3))
    changed = headline.published_scores(runs[:6])
    is_model = (changed["who"] == "normal").to_numpy()
    differs = ~np.isclose(changed["one_table"], changed["mean"])
    assert differs.tolist() == is_model.tolist()


def test_models_stand_where_they_became(runs):
    table = headline.standings(runs)
    assert table["kind"].tolist() == [run.settings.kind for run in runs]
    r = table.groupby("kind")["r"].mean()
    assert (r["normal"], r["lexical"], r["permuted"]) == pytest.approx((1, 1, -1))
    assert (table["r_low"] <= table["r"] + 1e-9).all()
    assert (table["r"] <= table["r_high"] + 1e-9).all()
    permuted = table[table["kind"] == "permuted"]  # is G: the distance from S is that of G
    np.testing.assert_allclose(permuted["to_symmetrized"], permuted["apart"])


def test_a_distance_that_is_not_there_leaves_r_undetermined(runs, tmp_path):
    run = run_that_became("generalizing", "lexical", 0, tmp_path)
    run.__dict__["references"] = run.references | {"symmetrized": run.references["generalizing"]}
    (line,) = headline.standings([run]).to_dict("records")
    assert line["apart"] == 0 and all(np.isnan(line[name]) for name in ("r", "r_low", "r_high"))


@pytest.mark.parametrize(
    ("kind", "memorizing"), [("normal", "memorizing"), ("lexical", "symmetrized")]
)
def test_what_is_memorized_is_measured_against_the_best_counter_and_the_memorizer(
    tmp_path, kind, memorizing
):
    run = run_that_became("generalizing", kind, 1, tmp_path)
    tokens = run.splits["in_distribution"]
    best = memorization.best_generalizing(run.pool, tokens.shape[1])
    half = mixed(run, {"generalizing": 0.5, memorizing: 0.5})
    memorizer, rows = run.references[memorizing], []
    for predictor in (best, run.references["generalizing"], half):
        run.__dict__["predictor"] = predictor
        rows += headline.memorized([run]).to_dict("records")
    of_best, of_g, of_half = rows
    assert of_best["deficit"] == pytest.approx(0, abs=1e-9) and of_g["deficit"] > 0
    wanted = memorization.mean_kl(memorizer, half, tokens) / memorization.mean_kl(
        memorizer, best, tokens
    )
    assert of_half["deficit"] == pytest.approx(np.log(wanted)) and wanted < 0.5
    assert of_g["relative"] == of_g["relative_fresh"] == pytest.approx(-1)
    assert -1 < of_half["relative"] < 1 and of_half["n_steps"] == run.settings.training.n_steps


def test_a_doubt_is_found_on_fresh_urns_and_fits_in_distribution(tmp_path):
    """A fixed blend of rows cannot express a planted B_ε; it fits the planted blend instead."""
    run = run_that_became("generalizing", "lexical", 1, tmp_path)
    ends = {name: run.references[name] for name in ("generalizing", "symmetrized")}
    planted = memorization.Doubt(np.log(0.1 / 0.9), 0.0, 0.0, False)
    run.__dict__["predictor"] = memorization.with_doubt(planted, ends, memorizing="symmetrized")
    (doubted,) = headline.doubts([run]).to_dict("records")
    assert doubted["epsilon"] == pytest.approx(0.1, rel=0.01) and not doubted["is_bound"]
    assert doubted["doubt"] < 1e-5 < 1e-3 < doubted["blend"]
    run.__dict__["predictor"] = mixed(run, {"generalizing": 0.5, "symmetrized": 0.5})
    (blended,) = headline.doubts([run]).to_dict("records")
    assert blended["blend"] < 1e-5 < 1e-4 < blended["doubt"]


def test_trainings_end_at_what_the_models_became(runs):
    table = headline.along(runs).set_index(["step", "kind", "split"]).sort_index()
    for kind, end in (("normal", 1), ("lexical", 1), ("permuted", -1)):
        for split in ("in distribution", "on fresh urns"):
            relative = table.loc[(10, kind, split), "relative_distance"]
            np.testing.assert_allclose(relative, end)
            assert len(relative) == 6
    joined = headline.join_trajectories(table.reset_index(), table.reset_index().assign(step=20))
    assert sorted(set(joined["step"])) == [10, 20]


def test_a_mixture_is_found_and_what_no_mixture_explains_is_left_over(tmp_path):
    run = run_that_became("generalizing", "lexical", 1, tmp_path)
    g = run.references["generalizing"]
    run.__dict__["predictor"] = lambda tokens: torch.logaddexp(
        g(tokens) + np.log(0.8), torch.full_like(g(tokens), np.log(0.2 / 3))
    )
    (row,) = headline.nearest_mixtures([run]).to_dict("records")
    assert row["uniform"] == pytest.approx(0.2, abs=0.02) and row["symmetrized"] < 0.05
    assert row["left_over"] < 1e-4 < row["from_g"] / 10


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


def test_means_are_over_urns_by_the_interval_that_is_given():
    table = pd.DataFrame(
        {"kind": ["a"] * 4 + ["b"] * 2, "value": [0.08, 0.16, 0.32, np.nan, 1.0, 4.0]}
    )
    summary = headline.over_urns(
        table, "value", by=["kind"], interval=intervals.geometric_mean
    ).set_index("kind")
    assert summary.loc["a", "mean"] == pytest.approx(0.16) and summary["n"].tolist() == [3, 2]
    logs = intervals.t_interval(np.log([0.08, 0.16, 0.32]).tolist())
    assert summary.loc["a", "low"] == pytest.approx(np.exp(logs.low)) and np.isnan(
        summary.loc["b", "low"]
    )
    arithmetic = headline.over_urns(table, "value", by=["kind"], interval=intervals.t_interval)
    assert arithmetic["mean"].tolist() == pytest.approx([0.56 / 3, 2.5])  # two have no interval


def test_a_predictor_that_is_constant_is_nearer_to_g_the_more_even_the_balls():
    """Why the correlation of the first edition is gone (params/first_edition.md)."""
    task = Urns(4)
    urns = task.sample_tasks(200, generator=generator(0, "urns"))
    tokens = task.sample(urns, 33, generator=generator(0, "balls"))
    shares = predictors.Empirical(4)(tokens)[:, -1].exp()
    entropy = torch.special.entr(shares).sum(-1)

    def correlation(predictor):
        distances = comparison.distance(predictor, predictors.Generalizing(4), tokens)[:, -1]
        return stats.spearmanr(entropy, distances).statistic

    assert correlation(predictors.Uniform(4)) < -0.95
    skewed = torch.tensor([[0.7, 0.1, 0.1, 0.1]], dtype=torch.float64)
    assert correlation(predictors.Memorizing(skewed)) > -0.9  # the control: another constant
