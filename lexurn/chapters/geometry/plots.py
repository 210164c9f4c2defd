"""Plots for the geometry of token vectors: tokens of a prompt, and layers of two models."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from lexurn.figures.plots import curves

MAX_NAMED = 32
"""The largest number of tokens whose names are written at the axes; more tokens have no labels."""


def similarities(table: pd.DataFrame, axes: Axes, *, names: Sequence[str] = ()) -> Axes:
    """Draw the cosines of all pairs of tokens as an image: −1 orange, 0 white, 1 violet.

    `table`: first, second, value.
    """
    wide = table.pivot(index="first", columns="second", values="value")
    image = axes.imshow(wide.to_numpy(), vmin=-1, vmax=1, cmap="PuOr", interpolation="nearest")
    if 0 < len(names) <= MAX_NAMED:
        axes.set_xticks(range(len(names)), labels=names, rotation=90)
        axes.set_yticks(range(len(names)), labels=names)
    axes.tick_params(labelsize=6, length=0)
    axes.spines[:].set_visible(False)
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.7, ticks=[-1, 0, 1])
    bar.outline.set_visible(False)
    return axes


def over_depth(table: pd.DataFrame, axes: Axes, *, step: int, y: str, line: str) -> Axes:
    """Plot column `y` over the layers at one step of training, one line per value of `line`.

    The limits of the y-axis are the same for all steps. `table`: step, layer, `y`, and `line`.
    """
    curves(table[table["step"] == step], axes, x="layer", y=y, line=line)
    low = table[y].min()
    high = table[y].max()
    axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    return axes
