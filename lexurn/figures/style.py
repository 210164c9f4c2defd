"""Colours, dashes, markers, panels and legends that all figures share.

Colours, dashes, markers and hatches of all names are in `lexurn.figures.looks`. A name without an
entry gets a look that depends on the name alone or on its place in the table, so that a figure is
always redrawn with the same bytes.
"""

import re
from collections.abc import Iterable
from math import ceil
from typing import Any

import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation

from lexurn.base.files import hash_bytes
from lexurn.base.wording import SUPERSCRIPTS, counted
from lexurn.figures.looks import FREE_LOOKS, LOOKS, Look

COLORS = {name: look.color for name, look in LOOKS.items()}
# Line styles for curves that belong to neither a model nor a predictor.
GREYS: list[dict[str, Any]] = [
    {"color": "0.1", "linestyle": "-"},
    {"color": "0.4", "linestyle": "--"},
    {"color": "0.55", "linestyle": ":", "linewidth": 2.5},
]

# Names of references in legends, in the order in which figures show them.
NAMES = {
    "generalizing": "generalizing (G)",
    "memorizing": "memorizing (M)",
    "symmetrized": "symmetrized (S)",
    "oracle": "oracle",
    "relabelled": "oracle, names not known",
}

LABELS = {  # of axes, by the column of the table
    "n_tasks": "urns in the pool D",
    "context_length": "context length C",
    "share_generalizing": "d to G / d(G, S)",
    "share_symmetrized": "d to S / d(G, S)",
    "share": "share of heads H / N",
    "log_odds": "ln((H + 1) / (N − H + 1))",
    "row": "flips seen",
    "heads": "heads H",
    "loss": "loss (nats)",
    "excess": "excess over the exact predictor (nats)",
    "formula": "by the formula",
    "model": "by the model",
    "r2": "R² on other sequences",
    "off": "mean |p − exact|",
    "x": "first dimension",
    "y": "second dimension",
    "KL": "KL(reference ‖ model), nats",
    "quartile": "entropy of the balls seen, quartile",
    "r": "relative distance",
    "to_memorizer": "rescaled relative distance",
    "share_of_s": "relative distance, weight of S",
    "w_s": "weight of S by the account",
    "w_m": "share, or weight of M",
    "weight_of_m": "weight of M",
    "kl_in": "KL(memorizer ‖ model) in distribution, nats",
    "kl_out": "KL(G ‖ model) on fresh urns, nats",
    "kl": "KL beyond the best mixture, nats",
    "regret": "regret in distribution (nats)",
    "toward_m": "between S (−1) and M (+1)",
    "from_s": "distance to S / that of the best counter",
    "excess_a_word": "excess over the oracle (nats a word)",
    "excess_a_row": "excess over the oracle (nats)",
    "kept": "share of prompts with rule 1 kept",
    "right": "share of strings completed rightly",
    "length": "letters of the string",
    "n_words": "words of the language seen",
    "letters": "letters seen",
    "order": "how finely cut (5: single tokens)",
    "value": "",
}

MAX_COLUMNS = 2  # panels in one row of a figure at most


def label(column: str) -> str:
    """Return the axis label of a table column."""
    return LABELS.get(column, column.replace("_", " "))


def display_name(name: Any) -> str:
    """Return the name of a reference or model kind as titles and legends show it."""
    return NAMES.get(name, str(name).replace("_", " "))


def look(name: str) -> Look:
    """Return the look of a reference or model kind; an unknown name gets one by its hash."""
    number = int(hash_bytes(name.encode()), 16)
    colors, dashes = (FREE_LOOKS[number // n % len(FREE_LOOKS)] for n in (1, len(FREE_LOOKS)))
    return LOOKS.get(name, colors._replace(dash=dashes.dash))


def line_style(name: str) -> dict[str, Any]:
    """Return the colour and dash of a reference or model kind, known or not, for `Axes.plot`."""
    return {"color": look(name).color, "linestyle": look(name).dash}


def set_hatches(areas: Iterable[Any], names: Iterable[str]) -> None:
    """Give each area, or group of bars, the hatch of its name, with white lines."""
    for area, name in zip(areas, names, strict=True):
        for patch in getattr(area, "patches", [area]):
            patch.set(hatch=look(name).hatch, edgecolor="white", linewidth=0)


def ball_colors(n_colors: int) -> list[Any]:
    """Return one colour per ball colour, from dark to light, to differ in greyscale too."""
    return [colormaps["plasma"](0.62 * color / max(n_colors - 1, 1)) for color in range(n_colors)]


def order_names(names: Iterable[str]) -> list[str]:
    """Return distinct names: references in the order of `NAMES`, then others as they appear."""
    distinct = dict.fromkeys(names)
    return [
        *(name for name in NAMES if name in distinct),
        *(name for name in distinct if name not in NAMES),
    ]


def panels(
    n: int, *, height: float = 3.2, width: float = 4.2, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """Return a transparent figure and its `n` panels, up to `MAX_COLUMNS` side by side.

    The figure is not registered with pyplot, so notebooks do not display it automatically.
    """
    n_rows = ceil(n / MAX_COLUMNS)
    n_columns = ceil(n / n_rows)
    figure = Figure(figsize=(width * n_columns, height * n_rows), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(n_rows, n_columns, squeeze=False, sharey=sharey).flatten()
    figure.patch.set_alpha(0)
    for axes in grid[n:]:
        axes.remove()
    for axes in grid[:n]:
        axes.spines[["top", "right"]].set_visible(False)
        axes.patch.set_alpha(0)
    return figure, list(grid[:n])


def label_lowest_panels(all_axes: list[Axes]) -> None:
    """Label the x axis of each panel that has no panel below it."""
    n_columns = all_axes[0].get_gridspec().ncols
    for axes in all_axes[-n_columns:-1]:
        if not axes.get_subplotspec().is_last_row() and not axes.get_xlabel():
            axes.tick_params(labelbottom=True)
            axes.set_xlabel(all_axes[-1].get_xlabel())


def label_outer_if_shared(axes: Axes) -> Axes:
    """Remove inner tick labels if panels share the y axis, and return the axes."""
    if len(axes.get_shared_y_axes().get_siblings(axes)) > 1:
        axes.label_outer()
    return axes


class PowerFormatter(LogFormatterSciNotation):
    """The tick labels of a logarithmic axis, as 10⁻² and 2×10⁻² in characters, not as formulas."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        text = super().__call__(x, pos).removeprefix(r"$\mathdefault{").removesuffix("}$")
        text = re.sub(r"\^\{(.*?)\}", lambda power: power[1].translate(SUPERSCRIPTS), text)
        return text.replace(r"\times", "×")


def write_powers(figure: Figure) -> None:
    """Give the logarithmic axes of a figure tick labels that hold no formula."""
    axes = figure.axes
    for axis in (*(each.xaxis for each in axes), *(each.yaxis for each in axes)):
        if isinstance(axis.get_major_formatter(), LogFormatterSciNotation):
            axis.set_major_formatter(PowerFormatter(axis.get_transform().base))
        if isinstance(axis.get_minor_formatter(), LogFormatterSciNotation):
            axis.set_minor_formatter(PowerFormatter(axis.get_transform().base))


def set_log_steps(axes: Axes) -> Axes:
    """Use a logarithmic step axis with plain numbers, and return the axes."""
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    return axes


def set_distance_axis(axes: Axes) -> Axes:
    """Use a logarithmic y axis for distances in nats, with plain numbers, and return the axes."""

    def minor_label(value: float, _: int | None) -> str:
        low, high = axes.get_ylim()
        is_short = high < 100 * low  # powers of ten alone would leave such an axis nearly bare
        return f"{value:g}" if is_short and f"{value:e}"[0] in "25" else ""

    axes.set(ylabel="distance (nats)", yscale="log")
    label_outer_if_shared(axes)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(minor_label)
    return axes


def set_regret_axis(axes: Axes) -> Axes:
    """Use a linear y axis for regrets, with a line at zero, and return the axes."""
    draw_zero(axes).set(ylabel="regret (nats a row)")
    return label_outer_if_shared(axes)


def draw_zero(axes: Axes) -> Axes:
    """Draw a dotted line at zero, and return the axes."""
    axes.axhline(0, color="0.4", linestyle=":", linewidth=1)
    return axes


def draw_legend(axes: Axes, *, title: str = "distance to") -> Axes:
    """Draw a legend to the right of the last panel of a figure, and return the axes."""
    legend = axes.legend(
        frameon=False, title=title, loc="upper left", bbox_to_anchor=(1.0, 1.0), handlelength=3.2
    )
    cell = axes.get_subplotspec()
    if cell.colspan.stop < cell.get_gridspec().ncols:
        legend.set_in_layout(False)  # the empty grid cell to the right has room for the legend
    return axes


def step_label(table: pd.DataFrame) -> str:
    """Return the label of the step axis, which says under how many tables curves were measured.

    Without a column `n_tables`, and for models without random tables, it is "step".
    """
    numbers = sorted(set(table.get("n_tables", pd.Series()).dropna().astype(int)) - {0})
    if len(numbers) > 1:
        return f"step (lexical: {' and '.join(map(str, numbers))} tables, not comparable)"
    return f"step (lexical: {counted(numbers[0], 'table')})" if numbers else "step"
