"""Plots of urns, of the balls drawn from them, and of predictions along sequences."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from lexurn.figures.looks import LOOKS
from lexurn.figures.style import (
    COLORS,
    GREYS,
    NAMES,
    ball_colors,
    display_name,
    line_style,
    set_hatches,
)

NAMED = ("red", "blue", "green")
"""The colours of the worked example."""


def balls(tokens: pd.DataFrame, axes: Axes) -> Axes:
    """Plot sequences as rows of balls with the numbers of their colours.

    `tokens`: sequences as rows, positions as columns.
    """
    colors = ball_colors(int(tokens.max(axis=None)) + 1)
    for row, sequence in enumerate(tokens.to_numpy()):
        for position, ball in enumerate(sequence):
            _ball(axes, position, row, ball, colors)
    axes.set(
        xlabel="ball",
        yticks=range(len(tokens)),
        yticklabels=tokens.index,
        ylim=(len(tokens) - 0.4, -0.6),
        xlim=(-0.8, None),
    )
    return axes


def entropies(table: pd.DataFrame, axes: Axes) -> Axes:
    """Plot the cumulative distribution of entropy by kind. `table`: kind, entropy (nats)."""
    import seaborn  # not above: its import of scipy.stats takes a second

    for (kind, rows), style in zip(table.groupby("kind", sort=False), GREYS, strict=False):
        seaborn.ecdfplot(rows, x="entropy", ax=axes, label=kind, **style)
    axes.set(xlabel="entropy (nats)", ylabel="share at most as large")
    return axes


def probability_of_color(table: pd.DataFrame, axes: Axes) -> Axes:
    """Plot one line per predictor for the probability of a colour, and the balls below.

    `table`: predictor, row, probability, and ball, the colour drawn at that row.
    """
    for name, rows in table.groupby("predictor", sort=False):
        axes.plot(rows["row"], rows["probability"], label=display_name(name), **line_style(name))
    drawn = table.drop_duplicates("row")[["row", "ball"]]
    _named_balls(axes, drawn["row"].tolist(), -0.06, drawn["ball"].tolist())
    axes.set(xlabel="balls seen", ylabel="probability of blue", ylim=(-0.12, 1))
    return axes


def predictions_after(table: pd.DataFrame, axes: Axes, *, row: int) -> Axes:
    """Plot the predictions after `row` balls as one group of bars per colour, below the balls.

    `table`: predictor, row, color, probability, ball, for all rows.
    """
    wide = table[table["row"] == row].pivot(
        index="color", columns="predictor", values="probability"
    )
    names = [name for name in COLORS if name in wide]
    wide[names].plot.bar(
        ax=axes, color=[COLORS[name] for name in names], width=0.75, rot=0, edgecolor="white"
    )
    set_hatches(axes.containers, names)
    axes.legend(
        list(axes.containers),
        [NAMES.get(name, name) for name in names],
        frameon=False,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
    )
    sequence = table.drop_duplicates("row").set_index("row")["ball"]
    last = table["row"].max()
    drawn = sequence[sequence.index < row]
    x = -0.45 + (len(wide) - 0.1) * drawn.index / max(last, 1)
    _named_balls(axes, x.tolist(), 1.08, drawn.tolist())
    axes.set(
        xlabel="colour of the next ball",
        ylabel="probability",
        xticks=range(len(wide)),
        xticklabels=[_name(color) for color in wide.index],
        ylim=(0, 1.16),
        yticks=[0, 0.25, 0.5, 0.75, 1],
        xlim=(-0.6, len(wide) - 0.4),
    )
    return axes


def _named_balls(axes: Axes, x: Sequence[float], y: float, colors: Sequence[int]) -> None:
    """Draw balls in a row, in their colours and with the first letters of their names."""
    names = [_name(color) for color in colors]
    axes.scatter(x, [y] * len(names), color=[COLORS.get(name, "0.35") for name in names], s=50)
    style: dict[str, Any] = {"ha": "center", "va": "center_baseline", "fontsize": 6}
    for place, name in zip(x, names, strict=True):
        axes.text(place, y, name[0], color="white", **style)


def _name(color: int) -> str:
    """Return the name of a colour, or its number if it has none."""
    return NAMED[color] if color < len(NAMED) else str(color)


def _ball(axes: Axes, x: float, y: float, color: int, colors: Sequence[Any]) -> None:
    """Draw a ball with the number of its colour."""
    axes.scatter(x, y, color=colors[color], s=90)
    style: dict[str, Any] = {
        "ha": "center",
        "va": "center_baseline",
        "fontsize": 7,
        "weight": "bold",
    }
    axes.text(x, y, color, color=_text_color(colors[color]), **style)


def _text_color(background: Any) -> str:
    """Return black or white, whichever is readable on this background."""
    red, green, blue = to_rgb(background)
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.55 else "black"


def bands(table: pd.DataFrame, axes: Axes) -> Axes:
    """Plot one row per claim: its band, the published value, and our value with two standard
    errors.

    `table`: claim, published, low, high, ours, error, all above zero.
    """
    rows = range(len(table))
    axes.barh(
        rows,
        table["high"] - table["low"],
        left=table["low"],
        color="0.9",
        edgecolor="0.5",
        height=0.7,
        label="band for ours",
    )
    axes.plot(
        table["published"], rows, "D", mfc="none", color="0.25", ms=6, ls="", label="expected"
    )
    bars = np.array([(2 * table["error"]).clip(upper=0.9 * table["ours"]), 2 * table["error"]])
    axes.errorbar(
        table["ours"],
        rows,
        xerr=bars,
        fmt=".",
        color=LOOKS["models"].color,
        ms=7,
        label="ours, ± 2 standard errors",
    )
    axes.set(
        yticks=rows,
        yticklabels=table["claim"],
        ylim=(len(table) - 0.4, -0.6),
        xscale="log",
        xlabel="nats",
    )
    axes.tick_params("y", labelsize=8)
    low, high = axes.get_xlim()
    ticks = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2)
    axes.set_xticks([tick for tick in ticks if low <= tick <= high])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3)
    return axes
