"""Rules: how often models keep one where a prompt has broken the other."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

WHAT: dict[str, dict[str, Any]] = {
    "greedy": {"marker": "o", "color": "#0072B2", "mfc": "#0072B2"},
    "sampled": {"marker": "s", "color": "#D55E00", "mfc": "#D55E00"},
    "best ever, finished only": {"marker": "^", "color": "#009E73", "mfc": "#009E73"},
    "published": {"marker": "D", "color": "black", "mfc": "white"},
}
"""How each kind of number is drawn: measured in three ways, and published."""

LEVELS: dict[str, dict[str, Any]] = {
    "chance": {"color": "0.45", "linestyle": "--"},
    "immediate EOS": {"color": "0.45", "linestyle": ":"},
}


def extrapolation(table: pd.DataFrame, axes: Axes) -> Axes:
    """For each model its seeds, small, and their means, large, over what chance and immediate EOS get.

    `table`: model, what (one of `WHAT`, or of `LEVELS` without a model), seed (none for levels and what was published),
    value (share of prompts).
    """
    models = list(table["model"].dropna().unique())
    for name, style in LEVELS.items():
        for value in table.loc[table["what"] == name, "value"]:
            axes.axvline(value, lw=1.2, label=name, **style)
    for number, (what, style) in enumerate(WHAT.items()):
        mine = table[(table["what"] == what) & table["model"].notna()]
        lifted = {model: place + 0.17 * (number - 1.5) for place, model in enumerate(models)}
        axes.plot(
            mine["value"], mine["model"].map(lifted), ls="", ms=3, alpha=0.5, zorder=2, **style
        )
        means = mine.groupby("model", sort=False)["value"].mean()
        axes.plot(means, means.index.map(lifted), ls="", ms=7, label=what, zorder=3, **style)
    axes.set(
        yticks=range(len(models)),
        yticklabels=models,
        xlim=(-0.03, 1.03),
        ylim=(len(models) - 0.5, -0.5),
    )
    axes.set(xlabel="share of prompts with rule 1 kept")
    axes.label_outer()
    return axes
