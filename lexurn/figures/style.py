"""What all pictures share: colours, styles, panels and keys."""

from math import ceil
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLORS = {
    "normal": "#0072B2",
    "lexical": "#D55E00",
    "permuted": "#56B4E9",
    "generalizing": "#009E73",
    "memorizing": "#CC79A7",
    "symmetrized": "#E69F00",
    "uniform": "#7F7F7F",
    "oracle": "#000000",
    "relabelled": "#8C510A",
}
STYLES: dict[str, Any] = {
    "normal": "-",
    "lexical": (0, (5, 1)),
    "permuted": (0, (3, 1, 1, 1, 1, 1)),
    "generalizing": "--",
    "memorizing": ":",
    "symmetrized": (0, (6, 1, 1, 1)),
    "uniform": (0, (1, 3)),
    "oracle": (0, (8, 2)),
    "relabelled": (0, (8, 2, 2, 2)),
}
GREYS: list[dict[str, Any]] = [
    {"color": "0.1", "linestyle": "-"},
    {"color": "0.45", "linestyle": "--"},
    {"color": "0.65", "linestyle": ":", "linewidth": 2.5},
]
"""Lines that stand for no model and no predictor."""

LINE_STYLES = (
    "-",
    (0, (5, 1)),
    (0, (3, 1, 1, 1)),
    ":",
    (0, (1, 3)),
    "--",
    "-.",
    (0, (8, 2, 2, 2)),
    (0, (8, 3)),
)
LINE_COLORS = (
    "#000000",
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#999999",
)
LINE_MARKERS = "os^Dv*PX"
"""Lines that stand for what has no colour of its own, at most eight of them."""

MARKERS = {"normal": "o", "lexical": "s", "permuted": "^"}
HATCHES = ["", "//", "..", "\\\\"]

NAMES = {
    "generalizing": "generalizing (G)",
    "memorizing": "memorizing (M)",
    "symmetrized": "symmetrized (S)",
    "oracle": "oracle",
    "relabelled": "oracle, names not known",
}


LABELS = {
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
    "w_s": "weight of S by the account",
    "w_m": "share, or weight of M",
    "weight_of_m": "weight of M",
    "kl_in": "KL(memorizer ‖ model) in distribution, nats",
    "kl_out": "KL(G ‖ model) on fresh urns, nats",
    "kl": "KL beyond the best mixture, nats",
    "relative_distance": "relative distance",
    "regret": "regret in distribution (nats)",
    "excess_a_word": "excess over the oracle (nats a word)",
    "excess_a_row": "excess over the oracle (nats)",
    "kept": "share of prompts with rule 1 kept",
    "right": "share of words completed rightly",
    "length": "letters of the word",
    "n_words": "words of the language seen",
    "letters": "letters seen",
    "order": "how finely cut (5: single tokens)",
    "value": "",
}
"""Columns of tables as they stand at an axis."""

RELATIVE = ("r", "relative_distance")
"""Columns that hold relative distances, whose two ends are drawn."""


def label(column: str) -> str:
    """What stands at the axis of a column."""
    return LABELS.get(column, column.replace("_", " "))


MOST_ABREAST = 4
"""Panels in a row; more go into further rows."""


def panels(
    n: int, *, height: float = 3.2, width: float = 4.2, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure with `n` panels, up to `MOST_ABREAST` side by side, on transparent ground, which no notebook shows by
    itself."""
    rows = ceil(n / MOST_ABREAST)
    columns = ceil(n / rows)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=sharey).flatten()
    figure.patch.set_alpha(0)
    for each in axes[n:]:
        each.remove()
    for each in axes[:n]:
        each.spines[["top", "right"]].set_visible(False)
        each.patch.set_alpha(0)
    return figure, list(axes[:n])


def name_lowest(axes: list[Axes]) -> None:
    """Say what stands below where a panel has none under it, although its row is not the last."""
    columns = axes[0].get_gridspec().ncols
    for each in axes[:-1]:
        place = each.get_subplotspec()
        if not place.is_last_row() and place.num1 + columns >= len(axes) and not each.get_xlabel():
            each.tick_params(labelbottom=True)
            each.set_xlabel(axes[-1].get_xlabel())


def log_steps(axes: Axes) -> Axes:
    """A logarithmic axis of steps, with plain numbers at a few of them."""
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    return axes


def ends(axes: Axes) -> Axes:
    """The two ends of relative distance, as lines with their names, over what is drawn already."""
    for value, name in (
        (-1, "generalizing (G)"),
        (1, "memorizing (M for normal, S for the others)"),
    ):
        axes.axhline(value, color="0.4", linestyle=":", linewidth=1)
        axes.text(
            axes.get_xlim()[1], value + 0.05, name, ha="right", va="bottom", fontsize=8, color="0.3"
        )
    return axes


def legend(axes: Axes, *, title: str = "distance to") -> Axes:
    """A key beside the panel, where it hides nothing; for the last panel of a figure."""
    key = axes.legend(
        frameon=False, title=title, loc="upper left", bbox_to_anchor=(1.0, 1.0), handlelength=3.2
    )
    place = axes.get_subplotspec()
    if place is not None and place.colspan.stop < place.get_gridspec().ncols:
        key.set_in_layout(False)  # there is a place free for it
    return axes
