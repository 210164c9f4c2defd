"""Plots of the map over task diversities and steps, and of mixture weights along training."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.patches import Patch

from lexurn.figures.style import COLORS, NAMES, label, set_hatches, set_log_steps

TRANSITIONS: dict[str, dict[str, Any]] = {
    "half way": {
        "marker": "o",
        "mfc": "white",
        "mec": "black",
        "ms": 5,
        "ls": "",
        "color": "black",
    },
    "account": {"color": "black", "linestyle": "-", "linewidth": 1.6},
    "baseline": {"color": "black", "linestyle": ":", "linewidth": 1.6},
}
"""Style of each `what` drawn over the cells of a map: measured points and fitted lines."""


def diversity_map(
    table: pd.DataFrame,
    axes: Axes,
    *,
    value: str,
    low: float,
    high: float,
    log: bool = False,
    ticks: Sequence[float] = (),
) -> Axes:
    """Plot a column over steps (logarithmic x axis) and task diversities (y axis), with
    transitions.

    `table`: n_tasks, step, what (`cell`, with the column `value`, or one of `TRANSITIONS`). Cells
    without a value are light grey. All panels have one scale; the last has its colour bar. Panels
    that do not share their task diversities have labels of their own.
    """
    cells = table[table["what"] == "cell"]
    wide = cells.pivot(index="n_tasks", columns="step", values=value)
    rows = np.arange(len(wide))
    steps = wide.columns.to_numpy(float)
    middles = np.sqrt(steps[1:] * steps[:-1])
    edges = np.concatenate([[steps[0] ** 2 / middles[0]], middles, [steps[-1] ** 2 / middles[-1]]])
    axes.patch.set(alpha=1, facecolor="0.9")
    norm = LogNorm(low, high) if log else Normalize(low, high)
    mesh = axes.pcolormesh(
        edges, np.append(rows, len(wide)) - 0.5, wide, cmap="cividis", norm=norm, rasterized=True
    )
    cell = axes.get_subplotspec()
    if cell.colspan.stop == cell.get_gridspec().ncols:
        options = {"ticks": list(ticks) or None, "format": "%g", "extend": "both"}
        bar = axes.figure.colorbar(mesh, ax=axes, **options)
        bar.set_label(textwrap.fill(label(value), 24), fontsize=8)
        bar.ax.minorticks_off()
    for what, style in TRANSITIONS.items():
        is_drawn = (table["what"] == what) & table["n_tasks"].isin(wide.index)
        points = table[is_drawn].sort_values("n_tasks")
        if len(points):
            heights = wide.index.get_indexer(points["n_tasks"])
            axes.plot(points["step"], heights, label=what, zorder=3, **style)
    handles, _ = axes.get_legend_handles_labels()
    if wide.isna().any(axis=None):
        handles.append(Patch(facecolor="0.9", edgecolor="0.5", label="undetermined"))
    if handles:
        axes.legend(handles=handles, loc="lower left", fontsize=8, framealpha=0.9)
    axes.set(
        yticks=rows,
        yticklabels=[f"{n_tasks:g}" for n_tasks in wide.index],
        ylabel=label("n_tasks"),
        xlabel="step",
    )
    set_log_steps(axes).set(xlim=(edges[0], edges[-1]), ylim=(-0.5, len(wide) - 0.5))
    axes.label_outer()
    if len(axes.get_shared_y_axes().get_siblings(axes)) == 1:
        axes.tick_params(labelleft=True)
    return axes


def compositions(table: pd.DataFrame, axes: Axes) -> Axes:
    """Plot mixture weights along training: areas for the nearest mixture, lines for the account.

    `table`: step, reference (a name in `COLORS`), weight, who (`models` or `account`).
    """
    wide = {}
    for who, rows in table.groupby("who"):
        columns = list(rows["reference"].unique())
        wide[who] = rows.pivot(index="step", columns="reference", values="weight")[columns]
    models = wide["models"]
    style = {
        "colors": [COLORS[name] for name in models],
        "labels": [NAMES.get(name, name) for name in models],
    }
    set_hatches(axes.stackplot(models.index, models.T, **style), models)
    bounds = wide["account"].T.cumsum().T
    names = [NAMES.get(name, name) for name in bounds]
    for number, column in enumerate(list(bounds)[:-1]):
        text = f"{' + '.join(names[: number + 1])}, account"
        axes.plot(bounds.index, bounds[column], "k-" if number else "k--", lw=1.6, label=text)
    axes.set(xlabel="step", ylabel="weight", ylim=(0, 1), xlim=(models.index[0], models.index[-1]))
    axes.label_outer()
    return set_log_steps(axes)
