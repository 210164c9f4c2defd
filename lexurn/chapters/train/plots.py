"""Plots of one training: its losses, or its distances to the exact predictors."""

import pandas as pd
from matplotlib.axes import Axes

from lexurn.figures.plots import distances_along_training


def training(metrics: pd.DataFrame, axes: Axes, *, view: str, split: str, measure: str) -> Axes:
    """Draw logged `metrics` of one run: the losses if `view` is "losses", else the distances."""
    if view == "losses":
        return losses(metrics, axes)
    return distances_along_training(metrics, axes, split=split, measure=measure)


def losses(metrics: pd.DataFrame, axes: Axes) -> Axes:
    """Draw training and validation loss against the step.

    `metrics` has the columns step and validation_loss, and optionally train_loss.
    """
    steps = metrics["step"]
    if "train_loss" in metrics:
        axes.plot(steps, metrics["train_loss"], color="0.55", marker=".", label="training")
    axes.plot(steps, metrics["validation_loss"], color="0.1", marker=".", label="validation")
    axes.set(xlabel="step", ylabel="loss (nats a token)")
    axes.legend(frameon=False)
    return axes
