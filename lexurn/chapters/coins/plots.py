"""Plots for models of coins: their predictions and their activations."""

import pandas as pd
from matplotlib.axes import Axes

from lexurn.figures.looks import LOOKS
from lexurn.figures.plots import heat_map, line_groups
from lexurn.figures.style import label

TOKENS = {0: "tails", 1: "heads"}
"""The name of a point by its last flip; its look is in `LOOKS`."""


def over_theta(table: pd.DataFrame, axes: Axes, *, low: float, high: float) -> Axes:
    """Draw a heat map of means over coins (down) and flips seen (across) on a logarithmic scale.

    `table`: theta, row, mean.
    """
    heat_map(table, axes, down="theta", across="row", value="mean", low=low, high=high)
    axes.set(xlabel="flips seen", ylabel="probability of heads θ")
    return axes


def plane(table: pd.DataFrame, axes: Axes, *, color: str) -> Axes:
    """Scatter points of a plane, shaded by the column `color`, with markers by the last flip.

    A bar below the panel says which shade means what; markers in the legend are grey.

    `table`: x, y, token, and the column named by `color`.
    """
    low = table[color].min()
    high = table[color].max()
    for token, points in table.groupby("token"):
        name = TOKENS[token]
        marker = LOOKS[name].marker
        style = {"marker": marker, "s": 18, "cmap": "cividis", "vmin": low, "vmax": high}
        shaded = axes.scatter(points["x"], points["y"], c=points[color], **style)
        axes.scatter([], [], marker=marker, s=18, color="0.4", label=f"after {name}")
    axes.set(xlabel="first dimension", ylabel="second dimension")
    axes.figure.colorbar(shaded, ax=axes, location="bottom", label=label(color))
    return axes


def against_share(table: pd.DataFrame, axes: Axes, *, x: str = "share", y: str = "z") -> Axes:
    """Plot points against the share of heads, with their fitted lines, by the last flip.

    `table`: token, x, y, and what: `point`, or `fit` for the two ends of a line.
    """
    for token, group in table.groupby("token"):
        name = TOKENS[token]
        color, _, marker, _ = LOOKS[name]
        points = group[group["what"] == "point"]
        ends = group[group["what"] == "fit"]
        style = {"color": color, "alpha": 0.35, "ms": 4, "ls": ""}
        axes.plot(points[x], points[y], marker, label=f"after {name}", **style)
        axes.plot(ends[x], ends[y], color=color, linewidth=1.5)
    axes.set(xlabel=label(x), ylabel=label(y))
    return axes


def cumulative(table: pd.DataFrame, axes: Axes, *, x: str, line: str = "who") -> Axes:
    """Plot the empirical distribution function of column `x`, one line per value of `line`."""
    import seaborn  # not above: its import of scipy.stats takes a second

    for value, group, look in line_groups(table, line):
        style = {"color": look.color, "linestyle": look.dash, "label": str(value)}
        seaborn.ecdfplot(group, x=x, ax=axes, **style)
    axes.set(xlabel=label(x), ylabel="share at most as large")
    return axes
