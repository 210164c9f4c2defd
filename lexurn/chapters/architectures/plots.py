"""Backbones side by side: what each owes to the past, and what seeds and their mean come to."""

import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from lexurn.figures.style import LINE_COLORS, LINE_MARKERS, NAMES, label


def influence(table: pd.DataFrame, axes: Axes, *, low: float, high: float) -> Axes:
    """A map of how far a token (across) moves each later prediction (down), on a logarithmic scale.

    `table`: seen, predicted, value.
    """
    wide = table.pivot(index="predicted", columns="seen", values="value")
    options = {"cmap": "cividis", "norm": LogNorm(low, high), "cbar_kws": {"format": "%g"}}
    seaborn.heatmap(wide.clip(lower=low), ax=axes, **options)
    axes.set(xlabel="token", ylabel="row predicted")
    return axes


def seeds_and_means(table: pd.DataFrame, axes: Axes, *, x: str, line: str, mark: str) -> Axes:
    """For each value of `line` (down) and of `mark` (a colour and a marker; at most eight) the seeds, small, and their
    mean, large."""
    lines, marks = list(table[line].unique()), list(table[mark].unique())
    for number, (name, color, marker) in enumerate(
        zip(marks, LINE_COLORS, LINE_MARKERS, strict=False)
    ):
        mine = table[table[mark] == name]
        lifted = {
            each: place + 0.15 * (number - (len(marks) - 1) / 2) for place, each in enumerate(lines)
        }
        style = {"ls": "", "marker": marker, "color": color}
        axes.plot(mine[x], mine[line].map(lifted), ms=3, alpha=0.5, zorder=2, **style)
        means = mine.groupby(line, sort=False)[x].mean()
        axes.plot(
            means, means.index.map(lifted), ms=7, label=NAMES.get(name, name), zorder=3, **style
        )
    axes.locator_params(axis="x", nbins=4)
    axes.set(
        yticks=range(len(lines)), yticklabels=lines, ylim=(len(lines) - 0.5, -0.5), xlabel=label(x)
    )
    axes.label_outer()
    return axes
