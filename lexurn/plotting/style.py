"""What all pictures share: colours, styles, panels and keys."""

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

COLORS = {
    "normal": "#0072B2",
    "lexical": "#D55E00",
    "permuted": "#56B4E9",
    "generalizing": "#009E73",
    "memorizing": "#CC79A7",
    "symmetrized": "#E69F00",
    "uniform": "#7F7F7F",
}
STYLES: dict[str, Any] = {
    "normal": "-",
    "lexical": (0, (5, 1)),
    "permuted": (0, (3, 1, 1, 1, 1, 1)),
    "generalizing": "--",
    "memorizing": ":",
    "symmetrized": (0, (6, 1, 1, 1)),
    "uniform": (0, (1, 3)),
}
GREYS: list[dict[str, Any]] = [
    {"color": "0.1", "linestyle": "-"},
    {"color": "0.45", "linestyle": "--"},
    {"color": "0.65", "linestyle": ":", "linewidth": 2.5},
]
"""Lines that stand for no model and no predictor."""

MARKERS = {"normal": "o", "lexical": "s", "permuted": "^"}
HATCHES = ["", "//", "..", "\\\\"]

NAMES = {"generalizing": "generalizing (G)", "memorizing": "memorizing (M)", "symmetrized": "symmetrized (S)"}


def panels(n: int, *, height: float = 3.2, width: float = 4.2, sharey: bool = False) -> tuple[plt.Figure, list[Axes]]:
    """A figure with `n` panels side by side on transparent ground."""
    figure, axes = plt.subplots(1, n, figsize=(width * n, height), layout="constrained", squeeze=False, sharey=sharey)
    figure.patch.set_alpha(0)
    for each in axes[0]:
        each.spines[["top", "right"]].set_visible(False)
        each.patch.set_alpha(0)
    return figure, list(axes[0])


def log_steps(axes: Axes) -> Axes:
    """A logarithmic axis of steps, with plain numbers at a few of them."""
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    return axes


def legend(axes: Axes, *, title: str = "distance to") -> Axes:
    """A key beside the panel, where it hides nothing; for the last panel of a figure."""
    axes.legend(frameon=False, title=title, loc="upper left", bbox_to_anchor=(1.0, 1.0), handlelength=3.2)
    return axes
