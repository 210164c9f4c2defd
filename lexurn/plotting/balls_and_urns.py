"""Urns, the balls that are drawn from them, and what a predictor says along them."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import seaborn
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from lexurn.plotting.style import COLORS, GREYS, HATCHES, NAMES


def urns(pool: pd.DataFrame, axes: Axes) -> Axes:
    """Proportions of the colours, a bar an urn. `pool`: a line an urn, a column a colour."""
    colors = ball_colors(pool.shape[1])
    pool.plot.barh(stacked=True, ax=axes, color=colors, legend=False, width=0.8)
    for color, bars in enumerate(axes.containers):
        texts = [color if bar.get_width() > 0.06 else "" for bar in bars]
        axes.bar_label(bars, texts, label_type="center", color=_on(colors[color]), fontsize=7, weight="bold")
    axes.set(xlabel="proportion", ylabel="urn", xlim=(0, 1), ylim=(max(len(pool), 12) - 0.5, -0.5))
    return axes


def balls(tokens: pd.DataFrame, axes: Axes) -> Axes:
    """Sequences as rows of balls, each with its colour's number. `tokens`: a line a sequence, a column a place."""
    colors = ball_colors(int(tokens.max(axis=None)) + 1)
    for line, (_, sequence) in enumerate(tokens.iterrows()):
        for place, ball in enumerate(sequence):
            _ball(axes, place, line, ball, colors)
    axes.set(
        xlabel="ball",
        yticks=range(len(tokens)),
        yticklabels=tokens.index,
        ylim=(len(tokens) - 0.4, -0.6),
        xlim=(-0.8, None),
    )
    return axes


def simplex(urns: pd.DataFrame, axes: Axes) -> Axes:
    """Urns of three colours as points in a triangle, whose corners are urns of one colour. Columns: colours."""
    height = 3**0.5 / 2
    axes.plot([0, 1, 0.5, 0], [0, 0, height, 0], color="0.5", linewidth=1)
    axes.scatter(urns["1"] + urns["2"] / 2, urns["2"] * height, s=6, color="0.35", alpha=0.7)
    for color, (x, y) in enumerate([(-0.05, -0.05), (1.05, -0.05), (0.5, height + 0.05)]):
        _ball(axes, x, y, color, ball_colors(3))
    axes.set(aspect="equal")
    axes.axis("off")
    return axes


def entropies(table: pd.DataFrame, axes: Axes) -> Axes:
    """How often an entropy is reached at most, a line per kind. `table`: kind, entropy (nats)."""
    for (kind, line), color in zip(table.groupby("kind", sort=False), GREYS, strict=False):
        seaborn.ecdfplot(line, x="entropy", ax=axes, label=kind, **color)
    axes.set(xlabel="entropy (nats)", ylabel="share at most as large")
    return axes


def predictions(table: pd.DataFrame, axes: Axes, *, names: Sequence[str] = ()) -> Axes:
    """One predictor on one sequence: a line per colour, and the balls as they came; or per token, by their `names`.

    `table`: row, color, probability, and ball (the colour that came at that row).
    """
    colors = ball_colors(table["color"].nunique())
    for color, line in table.groupby("color"):
        axes.plot(line["row"], line["probability"], color=colors[color], drawstyle="steps-mid")
        if not names:
            axes.text(line["row"].iloc[-1] + 1, line["probability"].iloc[-1], color, va="center", fontsize=7)
    balls = table.drop_duplicates("row")
    for row, ball in balls[["row", "ball"]].values if names else ():
        axes.text(row, -0.16, names[ball], ha="center", va="center", fontsize=8)
    axes.scatter(balls["row"], [-0.06] * len(balls), c=[colors[ball] for ball in balls["ball"]], s=14)
    low = -0.22 if names else -0.12
    axes.set(xlabel="letters seen" if names else "balls seen", ylim=(low, 1), ylabel="probability")
    return axes


def predictions_after(table: pd.DataFrame, axes: Axes, *, row: int) -> Axes:
    """What predictors say after `row` balls, a group of bars a colour, and above them the balls.

    `table`: predictor, row, color, probability, ball, for all rows.
    """
    wide = table[table["row"] == row].pivot(index="color", columns="predictor", values="probability")
    names = [name for name in COLORS if name in wide]
    wide[names].plot.bar(ax=axes, color=[COLORS[name] for name in names], width=0.75, rot=0, edgecolor="white")
    for bars, hatch in zip(axes.containers, HATCHES, strict=False):
        for bar in bars:
            bar.set_hatch(hatch)
    seen, last = table.drop_duplicates("row").set_index("row")["ball"], table["row"].max()
    for place, ball in seen[seen.index < row].items():
        x = -0.45 + (len(wide) - 0.1) * place / max(last, 1)
        axes.scatter(x, 1.08, color=ball_colors(len(wide))[ball], s=40, clip_on=False)
    axes.set(xlabel="colour", ylabel="probability of the next ball", ylim=(0, 1), xlim=(-0.6, len(wide) - 0.4))
    axes.legend([NAMES.get(name, name) for name in names], frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return axes


def ball_colors(n_colors: int) -> Sequence[Any]:
    """A colour for each colour of balls, from dark to light, so that they are told apart without colour too."""
    return [colormaps["viridis"](0.95 * color / max(n_colors - 1, 1)) for color in range(n_colors)]


def _ball(axes: Axes, x: float, y: float, color: int, colors: Sequence[Any]) -> None:
    """A ball with its colour's number."""
    axes.scatter(x, y, color=colors[color], s=90)
    style: dict[str, Any] = {"ha": "center", "va": "center_baseline", "fontsize": 7, "weight": "bold"}
    axes.text(x, y, color, color=_on(colors[color]), **style)


def _on(color: Any) -> str:
    """Black or white, whichever is read on a ground of this colour."""
    red, green, blue = to_rgb(color)
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.55 else "black"
