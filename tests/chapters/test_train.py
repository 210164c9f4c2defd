"""Training is shown while it runs, and its plots show what was logged."""

import numpy as np
import pandas as pd

from lexurn.chapters.train import plots
from lexurn.chapters.train.live import LiveTraining
from lexurn.figures import style


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
    live.lines.interval = 0.0
    for step in (0, 5, 10):
        live.log({"validation_loss": 1.5}, step)
    live.finish()
    lines = capsys.readouterr().err.strip().split("\n")
    assert lines[0] == "step 0/10  validation loss 1.5000  estimating"
    assert lines[1].startswith("step 5/10  validation loss 1.5000  about ") and lines[1].endswith(
        " left"
    )
    assert len(lines) == 3
