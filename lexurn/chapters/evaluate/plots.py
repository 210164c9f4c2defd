"""Plots that compare distances and mixture weights of several kinds of models."""

import pandas as pd
from matplotlib.axes import Axes

from lexurn.figures.style import COLORS, NAMES, look, set_distance_axis, set_hatches


def distances_by_kind(results: pd.DataFrame, axes: Axes, *, split: str) -> Axes:
    """Plot the distance to each reference: one point per run, with two standard errors.

    `results`: the results of runs, with kind and seed.
    """
    distances = results[
        (results["split"] == split)
        & (results["measure"] == "symmetrized_kl")
        & (results["row"] == "mean")
    ]
    runs = distances[["kind", "seed"]].drop_duplicates()
    for number, (kind, seed) in enumerate(runs.itertuples(index=False)):
        rows = distances[(distances["kind"] == kind) & (distances["seed"] == seed)]
        offset = 0.6 * ((number + 0.5) / len(runs) - 0.5)
        x = [list(NAMES).index(name) + offset for name in rows["reference"]]
        label = kind if seed == runs["seed"].iloc[0] else None
        low = (2 * rows["sem"]).clip(upper=0.9 * rows["mean"])
        axes.errorbar(
            x,
            rows["mean"],
            [low, 2 * rows["sem"]],
            fmt=look(kind).marker,
            color=look(kind).color,
            label=label,
            ms=5,
        )
    axes.set(xlim=(-0.5, 2.5), xticks=range(3))
    axes.set_xticklabels(["G", "M", "S"])
    return set_distance_axis(axes)


def mixtures(table: pd.DataFrame, axes: Axes) -> Axes:
    """Plot mixture weights as stacked bars, one per model. `table`: who, reference, weight."""
    wide = table.pivot(index="who", columns="reference", values="weight").loc[table["who"].unique()]
    wide = wide[[name for name in COLORS if name in wide]]
    bars = wide.plot.barh(
        stacked=True, ax=axes, color=[COLORS[name] for name in wide], legend=False, width=0.7
    )
    set_hatches(bars.containers, wide)
    axes.invert_yaxis()
    axes.set(xlabel="weight", ylabel="", xlim=(0, 1))
    return axes
