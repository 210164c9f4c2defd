"""Pictures show the table that they are given, and tell readers apart who see no colours."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lexurn import evaluation, experiment, plotting
from lexurn.parameters import check
from lexurn.widgets import LiveTraining


@pytest.fixture
def axes():
    figure, (axes,) = plotting.panels(1)
    yield axes
    plt.close(figure)


@pytest.fixture(scope="module")
def scene():
    settings = check({"n_test_samples": 10, "context_length": 6})
    pool = experiment.training_pool(settings)
    return experiment.references(settings, pool), experiment.held_out(settings, pool)


def test_rows_are_drawn_as_they_stand_in_the_table(axes, scene):
    references, held = scene
    table = evaluation.evaluate(references["generalizing"], references, held)
    assert plotting.distances_by_row(table, axes, split="out_of_distribution") is axes
    lines = dict(zip(plotting.NAMES, axes.lines, strict=True))
    wanted = [
        evaluation.select(table, split="out_of_distribution", row=str(row)).loc["memorizing", "mean"]
        for row in range(7)
    ]
    np.testing.assert_allclose(lines["memorizing"].get_ydata(), wanted)
    assert lines["memorizing"].get_xdata().tolist() == list(range(7))


def test_training_curves_are_drawn_as_they_were_logged(axes):
    metrics = pd.DataFrame({"step": [0, 5], "validation_loss": [2.0, 1.0], "train_loss": [np.nan, 1.5]})
    metrics["out_of_distribution/symmetrized_kl/memorizing"] = [0.3, 0.2]
    plotting.losses(metrics, axes)
    assert axes.lines[1].get_ydata().tolist() == [2.0, 1.0]
    plotting.distances_along_training(metrics, axes)
    assert axes.lines[-1].get_ydata().tolist() == [0.3, 0.2]


def test_predictions_are_drawn_a_line_a_color(axes, scene):
    references, held = scene
    table = evaluation.on_one_sequence(references, held["out_of_distribution"][:1])
    plotting.predictions(table, axes, who="memorizing")
    assert len(axes.lines) == 4
    for line, probability in zip(axes.lines, references["memorizing"].urns[0], strict=True):
        np.testing.assert_allclose(line.get_ydata(), probability)


def test_every_line_has_a_color_and_a_style_of_its_own():
    assert plotting.COLORS.keys() == plotting.STYLES.keys() >= plotting.NAMES.keys()
    assert len(set(plotting.COLORS.values())) == len(plotting.COLORS)
    assert len({str(style) for style in plotting.STYLES.values()}) == len(plotting.STYLES)


def test_outside_a_notebook_training_is_told_in_lines(capsys):
    live = LiveTraining(10)
    live.lines.interval = 0.0
    for step in (0, 5, 10):
        live.log({"validation_loss": 1.5}, step)
    live.finish()
    lines = capsys.readouterr().err.strip().split("\n")
    assert lines[0] == "step 0/10  validation loss 1.5000  estimating"
    assert lines[1].startswith("step 5/10  validation loss 1.5000  about ") and lines[1].endswith(" left")
    assert len(lines) == 3
