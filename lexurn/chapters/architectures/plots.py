"""Plots that compare backbones: who depends on what, and seeds with their means."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from lexurn.figures.plots import heat_map, line_groups
from lexurn.figures.style import NAMES, label


def influence(table: pd.DataFrame, axes: Axes, *, low: float, high: float) -> Axes:
    """Draw how far a token (across) moves each later prediction (down), on a logarithmic scale.

    `table`: seen, predicted, value.
    """
    heat_map(table, axes, down="predicted", across="seen", value="value", low=low, high=high)
    axes.set(xlabel="token", ylabel="row predicted")
    return axes


def dependence(table: pd.DataFrame, axes: Axes, *, low: float, high: float) -> Axes:
    """Draw how much each row (down) depends on each input (across), on a logarithmic scale.

    `table`: row, input, value. A value of zero is left blank.
    """
    table = table.assign(value=table["value"].where(table["value"] > 0))
    heat_map(table, axes, down="row", across="input", value="value", low=low, high=high)
    axes.set(xlabel="input", ylabel="row predicted")
    return axes


def seeds_and_means(
    table: pd.DataFrame, axes: Axes, *, x: str, line: str, mark: str, log: bool = False
) -> Axes:
    """Plot column `x`, with small points for seeds and large points for their means.

    With `log`, the axis is logarithmic and the means are geometric. The values of `line` are listed
    down the y-axis; each value of `mark`, at most eight, has its own colour and marker.
    """
    lines = list(table[line].unique())
    marks = line_groups(table, mark)
    for number, (name, group, look) in enumerate(marks):
        offset = 0.15 * (number - (len(marks) - 1) / 2)
        heights = {value: height + offset for height, value in enumerate(lines)}
        style = {"ls": "", "marker": look.marker, "color": look.color}
        axes.plot(group[x], group[line].map(heights), ms=3, alpha=0.5, zorder=2, **style)
        values = np.log(group[x]) if log else group[x]
        means = values.groupby(group[line], sort=False).mean()
        means = np.exp(means) if log else means
        style |= {"ms": 7, "label": NAMES.get(name, name), "zorder": 3}
        axes.plot(means, means.index.map(heights), **style)
    if log:
        axes.set_xscale("log")
    else:
        axes.locator_params(axis="x", nbins=4)
    axes.set(yticks=range(len(lines)), yticklabels=lines, ylim=(len(lines) - 0.5, -0.5))
    axes.set(xlabel=label(x))
    axes.label_outer()
    return axes
