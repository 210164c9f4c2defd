"""The chapter's own figures."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from lexurn.figures import plots

ALL_TRAINED = 0.97
"""The share of trained names from which new alphabets hardly have others."""

TICKS = (0.5, 0.7, 1, 1.4, 2)

MISSING = "missing share, 1 − captured"


def missing_by_alphabets(table: pd.DataFrame, axes: Axes) -> Axes:
    """Draw the missing share against the number of alphabets, one colour per number of names.

    `table` has what (fitted, held out, law), names, alphabets, missing, low and high.
    Cells that the law was fitted to are full points, held-out cells are empty ones.
    """
    for name, rows, look in plots.line_groups(table, "names"):
        law = rows[rows["what"] == "law"]
        axes.plot(law["alphabets"], law["missing"], color=look.color, linestyle=look.dash, lw=1.2)
        has_fitted = (rows["what"] == "fitted").any()
        for what, filling in (("fitted", look.color), ("held out", "white")):
            cells = rows[rows["what"] == what]
            if len(cells):
                label = name if what == "fitted" else None if has_fitted else f"{name}, held out"
                bars = np.array([cells["missing"] - cells["low"], cells["high"] - cells["missing"]])
                axes.errorbar(
                    cells["alphabets"],
                    cells["missing"],
                    yerr=bars,
                    fmt=look.marker,
                    color=look.color,
                    mfc=filling,
                    ms=6,
                    lw=1,
                    label=label,
                )
    axes.set(xscale="log", yscale="log", xlabel="alphabets K", ylabel=MISSING)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_yticks([0.05, 0.1, 0.2, 0.5, 1.0], minor=False)
    axes.yaxis.set_minor_formatter("")
    return axes


def factors(table: pd.DataFrame, axes: Axes, *, x: str, label: str) -> Axes:
    """Draw `plots.estimates` on a logarithmic axis, with a line at 1."""
    plots.estimates(table, axes, x=x)
    axes.axvline(1, color="0.4", linestyle=":", linewidth=1)
    axes.set(xscale="log", xlabel=label)
    low, high = axes.get_xlim()
    if high < 6 * low:  # labels of powers of ten would overlap
        axes.set_xticks(TICKS, map(str, TICKS))
        axes.xaxis.set_minor_formatter("")
    return axes


ON_NEW = {
    "factor": "missing share, new / seen alphabets",
    "new": "missing share on new alphabets",
}


def on_new_alphabets(table: pd.DataFrame, axes: Axes, *, y: str) -> Axes:
    """Draw a column of `ON_NEW` against the alphabets in which a name occurs.

    `table` has names, what (seen first, held out), trained, per_name, and `y` with its bounds. Held
    out cells are empty points, and cells in which some names are never trained are pale.
    """
    for name, rows, look in plots.line_groups(table, "names"):
        is_pale = rows["trained"] < ALL_TRAINED
        for (what, pale), cells in rows.groupby(["what", is_pale], sort=False):
            bars = np.array([cells[y] - cells[f"{y}_low"], cells[f"{y}_high"] - cells[y]])
            filling = look.color if what == "seen first" else "white"
            style = {"fmt": look.marker, "color": look.color, "mfc": filling, "ms": 6, "lw": 1}
            style["alpha"] = 0.35 if pale else 1
            label = None if pale or what == "held out" else name
            axes.errorbar(cells["per_name"], cells[y], yerr=bars, label=label, **style)
    axes.axhline(1, color="0.4", linestyle=":", linewidth=1)
    axes.set(xscale="log", yscale="log", xlabel="alphabets in which a name occurs, 4 K / N")
    axes.set(ylabel=ON_NEW[y])
    return axes
