"""Training is shown while it runs, and its plots show what was logged."""

import numpy as np
import pandas as pd

from lexurn.chapters.train import one_run, overview, plots
from lexurn.chapters.train.live import LiveTraining
from lexurn.figures import style
from lexurn.figures.trainings import attainable_losses


def test_training_curves_are_drawn_as_they_were_logged():
    metrics = pd.DataFrame(
        {"step": [0, 5], "validation_loss": [2.0, 1.0], "train_loss": [np.nan, 1.5]}
    )
    metrics["out_of_distribution/symmetrized_kl/memorizing"] = [0.3, 0.2]
    _, (losses, distances) = style.panels(2)
    judged = {"split": "out_of_distribution", "measure": "symmetrized_kl"}
    plots.training(metrics, losses, view="losses", **judged)
    assert losses.lines[1].get_ydata().tolist() == [2.0, 1.0]
    plots.training(metrics.assign(best_step=5), distances, view="distances", **judged)
    mark, line = distances.lines
    assert list(mark.get_xdata()) == [5, 5] and line.get_ydata().tolist() == [0.3, 0.2]


def test_outside_a_notebook_training_is_reported_in_lines(capsys):
    live = LiveTraining(10)
    live.lines.pause.seconds = 0.0
    for step in (0, 5, 10):
        live.log({"validation_loss": 1.5}, step)
    live.finish()
    lines = capsys.readouterr().err.strip().split("\n")
    assert lines[0] == "step 0/10  validation loss 1.5000  estimating"
    assert lines[1] == "step 5/10  validation loss 1.5000  almost done"
    assert len(lines) == 3


def test_captions_and_the_table_say_what_was_measured(tiny_run):
    run = tiny_run({"n_steps": 4, "eval_every": 2, "n_test_samples": 20, "context_length": 8})
    results = run.results_by_row.query("measure == 'symmetrized_kl'")
    fresh = results[results["split"] == "out_of_distribution"]
    means = fresh.pivot(index="row", columns="reference", values="mean")
    name = means.loc["mean"].idxmin()
    n_nearest = (means.loc[[str(row) for row in range(1, 9)]].idxmin(axis=1) == name).sum()
    assert one_run.nearest(run) == name
    rows = "every row" if n_nearest == 8 else f"{n_nearest} of 8 rows"
    assert f"nearest to the {name} predictor {name[0].upper()} on {rows}" in one_run.caption_rows(
        run
    )
    assert f"nearest to the {name} predictor" in one_run.caption_training(run)
    assert one_run.caption_table(run).startswith(f"The model is nearest to the {name} predictor")
    table = one_run.distances(run)
    assert table.index.tolist()[0] == ("in distribution", "mean") and len(table) == 6
    assert table.loc[("out of distribution", "mean"), name][0] == means.loc["mean", name]


def test_the_caption_of_one_sequence_names_the_most_similar_predictor():
    rows = [
        ("this model", 0, 0, 0.6),
        ("this model", 0, 1, 0.4),
        ("generalizing", 0, 0, 0.5),
        ("generalizing", 0, 1, 0.5),
        ("memorizing", 0, 0, 0.9),
        ("memorizing", 0, 1, 0.1),
    ]
    along = pd.DataFrame(rows, columns=["predictor", "row", "color", "probability"])
    caption = one_run.caption_sequence(along)
    assert "most like the generalizing predictor" in caption and "differ by 0.100 on" in caption
    swapped = along.replace({"generalizing": "memorizing", "memorizing": "generalizing"})
    assert "most like the memorizing predictor" in one_run.caption_sequence(swapped)


def test_readers_are_told_that_s_is_left_out_where_it_is_too_slow(tiny_run):
    small = {"n_steps": 2, "eval_every": 2, "n_test_samples": 4, "context_length": 4}
    assert one_run.about_the_measure(tiny_run(small)) == ""
    assert overview.walk(tiny_run(small)) is not None
    without_s = tiny_run(small | {"n_colors": 15})
    assert one_run.about_the_measure(without_s).startswith("S is left out")
    assert overview.walk(without_s) is None


def test_the_losses_that_exact_predictors_attain_and_a_model_that_renaming_changes(tiny_run):
    run = tiny_run({"n_steps": 2, "eval_every": 2, "n_test_samples": 50, "context_length": 8})
    losses = attainable_losses(run)
    assert losses["memorizing"] < min(losses["generalizing"], losses["symmetrized"])
    changes = overview.changes_by_renaming(run, 4)
    assert max(changes["generalizing"], changes["symmetrized"]) < 1e-9 < changes["memorizing"]
    assert overview.describe_renaming(changes).endswith(", G's and S's not.")
    walk = overview.walk(run)
    assert walk["mark"].tolist() == ["corner"] * 3 + ["untrained", ""]
