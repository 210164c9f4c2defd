"""Plots of the audit: numbers as points on rows."""

import pandas as pd
from matplotlib.axes import Axes

from lexurn.figures.style import label


def levels(table: pd.DataFrame, axes: Axes, *, x: str, log: bool = False) -> Axes:
    """Draw one point per row of the table, with its name `of` on the left and its value beside it.

    With `log`, the axis is logarithmic; otherwise it begins at zero.
    """
    names = list(table["of"])
    axes.plot(table[x], range(len(names)), ls="", marker="o", color="#0072B2", ms=7)
    for height, value in enumerate(table[x]):
        axes.annotate(
            f"{value:.2g}", (value, height), xytext=(8, 0), textcoords="offset points", va="center"
        )
    axes.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    axes.set(xlabel=label(x), xscale="log" if log else "linear")
    if not log:
        axes.set_xlim(0, 1.25 * table[x].max())
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    return axes
