"""Coins: what a model says of them, and what is found inside of it."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.ticker import MaxNLocator

from lexurn.plotting.style import label

TOKENS = {0: ("o", "#0072B2", "tails"), 1: ("^", "#D55E00", "heads")}
"""Marker, colour and name of a point by the flip that was seen last."""

FEW = 8
"""So many places on a logarithmic axis are named one by one."""

LINES = ("-", (0, (5, 1)), (0, (3, 1, 1, 1)), ":", (0, (1, 3)), "--", "-.", (0, (8, 2, 2, 2)), (0, (8, 3)))
COLORS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999")
MARKERS = "os^Dv*PX"


def curves(
    table: pd.DataFrame,
    axes: Axes,
    *,
    x: str,
    y: str = "mean",
    line: str = "who",
    log: Sequence[str] = (),
    within: Sequence[float] = (),
) -> Axes:
    """A line for each value of a column, with two standard errors where the table has them (`sem`).

    What is named in `log` has a logarithmic axis; bands stay `within` two values. At most eight lines.
    """
    for (value, mine), color, style in zip(_groups(table, line), COLORS, LINES, strict=False):
        axes.plot(mine[x], mine[y], color=color, linestyle=style, label=str(value))
        if "sem" in mine and mine["sem"].notna().any():
            low, high = mine[y] - 2 * mine["sem"], mine[y] + 2 * mine["sem"]
            low, high = (each.clip(*within) for each in (low, high)) if within else (low, high)
            axes.fill_between(
                mine[x], low.clip(lower=mine[y] / 10) if y in log else low, high, color=color, alpha=0.15, lw=0
            )
    axes.set(xlabel=label(x), ylabel=label(y))
    for name, scale in ((x, axes.set_xscale), (y, axes.set_yscale)):
        if name in log:
            scale("log")
    if x not in log and pd.api.types.is_integer_dtype(table[x]):
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    if x in log and len(places := sorted(table[x].unique())) <= FEW:
        axes.set_xticks(places, labels=[f"{place:g}" for place in places])
        axes.xaxis.minorticks_off()
    if len(axes.get_shared_y_axes().get_siblings(axes)) > 1:
        axes.label_outer()
    return axes


def bounds(table: pd.DataFrame, axes: Axes) -> Axes:
    """Losses against the step, a line a model, and over them what is attained by whom.

    `table`: who, step, loss, and for the levels `attained by` (a text, else missing) with their loss alone.
    """
    levels = table.dropna(subset="attained by")
    curves(table[table["attained by"].isna()], axes, x="step", y="loss")
    for (name, value), style in zip(levels[["attained by", "loss"]].values, ("--", ":"), strict=False):
        axes.axhline(value, color="0.4", linestyle=style, linewidth=1)
        axes.text(
            1, value, f"{name} {value:.4f} ", transform=axes.get_yaxis_transform(), ha="right", va="bottom", fontsize=8
        )
    axes.set(ylabel="loss, rows 1 … C (nats)", ylim=(levels["loss"].min() - 0.02, levels["loss"].max() + 0.16))
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
        style = {"cmap": "cividis", "vmin": low, "vmax": high, "s": 18, "marker": marker, "label": f"after {name}"}
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
        axes.plot(points[x], points[y], marker, color=color, alpha=0.35, ms=4, ls="", label=f"after {name}")
        axes.plot(ends[x], ends[y], color=color, linewidth=1.5)
    axes.set(xlabel=label(x), ylabel=label(y))
    return axes


def agreement(table: pd.DataFrame, axes: Axes, *, x: str = "formula", y: str = "model") -> Axes:
    """What came against what a formula says: points, and the line on which they agree."""
    low, high = min(table[x].min(), table[y].min()), max(table[x].max(), table[y].max())
    axes.plot([low, high], [low, high], color="0.6", linestyle="--", linewidth=1)
    axes.plot(table[x], table[y], ".", color="0.1", alpha=0.4, ms=5)
    axes.set(xlabel=label(x), ylabel=label(y), aspect="equal")
    return axes


def estimates(table: pd.DataFrame, axes: Axes, *, x: str) -> Axes:
    """Estimates with their intervals, a line each, in a shape for each `what`. `table`: of, what, low, high, and x."""
    order = list(table["of"].unique())
    groups = _groups(table, "what")
    for place, ((what, mine), color, marker) in enumerate(zip(groups, COLORS, MARKERS, strict=False)):
        y = [order.index(each) + 0.7 * ((place + 0.5) / len(groups) - 0.5) for each in mine["of"]]
        bars = [mine[x] - mine["low"], mine["high"] - mine[x]]
        axes.errorbar(mine[x], y, xerr=bars, fmt=marker, color=color, ms=5, lw=1, label=what)
    axes.set(yticks=range(len(order)), yticklabels=order, ylim=(len(order) - 0.5, -0.5), xlabel=label(x))
    axes.locator_params(axis="x", nbins=6)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    return axes


def cumulative(table: pd.DataFrame, axes: Axes, *, x: str, line: str = "who") -> Axes:
    """The share of values that are at most as large, a line for each value of a column."""
    for (value, mine), color, style in zip(_groups(table, line), COLORS, LINES, strict=False):
        seaborn.ecdfplot(mine, x=x, ax=axes, color=color, linestyle=style, label=str(value))
    axes.set(xlabel=label(x), ylabel="share at most as large")
    return axes


def _groups(table: pd.DataFrame, column: str) -> list[tuple[Any, pd.DataFrame]]:
    """Not more than can be told apart: ValueError."""
    groups = list(table.groupby(column, sort=False))
    if len(groups) > len(COLORS):
        raise ValueError(f"{len(groups)} values of {column} cannot be told apart, at most {len(COLORS)}; draw fewer")
    return groups
