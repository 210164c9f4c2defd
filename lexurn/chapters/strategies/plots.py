"""Strategies: the map of task diversities and steps, and what models are made of along it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize

from lexurn.figures.style import COLORS, HATCHES, NAMES, label, set_log_steps

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
"""How each `what` of a map is drawn over its cells: measured points, and the lines of what was fitted."""


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
    """A column over steps (logarithmic, across) and task diversities (up), with transitions drawn over it.

    `table`: n_tasks, step, and what it is: `cell` with the value, or one of `TRANSITIONS`. A missing value is hatched.
    """
    cells = table[table["what"] == "cell"]
    wide = cells.pivot(index="n_tasks", columns="step", values=value)
    places, steps = np.arange(len(wide)), wide.columns.to_numpy(float)
    middles = np.sqrt(steps[1:] * steps[:-1])
    edges = np.concatenate([[steps[0] ** 2 / middles[0]], middles, [steps[-1] ** 2 / middles[-1]]])
    axes.set_facecolor("0.92")
    axes.patch.set(alpha=1, hatch="///", edgecolor="0.75", linewidth=0)
    norm = LogNorm(low, high) if log else Normalize(low, high)
    drawn = axes.pcolormesh(
        edges, np.append(places, len(wide)) - 0.5, wide, cmap="cividis", norm=norm, rasterized=True
    )
    bar = axes.figure.colorbar(
        drawn, ax=axes, label=label(value), ticks=list(ticks) or None, format="%g", extend="both"
    )
    bar.ax.minorticks_off()
    for what, style in TRANSITIONS.items():
        mine = table[(table["what"] == what) & table["n_tasks"].isin(wide.index)].sort_values(
            "n_tasks"
        )
        heights = [wide.index.get_loc(each) for each in mine["n_tasks"]]
        if len(mine):
            axes.plot(mine["step"], heights, label=what, zorder=3, **style)
            axes.legend(loc="lower left", fontsize=8, framealpha=0.9)
    axes.set(
        yticks=places,
        yticklabels=[f"{each:g}" for each in wide.index],
        ylabel=label("n_tasks"),
        xlabel="step",
    )
    set_log_steps(axes).set(xlim=(edges[0], edges[-1]), ylim=(-0.5, len(wide) - 0.5))
    axes.label_outer()
    return axes


def compositions(table: pd.DataFrame, axes: Axes) -> Axes:
    """What a model is made of along its training: areas for the nearest mixture, lines for what an account says.

    `table`: step, reference (a name in `COLORS`), weight, and who: `models` or `account`.
    """
    parts = {
        who: mine.pivot(index="step", columns="reference", values="weight")[
            list(mine["reference"].unique())
        ]
        for who, mine in table.groupby("who")
    }
    models = parts["models"]
    style = {
        "colors": [COLORS[name] for name in models],
        "labels": [NAMES.get(name, name) for name in models],
    }
    for area, hatch in zip(axes.stackplot(models.index, models.T, **style), HATCHES, strict=False):
        area.set(hatch=hatch, edgecolor="white", linewidth=0)
    bounds = parts["account"].T.cumsum().T
    for number, name in enumerate(list(bounds)[:-1]):
        said = (
            f"{' + '.join(NAMES.get(each, each) for each in list(bounds)[: number + 1])}, account"
        )
        axes.plot(bounds.index, bounds[name], "k-" if number else "k--", lw=1.6, label=said)
    axes.set(xlabel="step", ylabel="weight", ylim=(0, 1), xlim=(models.index[0], models.index[-1]))
    axes.label_outer()
    return set_log_steps(axes)
