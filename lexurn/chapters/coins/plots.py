"""What a model says of coins, and what is found inside of it."""

import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from lexurn.figures.plots import curves, line_groups
from lexurn.figures.style import LINE_COLORS, LINE_STYLES, label

TOKENS = {0: ("o", "#0072B2", "tails"), 1: ("^", "#D55E00", "heads")}
"""Marker, colour and name of a point by the flip that was seen last."""


def bounds(table: pd.DataFrame, axes: Axes) -> Axes:
    """Losses against the step, a line a model, and over them what is attained by whom.

    `table`: who, step, loss, and for the levels `attained by` (a text, else missing) with their loss alone.
    """
    levels = table.dropna(subset="attained by")
    curves(table[table["attained by"].isna()], axes, x="step", y="loss")
    for (name, value), style in zip(
        levels[["attained by", "loss"]].values, ("--", ":"), strict=False
    ):
        axes.axhline(value, color="0.4", linestyle=style, linewidth=1)
        axes.text(
            1,
            value,
            f"{name} {value:.4f} ",
            transform=axes.get_yaxis_transform(),
            ha="right",
            va="bottom",
            fontsize=8,
        )
    axes.set(
        ylabel="loss, rows 1 … C (nats)",
        ylim=(levels["loss"].min() - 0.02, levels["loss"].max() + 0.16),
    )
    return axes


def over_theta(table: pd.DataFrame, axes: Axes, *, low: float, high: float) -> Axes:
    """A map of means, coins down and flips seen across, shaded on a logarithmic scale. `table`: theta, row, mean."""
    wide = table.pivot(index="theta", columns="row", values="mean")
    options = {"cmap": "cividis", "norm": LogNorm(low, high), "cbar_kws": {"format": "%g"}}
    seaborn.heatmap(wide.clip(lower=low), ax=axes, **options)
    axes.set(xlabel="flips seen", ylabel="probability of heads θ")
    return axes


def plane(table: pd.DataFrame, axes: Axes, *, color: str) -> Axes:
    """Points of a plane, shaded by a column, shaped by the flip seen last. `table`: x, y, token, and the column."""
    low, high = table[color].min(), table[color].max()
    for token, mine in table.groupby("token"):
        marker, _, name = TOKENS[token]
        style = {
            "cmap": "cividis",
            "vmin": low,
            "vmax": high,
            "s": 18,
            "marker": marker,
            "label": f"after {name}",
        }
        axes.scatter(mine["x"], mine["y"], c=mine[color], **style)
    axes.set(xlabel="first dimension", ylabel="second dimension")
    return axes


def against_share(table: pd.DataFrame, axes: Axes, *, x: str = "share", y: str = "z") -> Axes:
    """Points against a share of heads, by the flip seen last, with the lines fitted to them.

    `table`: token, x, y, and what it is: `point`, or `fit` for the two ends of a line.
    """
    for token, mine in table.groupby("token"):
        marker, color, name = TOKENS[token]
        points, ends = (mine[mine["what"] == what] for what in ("point", "fit"))
        axes.plot(
            points[x],
            points[y],
            marker,
            color=color,
            alpha=0.35,
            ms=4,
            ls="",
            label=f"after {name}",
        )
        axes.plot(ends[x], ends[y], color=color, linewidth=1.5)
    axes.set(xlabel=label(x), ylabel=label(y))
    return axes


def cumulative(table: pd.DataFrame, axes: Axes, *, x: str, line: str = "who") -> Axes:
    """The share of values that are at most as large, a line for each value of a column."""
    for (value, mine), color, style in zip(
        line_groups(table, line), LINE_COLORS, LINE_STYLES, strict=False
    ):
        seaborn.ecdfplot(mine, x=x, ax=axes, color=color, linestyle=style, label=str(value))
    axes.set(xlabel=label(x), ylabel="share at most as large")
    return axes
