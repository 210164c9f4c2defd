"""Plots of one training: its losses, its distances to the exact predictors, and one prediction."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from lexurn.figures.style import (
    ball_colors,
    display_name,
    line_style,
    order_names,
    set_distance_axis,
    set_regret_axis,
    step_label,
)


def training(metrics: pd.DataFrame, axes: Axes, *, view: str, split: str, measure: str) -> Axes:
    """Draw logged `metrics` of one run: the losses if `view` is "losses", else the distances."""
    if view == "losses":
        return losses(metrics, axes)
    return distances(metrics, axes, split=split, measure=measure)


def distances(metrics: pd.DataFrame, axes: Axes, *, split: str, measure: str) -> Axes:
    """Draw the distance to every reference against the step, and mark `best_step` if it is given.

    `metrics` has the columns step and `<split>/<measure>/<reference>`; `Task.splits` and
    `Task.measure` say where, and by which measure, a task judges a model.
    """
    prefix = f"{split}/{measure}/"
    for best_step in metrics.get("best_step", [])[:1]:
        axes.axvline(best_step, color="0.55", linewidth=2, zorder=0)
    columns = [column.removeprefix(prefix) for column in metrics if column.startswith(prefix)]
    for name in order_names(column for column in columns if "/" not in column):
        style = {"marker": ".", "label": display_name(name), **line_style(name)}
        axes.plot(metrics["step"], metrics[prefix + name], **style)
    axes.set(xlabel=step_label(metrics))
    (set_distance_axis if measure == "symmetrized_kl" else set_regret_axis)(axes)
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


def predictions(table: pd.DataFrame, axes: Axes, *, names: Sequence[str] = ()) -> Axes:
    """Draw the predictions for one sequence: one line per colour, and the drawn balls below.

    `table` has the columns row, color, probability and ball (the colour drawn at that row). With
    `names`, one name per token, the tokens are shown by their names.
    """
    colors = ball_colors(table["color"].nunique())
    for color, rows in table.groupby("color"):
        axes.plot(rows["row"], rows["probability"], color=colors[color], drawstyle="steps-mid")
        if not names:
            end = rows.iloc[-1]
            axes.text(end["row"] + 1, end["probability"], color, va="center", fontsize=7)
    balls = table.drop_duplicates("row")
    for row, ball in balls[["row", "ball"]].values if names else ():
        axes.text(row, -0.16, names[ball], ha="center", va="center", fontsize=8)
    axes.scatter(balls["row"], [-0.06] * len(balls), c=[colors[i] for i in balls["ball"]], s=14)
    axes.set(
        xlabel="letters seen" if names else "balls seen",
        ylim=(-0.22 if names else -0.12, 1),
        ylabel="probability",
    )
    return axes
