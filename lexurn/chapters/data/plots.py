"""Plots of urns, of the balls drawn from them, and of predictions along sequences."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, to_rgb

from lexurn.figures.looks import LOOKS, looks
from lexurn.figures.style import COLORS, GREYS, NAMES, ball_colors, set_hatches


def urns(pool: pd.DataFrame, axes: Axes) -> Axes:
    """Plot colour proportions, one bar per urn. `pool`: urns as rows, colours as columns."""
    colors = ball_colors(pool.shape[1])
    pool.plot.barh(stacked=True, ax=axes, color=colors, legend=False, width=0.8)
    for color, bars in enumerate(axes.containers):
        texts = [color if bar.get_width() > 0.06 else "" for bar in bars]
        axes.bar_label(
            bars,
            texts,
            label_type="center",
            color=_text_color(colors[color]),
            fontsize=7,
            weight="bold",
        )
    axes.set(xlabel="proportion", ylabel="urn", xlim=(0, 1), ylim=(max(len(pool), 12) - 0.5, -0.5))
    return axes


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


def simplex(urns: pd.DataFrame, axes: Axes) -> Axes:
    """Plot urns of three colours as points in a triangle; corners are urns of a single colour.

    `urns`: one column per colour, named "0", "1" and "2".
    """
    height = 3**0.5 / 2
    axes.plot([0, 1, 0.5, 0], [0, 0, height, 0], color="0.5", linewidth=1)
    axes.scatter(urns["1"] + urns["2"] / 2, urns["2"] * height, s=6, color="0.35", alpha=0.7)
    for color, (x, y) in enumerate([(-0.05, -0.05), (1.05, -0.05), (0.5, height + 0.05)]):
        _ball(axes, x, y, color, ball_colors(3))
    axes.set(aspect="equal")
    axes.axis("off")
    return axes


def entropies(table: pd.DataFrame, axes: Axes) -> Axes:
    """Plot the cumulative distribution of entropy by kind. `table`: kind, entropy (nats)."""
    import seaborn  # not above: its import of scipy.stats takes a second

    for (kind, rows), style in zip(table.groupby("kind", sort=False), GREYS, strict=False):
        seaborn.ecdfplot(rows, x="entropy", ax=axes, label=kind, **style)
    axes.set(xlabel="entropy (nats)", ylabel="share at most as large")
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
    colors = ball_colors(len(wide))
    axes.scatter(x, [1.08] * len(drawn), color=[colors[ball] for ball in drawn], s=40)
    axes.set(
        xlabel="colour",
        ylabel="probability of the next ball",
        ylim=(0, 1.16),
        yticks=[0, 0.25, 0.5, 0.75, 1],
        xlim=(-0.6, len(wide) - 0.4),
    )
    return axes


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


def discrimination(table: pd.DataFrame, axes: Axes) -> Axes:
    """Plot distances as a heat map over colours and urns, shaded from 0.001 to 1 nat.

    `table`: n_colors, n_tasks, mean, sem.
    """
    import seaborn  # not above: its import of scipy.stats takes a second

    pairs = zip(table["mean"], table["sem"], strict=True)
    table = table.assign(text=[f"{mean:.2g}\n±{sem:.1g}" for mean, sem in pairs])
    wide, text = (
        table.pivot(index="n_tasks", columns="n_colors", values=name) for name in ("mean", "text")
    )
    options = {"cbar": False, "cmap": "cividis", "linewidths": 1, "annot_kws": {"fontsize": 8}}
    seaborn.heatmap(wide, annot=text, fmt="", ax=axes, norm=LogNorm(1e-3, 1), **options)
    axes.set(xlabel="colours V", ylabel="urns in the pool D")
    return axes


def distances_by_context(table: pd.DataFrame, axes: Axes) -> Axes:
    """Plot the distance over context length, one line per number of colours.

    `table`: n_colors, row, mean_to, sem_to.
    """
    given = looks(sorted(table["n_colors"].unique()))
    for n_colors, rows in table.groupby("n_colors"):
        shade, dash, *_ = given[n_colors]
        x, mean, band = rows["row"], rows["mean_to"], 2 * rows["sem_to"]
        axes.plot(x, mean, color=shade, linestyle=dash, label=f"V = {n_colors}")
        axes.fill_between(x, mean - band, mean + band, color=shade, alpha=0.15, linewidth=0)
    axes.set(xlabel="context length C", ylabel="distance (nats)", xscale="log", ylim=(0, None))
    axes.xaxis.set_major_formatter("{x:g}")
    return axes


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
        table["published"], rows, "D", mfc="none", color="0.25", ms=6, ls="", label="published"
    )
    bars = [(2 * table["error"]).clip(upper=0.9 * table["ours"]), 2 * table["error"]]
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
