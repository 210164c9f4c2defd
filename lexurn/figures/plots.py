"""Plot functions that several chapters share: each draws a table on Axes and returns the Axes.

Plot functions compute no results. A plot that only one chapter uses is in
`lexurn.chapters.<chapter>.plots`; colours, line styles and panels are in `lexurn.figures.style`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from lexurn.figures.looks import Look, looks
from lexurn.figures.style import (
    display_name,
    label,
    label_outer_if_shared,
    line_style,
    order_names,
    set_distance_axis,
    set_regret_axis,
    step_label,
)

# Maximum number of values on a logarithmic axis that all get a tick label.
MAX_NAMED_TICKS = 8


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
    """Draw one curve per value of the column `line`, with a band of two standard errors (`sem`).

    Columns named in `log` get a logarithmic axis. Bands are clipped to the two values of `within`.
    Raises ValueError for more than eight curves.
    """
    for value, rows, look in line_groups(table, line):
        color = look.color
        axes.plot(rows[x], rows[y], color=color, linestyle=look.dash, label=str(value))
        if "sem" in rows and rows["sem"].notna().any():
            low = (rows[y] - 2 * rows["sem"]).clip(*within)
            high = (rows[y] + 2 * rows["sem"]).clip(*within)
            if y in log:
                low = low.clip(lower=rows[y] / 10)
            axes.fill_between(rows[x], low, high, color=color, alpha=0.15, lw=0)
    axes.set(xlabel=step_label(table) if x == "step" else label(x), ylabel=label(y))
    if x in log:
        axes.set_xscale("log")
    if y in log:
        axes.set_yscale("log")
    if x not in log and pd.api.types.is_integer_dtype(table[x]):
        axes.xaxis.set_major_locator(ticker.MaxNLocator("auto", integer=True))
    elif x in log and len(table[x].unique()) <= MAX_NAMED_TICKS:
        ticks = sorted(table[x].unique())
        axes.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
        axes.xaxis.minorticks_off()
    return label_outer_if_shared(axes)


def agreement(table: pd.DataFrame, axes: Axes, *, x: str = "formula", y: str = "model") -> Axes:
    """Draw one column against another as points, with the line on which they agree."""
    ends = [table[[x, y]].min(axis=None), table[[x, y]].max(axis=None)]
    axes.plot(ends, ends, color="0.5", linestyle="--", linewidth=1)
    axes.plot(table[x], table[y], ".", color="0.1", alpha=0.4, ms=5)
    axes.set(xlabel=label(x), ylabel=label(y), aspect="equal")
    return axes


def estimates(table: pd.DataFrame, axes: Axes, *, x: str) -> Axes:
    """Draw estimates with their intervals, one row per `of` and one marker shape per `what`.

    `table` has the columns of, what, low, high, and `x`.
    """
    order = list(table["of"].unique())
    groups = line_groups(table, "what")
    for number, (what, rows, look) in enumerate(groups):
        shift = 0.7 * ((number + 0.5) / len(groups) - 0.5)
        y = [order.index(name) + shift for name in rows["of"]]
        bars = np.array([rows[x] - rows["low"], rows["high"] - rows[x]])
        style = {"fmt": look.marker, "color": look.color, "ms": 5, "lw": 1}
        axes.errorbar(rows[x], y, xerr=bars, label=what, **style)
    axes.set(
        yticks=range(len(order)),
        yticklabels=order,
        ylim=(len(order) - 0.5, -0.5),
        xlabel=label(x),
    )
    axes.locator_params(axis="x", nbins=6)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    return axes


def heat_map(
    table: pd.DataFrame, axes: Axes, *, down: str, across: str, value: str, low: float, high: float
) -> Axes:
    """Draw the column `value` as a heat map over two others, on a logarithmic scale."""
    import seaborn  # not above: its import of scipy.stats takes a second

    wide = table.pivot(index=down, columns=across, values=value)
    options = {"cmap": "cividis", "norm": LogNorm(low, high), "cbar_kws": {"format": "%g"}}
    return seaborn.heatmap(wide.clip(lower=low), ax=axes, **options)


def line_groups(table: pd.DataFrame, column: str) -> list[tuple[Any, pd.DataFrame, Look]]:
    """Return each value of a column with its rows and its look, in the order of the table.

    Raises ValueError for more values than one figure can distinguish.
    """
    groups = list(table.groupby(column, sort=False))
    given = looks(value for value, _ in groups)
    return [(value, rows, given[value]) for value, rows in groups]


def distances_by_row(results: pd.DataFrame, axes: Axes, *, split: str) -> Axes:
    """Draw the distance to every reference against the tokens seen, with two standard errors.

    `results` is a tidy table of an evaluation. A formal language has no symmetrized KL to its
    oracle, so a table without symmetrized KL is drawn as regrets.
    """
    has_kl = (results["measure"] == "symmetrized_kl").any()
    measure = "symmetrized_kl" if has_kl else "regret"
    results = results[
        (results["split"] == split)
        & (results["measure"] == measure)
        & ~results["row"].isin(["last", "mean"])
    ]
    for name in order_names(results["reference"]):
        rows = results[results["reference"] == name]
        n_seen = rows["row"].astype(int)
        style = line_style(name)
        axes.plot(n_seen, rows["mean"], label=display_name(name), **style)
        low, high = (rows["mean"] + 2 * sign * rows["sem"] for sign in (-1, 1))
        if has_kl:
            low = low.clip(lower=rows["mean"] / 10)  # a log axis excludes zero
        axes.fill_between(n_seen, low, high, color=style["color"], alpha=0.2, linewidth=0)
    axes.set(xlabel="balls seen" if has_kl else "letters seen")
    return set_distance_axis(axes) if has_kl else set_regret_axis(axes)
