"""Plots of one training: its losses, its distances to the exact predictors, and one prediction."""

import pandas as pd
from matplotlib.axes import Axes

from lexurn.figures.plots import distances_along_training
from lexurn.figures.style import display_name, line_style


def training(metrics: pd.DataFrame, axes: Axes, *, view: str, split: str, measure: str) -> Axes:
    """Draw logged `metrics` of one run: the losses if `view` is "losses", else the distances."""
    if view == "losses":
        return losses(metrics, axes)
    return distances(metrics, axes, split=split, measure=measure)


def distances(metrics: pd.DataFrame, axes: Axes, *, split: str, measure: str) -> Axes:
    """Draw the distance to every reference against the step; see `distances_along_training`."""
    axes = distances_along_training(metrics, axes, split=split, measure=measure)
    return _spread_first_steps(metrics, axes)


def losses(metrics: pd.DataFrame, axes: Axes) -> Axes:
    """Draw training and validation loss against the step.

    `metrics` has the columns step and validation_loss, and optionally train_loss. A column
    attainable/<name> has the loss of an exact predictor, which is drawn as a level.
    """
    steps = metrics["step"]
    if "train_loss" in metrics:
        axes.plot(steps, metrics["train_loss"], color="0.55", marker=".", label="training")
    axes.plot(steps, metrics["validation_loss"], color="0.1", marker=".", label="validation")
    prefix = "attainable/"
    for column in metrics.columns[metrics.columns.str.startswith(prefix)]:
        name = column.removeprefix(prefix)
        axes.axhline(metrics[column].iloc[0], label=display_name(name), **line_style(name))
    axes.set(xlabel="step", ylabel="loss (nats per token)")
    axes.legend(frameon=False)
    return _spread_first_steps(metrics, axes)


def _spread_first_steps(metrics: pd.DataFrame, axes: Axes) -> Axes:
    """Use an axis of steps that is logarithmic from the second evaluation on, and return the axes.

    Markers of many evaluations would hide the lines, and are left out.
    """
    steps = metrics["step"]
    if len(steps) > 2 and (first := steps.iloc[1]) > 0:
        axes.set_xscale("symlog", linthresh=first)
        axes.set_xlim(-first / 4, 1.1 * steps.iloc[-1])
        axes.xaxis.minorticks_off()
        axes.set_xlabel(f"{axes.get_xlabel()}, logarithmic")
        ticks = [10.0**power for power in range(7) if first <= 10**power <= steps.iloc[-1]]
        axes.set_xticks([0, *ticks], labels=["0", *(f"{tick:g}" for tick in ticks)])
    if len(steps) > 60:
        for line in axes.lines:
            line.set_marker("")
    return axes
