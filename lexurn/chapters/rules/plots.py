"""Plots of rule extrapolation: how often models keep rule 1 after a prompt has broken rule 2."""

from itertools import groupby
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from lexurn.figures.looks import LOOKS
from lexurn.figures.plots import line_groups
from lexurn.figures.style import display_name

RATE_STYLES: dict[str, dict[str, Any]] = {
    name: {"marker": LOOKS[name].marker, "color": LOOKS[name].color, "mfc": LOOKS[name].color}
    for name in ("greedy", "sampled", "best ever, finished only")
} | {"published": {"marker": "D", "color": "black", "mfc": "white"}}
"""The markers of the rates: measured in three ways, and published."""

LEVEL_STYLES: dict[str, dict[str, Any]] = {
    "chance": {"color": "0.45", "linestyle": "--"},
    "immediate EOS": {"color": "0.45", "linestyle": ":"},
}
"""The lines of the levels that are reached without a model."""

VERDICT_STYLES = {
    "kept": ("✓", LOOKS["generalizing"].color),
    "broken": ("✗", LOOKS["red"].color),
    "not ended": ("…", LOOKS["uniform"].color),
}
"""The sign and the colour of what becomes of a rule."""


def extrapolation(table: pd.DataFrame, axes: Axes) -> Axes:
    """Plot the rates of each model, small points for seeds and large ones for means, and levels.

    `table`: model, what (a key of `RATE_STYLES`, or of `LEVEL_STYLES` in rows without a model),
    seed (missing for levels and published rates), value (share of prompts).
    """
    models = list(table["model"].dropna().unique())
    for name, style in LEVEL_STYLES.items():
        for value in table.loc[table["what"] == name, "value"]:
            axes.axvline(value, lw=1.2, label=name, **style)
    for number, (what, style) in enumerate(RATE_STYLES.items()):
        rates = table[(table["what"] == what) & table["model"].notna()]
        heights = {model: height + 0.17 * (number - 1.5) for height, model in enumerate(models)}
        options = {"ls": "", "ms": 3, "alpha": 0.5, "zorder": 2, **style}
        axes.plot(rates["value"], rates["model"].map(heights), **options)
        means = rates.groupby("model", sort=False)["value"].mean()
        options = {"ls": "", "ms": 7, "label": what, "zorder": 3, **style}
        axes.plot(means, means.index.map(heights), **options)
    axes.set(yticks=range(len(models)), yticklabels=models, ylim=(len(models) - 0.5, -0.5))
    axes.set(xlabel="share of prompts with rule 1 kept", xlim=(-0.03, 1.03))
    axes.label_outer()
    return axes


def typical_changes(table: pd.DataFrame, axes: Axes) -> Axes:
    """Plot the typical change of the rate by each factor: a dot, its interval, and its number.

    `table`: factor, method, value, low, high, n, as `variation.typical_changes` returns them; other
    columns are ignored. The first method is a dot, the second an open diamond without an interval.
    """
    factors = list(table["factor"].unique())
    first, second = (rows for _, rows in table.groupby("method", sort=False))
    heights = first["factor"].map(factors.index)
    color = LOOKS["models"].color
    axes.hlines(heights, first["low"], first["high"], color=color, lw=2)
    axes.plot(first["value"], heights, "o", color=color, ms=6)
    axes.plot(second["value"], heights, "D", mfc="none", color="0.25", ms=8, zorder=1)
    for value, height in zip(first["value"], heights, strict=True):
        text = f"{value:.2f}" if pd.notna(value) else "–"
        axes.annotate(
            text, (value, height), (0, 6), textcoords="offset points", ha="center", fontsize=9
        )
    axes.set(yticks=range(len(factors)), yticklabels=factors, ylim=(len(factors) - 0.5, -0.7))
    axes.set(xlabel="typical change", xlim=(-0.06, 0.74), xticks=[0, 0.2, 0.4, 0.6])
    axes.label_outer()
    return axes


def endings(table: pd.DataFrame, axes: Axes) -> Axes:
    """Draw the probability of EOS as a heat map, letters of the prefix down and surplus across.

    `table`: letters, surplus, eos.
    """
    import seaborn  # not above: its import of scipy.stats takes a second

    wide = table.pivot_table(index="letters", columns="surplus", values="eos")
    colors = {"cmap": "cividis", "vmin": 0.0, "vmax": 1.0, "cbar_kws": {"label": "P(EOS)"}}
    seaborn.heatmap(wide, ax=axes, **colors)
    axes.set(xlabel="#a − #b", ylabel="letters")
    return axes


def sizes(table: pd.DataFrame, axes: Axes) -> Axes:
    """Plot a share for each size and model, small points for seeds and large ones for means.

    `table`: size, model, seed, value.
    """
    order = list(table["size"].unique())
    groups = line_groups(table, "model")
    for number, (model, rows, look) in enumerate(groups):
        shift = 0.5 * ((number + 0.5) / len(groups) - 0.5)
        style = {"marker": look.marker, "color": look.color, "ls": ""}
        axes.plot(rows["value"], rows["size"].map(order.index) + shift, ms=3, alpha=0.5, **style)
        means = rows.groupby("size", sort=False)["value"].mean()
        heights = means.index.map(order.index) + shift
        axes.plot(means, heights, ms=7, label=display_name(model), **style)
    axes.set(yticks=range(len(order)), yticklabels=order, ylim=(len(order) - 0.5, -0.5))
    axes.set(xlabel="share", xlim=(-0.03, 1.03))
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.label_outer()
    return axes


def lengths(table: pd.DataFrame, axes: Axes) -> Axes:
    """Draw the share of right completions as a heat map, models down and string lengths across.

    `table`: model, length, trained (whether training had this length), right. Lengths that a model
    has no positions for are missing, and left empty. A line separates longer strings from trained.
    """
    import seaborn  # not above: its import of scipy.stats takes a second

    models = table["model"].unique()
    wide = table.pivot(index="model", columns="length", values="right").loc[models]
    colors = {"cmap": "cividis", "vmin": 0.0, "vmax": 1.0, "cbar_kws": {"label": "share right"}}
    seaborn.heatmap(wide.rename(index=display_name), ax=axes, **colors)
    named = {length: number + 0.5 for number, length in enumerate(wide) if length % 8 == 0}
    axes.set_xticks(list(named.values()), list(named), rotation=0)
    axes.axvline(table.loc[table["trained"], "length"].nunique(), color="0.9", lw=2)
    axes.tick_params(axis="y", rotation=0)
    axes.set(xlabel="letters of the string", ylabel="")
    return axes


def completions(table: pd.DataFrame, axes: Axes) -> Axes:
    """Write the completions of prompts as a grid of texts, prompts down and models across.

    `table`: model, prompt, completion, verdict (a key of `VERDICT_STYLES`), as
    `live.greedy_completions` returns them. A square is EOS.
    """
    prompts = list(table["prompt"].unique())
    models = list(table["model"].unique())
    places = zip(table["model"].map(models.index), table["prompt"].map(prompts.index), strict=True)
    for (x, y), string, verdict in zip(places, table["completion"], table["verdict"], strict=True):
        sign, color = VERDICT_STYLES[verdict]
        end = "" if verdict == "not ended" else "■"
        axes.text(x, y, f"{sign}  {shorten(string)}{end}", color=color, va="center", fontsize=9)
    axes.set(xlim=(-0.05, len(models)), ylim=(len(prompts) - 0.5, -0.5), ylabel="prompt")
    axes.set(yticks=range(len(prompts)), yticklabels=prompts)
    axes.set(xticks=range(len(models)))
    axes.set_xticklabels(models, ha="left")
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.grid(False)
    for side in axes.spines.values():
        side.set_visible(False)
    return axes


def shorten(string: str) -> str:
    """Return a string with runs of more than three equal letters as powers, such as a¹²bb."""
    superscript = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
    runs = [(letter, len(list(run))) for letter, run in groupby(string)]
    return "".join(
        letter * n if n <= 3 else f"{letter}{str(n).translate(superscript)}" for letter, n in runs
    )
