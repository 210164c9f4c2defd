"""The chapter's own figures."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from lexurn.figures.style import label_outer_if_shared, line_style, look, set_distance_axis

PANELS = ("in distribution", "on fresh urns")
"""Columns of one figure, whose panels have the same range."""

TRUTHS = {"memorized": "symmetrized", "half": "exact", "no memory": "generalizing"}
"""What a known predictor has memorized, and the entity whose look its points have."""

SHORT = {"generalizing": "G", "memorizing": "M", "symmetrized": "S"}


def distances_by_kind(table: pd.DataFrame, axes: Axes, *, split: str) -> Axes:
    """Draw the distances of models to each reference: a point per urn, and a bar at their mean.

    `table`: kind, seed, split, reference, mean.
    """
    table = table[table["split"] == split]
    kinds = list(table["kind"].unique())
    for (kind, reference), rows in table.groupby(["kind", "reference"], sort=False):
        x = list(SHORT).index(reference) + 0.27 * (kinds.index(kind) - (len(kinds) - 1) / 2)
        label = kind if reference == next(iter(SHORT)) else None
        style = {"marker": look(kind).marker, "color": look(kind).color, "ls": "", "ms": 5}
        jittered = [x + 0.03 * (number % 5 - 2) for number in range(len(rows))]
        axes.plot(jittered, rows["mean"], alpha=0.5, label=label, **style)
        axes.hlines(rows["mean"].mean(), x - 0.12, x + 0.12, color=look(kind).color, lw=2.5)
    axes.set(xlim=(-0.5, len(SHORT) - 0.5), xticks=range(len(SHORT)))
    axes.set_xticklabels([f"to {short}" for short in SHORT.values()])
    return set_distance_axis(axes)


def strips(
    table: pd.DataFrame, axes: Axes, *, x: str, look_of: str, label: str, ends: Mapping[str, float]
) -> Axes:
    """Draw a row of points for each `predictor`, one point per pool, and perhaps their mean.

    table      predictor, low and high (of means; NaN for pools), and the columns `x` and `look_of`,
               which holds a kind of model or one of `TRUTHS`
    ends       values of `x` that get a line, by their names
    """
    order = list(table["predictor"].unique())
    limits = table[list({x, *table.columns.intersection(PANELS)})].stack()
    margin = 0.04 * (limits.max() - limits.min())
    for name, rows in table.groupby(look_of, sort=False):
        style = look(TRUTHS.get(name, name))
        means, pools = rows[rows["low"].notna()], rows[rows["low"].isna()]
        y = [order.index(row) + 0.09 * (n % 5 - 2) for n, row in enumerate(pools["predictor"])]
        points = {"color": style.color, "ms": 5, "alpha": 0.55, "mew": 1, "ls": ""}
        axes.plot(pools[x], y, style.marker, label=name, **points)
        bars = np.array([means[x] - means["low"], means["high"] - means[x]])
        bar = {"fmt": style.marker, "color": style.color, "mec": "black", "ms": 8, "capsize": 3}
        axes.errorbar(
            means[x], [order.index(row) + 0.32 for row in means["predictor"]], None, bars, **bar
        )
    for name, value in ends.items():
        axes.axvline(value, color="0.4", linestyle=":", linewidth=1)
        axes.text(value, -0.55, f" {name}", va="bottom", fontsize=9, color="0.3")
    axes.set(yticks=range(len(order)), yticklabels=order, ylim=(len(order) - 0.4, -0.95))
    axes.set(xlabel=label, xlim=(limits.min() - margin, limits.max() + margin))
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    return label_outer_if_shared(axes)


def by_counts(table: pd.DataFrame, axes: Axes) -> Axes:
    """Draw distances against how flat the counts are, with bands of two standard errors.

    `table`: reference, x, mean, sem.
    """
    for name, rows in table.groupby("reference", sort=False):
        is_model = name in SHORT
        style = line_style(name) if is_model else {"color": "0.35", "linestyle": "-"}
        label = f"model to {SHORT[name]}" if is_model else name
        axes.plot(rows["x"], rows["mean"], marker=".", label=label, **style)
        low, high = (rows["mean"] + 2 * sign * rows["sem"] for sign in (-1, 1))
        low = low.clip(lower=rows["mean"] / 10)
        axes.fill_between(rows["x"], low, high, color=style["color"], alpha=0.15, lw=0)
    axes.axvline(0, color="0.4", linestyle=":", linewidth=1)
    axes.set(xlabel="entropy, counts − training urn (nats)")
    return set_distance_axis(axes)


def intervals(table: pd.DataFrame, axes: Axes) -> Axes:
    """Draw missing shares of single urns with their intervals, and the mean as a vertical band.

    `table`: of, what (`urn` or `mean`), missing, low, high.
    """
    urns, mean = (table[table["what"] == what] for what in ("urn", "mean"))
    style = {"color": look("lexical").color, "lw": 2.5, "fmt": "|", "ms": 9}
    bars = np.array([urns["missing"] - urns["low"], urns["high"] - urns["missing"]])
    axes.errorbar(urns["missing"], urns["of"], None, bars, label="one urn, over sequences", **style)
    for middle, low, high in mean[["missing", "low", "high"]].to_numpy():
        axes.axvspan(low, high, color="0.85", lw=0, zorder=0, label="mean, over urns")
        axes.axvline(middle, color="0.4", lw=1.2, zorder=0)
    axes.set(xscale="log", xlabel="missing share, 1 − captured")
    ticks = [0.1, 0.2, 0.5, 1, 2, 5]
    axes.set_xticks(
        [tick for tick in ticks if urns["low"].min() / 2 < tick < urns["high"].max() * 2]
    )
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.xaxis.set_minor_formatter("")
    return axes
