"""Measures of the evaluation chapter, for models that are exact predictors."""

from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lexurn import comparison, parameters, tasks
from lexurn.chapters.analysis import headline
from lexurn.chapters.evaluate import known_predictors, plots, standings
from lexurn.measures import memorization
from lexurn.predictors import Uniform
from lexurn.runs import Run

FLAT = {"n_test_samples": 200, "context_length": 16, "lex": True}
INSIDE = "in_distribution"


@pytest.fixture
def run(monkeypatch, tmp_path):
    """A run whose model is half S and half the best counter, and whose tables average to U."""
    settings = parameters.check(FLAT)
    task = tasks.build(settings)
    splits, references = task.held_out(), task.references()
    counter = memorization.best_generalizing(task.pool, task.length)
    half = known_predictors.blend(counter, references["symmetrized"], 0.5)
    become(half, monkeypatch)
    run = Run(tmp_path)
    known = {"settings": settings, "task": task, "splits": splits, "references": references}
    run.__dict__.update(known | {"predictor": Uniform(4)})
    return run


def become(predictor, monkeypatch):
    monkeypatch.setattr(standings, "_as_trained", lambda _: predictor)
    monkeypatch.setattr(headline, "as_trained", lambda _: predictor)


def test_missing_shares_are_those_of_the_next_chapter_with_intervals_over_sequences(
    run, monkeypatch
):
    (row,) = standings.standings([run]).to_dict("records")
    (other,) = headline.memorized([run]).to_dict("records")
    assert row["missing"] == pytest.approx(np.exp(other["deficit"]), rel=1e-12)
    assert 0.2 < row["low"] < row["missing"] < row["high"] < 0.35
    assert row["averaged"] > 1 and (row["kind"], row["seed"]) == ("lexical", 0)  # of U, not half
    become(memorization.best_generalizing(run.pool, 17), monkeypatch)
    (row,) = standings.standings([run]).to_dict("records")
    assert row["missing"] == pytest.approx(1) == row["low"] == row["high"]


def test_distances_are_means_over_the_rows(run):
    table = standings.distances([run]).set_index(["split", "reference"])["mean"]
    model, g = standings._as_trained(run), run.references["generalizing"]
    wanted = comparison.mean_over_rows(comparison.distance(model, g, run.splits[INSIDE])).mean()
    assert table["in distribution", "generalizing"] == pytest.approx(wanted.item())
    by_row = standings.distances_by_row([run])
    assert len(by_row) == 2 * 3 * 16 and by_row["row"].unique().tolist() == [*range(1, 17)]


def test_groups_of_sequences_depend_on_their_counts_alone(run, monkeypatch):
    of_half = standings.by_counts([run])
    become(run.references["generalizing"], monkeypatch)
    of_g = standings.by_counts([run])
    assert of_half[["group", "x"]].equals(of_g[["group", "x"]])
    means = of_g.pivot(index="group", columns="reference", values="mean")
    assert (means["generalizing"] == 0).all()  # the control: not of half
    assert (of_half[of_half["reference"] == "generalizing"]["mean"] > 0).all()
    np.testing.assert_allclose(means["symmetrized"], means["G to S"])
    x = of_g.drop_duplicates("group").set_index("group")["x"]
    low, high = (np.array(standings.EDGES)[x.index.to_numpy() + end] for end in (0, 1))
    assert ((low < x) & (x <= high)).all()


def test_known_predictors_have_captured_what_they_have_memorized():
    points = [parameters.check(FLAT | {"seed": seed}) for seed in range(3)]
    table = known_predictors.scores(points)
    assert table["predictor"].unique().tolist() == list(known_predictors.TRUTHS)
    captured = table.pivot(index="seed", columns="predictor", values="captured")
    assert captured["best counter"].to_numpy() == pytest.approx(0, abs=1e-9)
    assert captured["half S, half best counter"].between(0.7, 0.8).all()
    assert (captured["S with doubt"] > 0.95).all() and (captured["uniform"] < 0).all()
    r = table.pivot(index="seed", columns="predictor", values="inside")
    assert (r["S with doubt"] > 0.9).all() and r["uniform"].max() > r["S with doubt"].min()


def test_the_relative_distance_is_that_of_the_library(run):
    ends = {name: run.references[name] for name in known_predictors.ENDS}
    for name, wanted in zip(ends, (-1, 1), strict=True):
        found = known_predictors._relative(ends[name], ends, run.splits[INSIDE])
        assert found == pytest.approx(wanted)


def test_strips_have_one_row_per_predictor_and_bars_only_for_means(monkeypatch):
    axes = Figure().subplots()
    errorbar = Mock(wraps=axes.errorbar)
    monkeypatch.setattr(axes, "errorbar", errorbar)
    pools = pd.DataFrame({"predictor": ["a", "b"] * 3, "truth": "half", "r": range(6)})
    mean = pd.DataFrame({"predictor": ["a"], "truth": "half", "r": 2.0, "low": 1.0, "high": 3.0})
    table = pd.concat([pools, mean], ignore_index=True)
    plots.strips(table, axes, x="r", look_of="truth", label="r", ends={"G": -1.0})
    points = axes.lines[0]
    assert points.get_xdata().tolist() == [0, 1, 2, 3, 4, 5]
    assert np.round(points.get_ydata()).tolist() == [0, 1, 0, 1, 0, 1]
    (bars,) = axes.containers
    assert bars.lines[0].get_xdata().tolist() == [2.0]
    assert errorbar.call_args.args[3].tolist() == [
        [1.0],
        [1.0],
    ]  # pandas 2 warns of two columns
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
