"""Plots of the audit: numbers as points on rows."""

import pandas as pd
from matplotlib.axes import Axes

from lexurn.figures.looks import LOOKS


def levels(table: pd.DataFrame, axes: Axes, *, x: str, label: str) -> Axes:
    """Draw one point per row of the table, named by `of` on the left, with its value beside it."""
    names = list(table["of"])
    axes.plot(table[x], range(len(names)), ls="", marker="o", color=LOOKS["blue"].color, ms=7)
    for height, value in enumerate(table[x]):
        axes.annotate(
            f"{value:.2g}", (value, height), xytext=(8, 0), textcoords="offset points", va="center"
        )
    axes.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    axes.set(xlabel=label, xlim=(0, 1.25 * table[x].max()))
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    return axes
