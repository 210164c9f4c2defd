"""Plots for models of coins: their predictions and their activations."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lexurn.figures.looks import LOOKS
from lexurn.figures.plots import heat_map, line_groups
from lexurn.figures.style import label

TOKENS = {0: "tails", 1: "heads"}
"""The name of a point by its last flip; its look is in `LOOKS`."""

FATES = {"learned": LOOKS["tiny"].color, "stuck": LOOKS["heads"].color}


def over_theta(table: pd.DataFrame, axes: Axes, *, low: float, high: float) -> Axes:
    """Draw a heat map of means over coins (down) and flips seen (across) on a logarithmic scale.

    `table`: theta, row, mean.
    """
    heat_map(table, axes, down="theta", across="row", value="mean", low=low, high=high)
    axes.set(xlabel="flips seen", ylabel="probability of heads θ")
    return axes


def fate_counts(table: pd.DataFrame, axes: Axes) -> Axes:
    """Draw a histogram of excess losses on a logarithmic scale, with levels of weaker predictors.

    `table`: excess, and fate (learned or stuck), which is missing for levels, and level (the name
    of a level), which is missing for models.
    """
    models = table.dropna(subset="fate")
    values = table["excess"]
    bins = np.geomspace(values.min() / 1.1, values.max() * 1.1, 37)
    for fate, color in FATES.items():
        chosen = models.loc[models["fate"] == fate, "excess"]
        hatch = {"learned": "", "stuck": "//"}[fate]
        axes.hist(chosen, bins, color=color, label=fate, hatch=hatch, edgecolor="white", lw=0.5)
    levels = table.dropna(subset="level").iterrows()
    for (_, level), style in zip(levels, ("-.", "--", ":"), strict=False):
        axes.axvline(level["excess"], color="0.3", linestyle=style, lw=1.4, label=level["level"])
    axes.set(xscale="log", xlabel=label("excess"), ylabel="models")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    return axes


def effects(table: pd.DataFrame, axes: Axes) -> Axes:
    """Plot two effects of the last flip against each other, with the line on which they cancel.

    `table`: direct, head, fate.
    """
    ends = np.array([table["direct"].min(), table["direct"].max()])
    axes.plot(ends, -ends, color="0.4", linestyle="--", lw=1, label="they cancel")
    for fate, color in FATES.items():
        chosen = table[table["fate"] == fate]
        marker = {"learned": "o", "stuck": "X"}[fate]
        axes.plot(
            chosen["direct"], chosen["head"], marker, color=color, ms=5, alpha=0.7, label=fate
        )
    axes.set(xlabel="by its own embedding (log odds)", ylabel="through the head (log odds)")
    return axes


def levels_of_plane(table: pd.DataFrame, axes: Axes) -> Axes:
    """Draw the plane before the MLP: lines of equal log odds, and where contexts lie.

    `table`: what (`grid` or `context`), x, y, log_odds (of the grid), token (of contexts).
    """
    grid = table[table["what"] == "grid"].pivot(index="y", columns="x", values="log_odds")
    lines = axes.contour(grid.columns, grid.index, grid, levels=range(-4, 5), cmap="cividis")
    axes.clabel(lines, fontsize=7)
    for token, points in table[table["what"] == "context"].groupby("token"):
        color, _, marker, _ = LOOKS[TOKENS[token]]
        name = f"after {TOKENS[token]}"
        axes.plot(points["x"], points["y"], marker, color=color, ms=3, alpha=0.6, label=name)
    axes.set(xlabel="first dimension", ylabel="second dimension")
    return axes


def strips(table: pd.DataFrame, axes: Axes, *, x: str) -> Axes:
    """Draw one point per model on a logarithmic scale, one row per `of`, one look per `what`.

    The short line is the median. `table`: of, what, and `x`.
    """
    order = list(table["of"].unique())
    groups = line_groups(table, "what")
    for number, (what, rows, look) in enumerate(groups):
        shift = 0.7 * ((number + 0.5) / len(groups) - 0.5)
        y = np.array([order.index(name) + shift for name in rows["of"]])
        style = {"color": look.color, "ms": 4.5, "alpha": 0.6, "label": str(what)}
        axes.plot(rows[x], y, look.marker, **style)
        for name, chosen in rows.groupby("of"):
            at = order.index(name) + shift
            ends = [at - 0.3 / len(groups), at + 0.3 / len(groups)]
            axes.plot([chosen[x].median()] * 2, ends, color=look.color, lw=2)
    axes.set(xscale="log", xlabel=label(x), yticks=range(len(order)), yticklabels=order)
    axes.set(ylim=(len(order) - 0.5, -0.5))
    axes.grid(axis="x", color="0.9", linewidth=0.8)
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
