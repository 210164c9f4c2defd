"""Vectors beside each other: tokens of a prompt, and layers of two models."""

from collections.abc import Sequence

import pandas as pd
import seaborn
from matplotlib.axes import Axes

from lexurn.figures.plots import curves

MOST_NAMED = 32
"""Tokens of a prompt that have their names at the axes; of more, places are told."""


def similarities(table: pd.DataFrame, axes: Axes, *, names: Sequence[str] = ()) -> Axes:
    """A map of the cosines of all pairs of tokens: −1 orange, 0 white, 1 violet. `table`: first, second, value."""
    wide = table.pivot(index="first", columns="second", values="value")
    image = axes.imshow(wide.to_numpy(), vmin=-1, vmax=1, cmap="PuOr", interpolation="nearest")
    if 0 < len(names) <= MOST_NAMED:
        axes.set_xticks(range(len(names)), labels=names, rotation=90)
        axes.set_yticks(range(len(names)), labels=names)
    axes.tick_params(labelsize=6, length=0)
    axes.spines[:].set_visible(False)
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.7, ticks=[-1, 0, 1])
    bar.outline.set_visible(False)
    return axes


def over_depth(table: pd.DataFrame, axes: Axes, *, step: int, y: str, line: str) -> Axes:
    """What the layers were at one step of a training, a line each; all steps have the same axis.

    `table`: step, layer, the column `y`, and `line`.
    """
    curves(table[table["step"] == step], axes, x="layer", y=y, line=line)
    low, high = table[y].min(), table[y].max()
    axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    return axes


def layers_alike(
    table: pd.DataFrame, axes: Axes, *, across: str = "layer of the other", down: str = "layer"
) -> Axes:
    """A map of how alike every layer of one model (down) is to every layer of another, with the numbers in it.

    `table`: layer, other, value, from 0 to 1.
    """
    wide = table.pivot(index="layer", columns="other", values="value")
    seaborn.heatmap(
        wide,
        ax=axes,
        vmin=0,
        vmax=1,
        cmap="cividis",
        annot=True,
        fmt=".2f",
        square=True,
        cbar=False,
    )
    for text in axes.texts:
        text.set_fontsize(8)
    axes.set(xlabel=across, ylabel=down)
    axes.tick_params(length=0)
    return axes
