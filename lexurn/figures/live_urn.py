"""The live urn: what `book/assets/explorables/urn.js` computes with, and its picture."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from lexurn.figures import explorables, packed_models
from lexurn.figures.looks import LOOKS
from lexurn.figures.plots import line_groups
from lexurn.figures.style import display_name
from lexurn.measures import plane
from lexurn.runs import fit
from lexurn.runs.run import Run

COLORS = {"red": "red", "blue": "blue", "green": "green", "purple": "permuted"}
"""The names of colours of balls, each with the look that it has."""

EPSILON = 0.01
"""The doubt of B_ε: its prior probability that a sequence comes from a fresh urn."""


def live_urn(
    models: Mapping[str, Run], balls: Sequence[int], *, does: Mapping[str, str] | None = None
) -> dict[str, Any] | None:
    """Return the data of a live urn with models of one pool, by the titles that readers see.

    `balls` is the sequence that it begins with; `does` says in words what a model is. Returns None
    if the page cannot run a model or has no name for a colour, and if the pool or the prior of
    fresh urns is none that G, M and S have.
    """
    run = next(iter(models.values()))
    if run.pool is None or run.pool.shape[1] > len(COLORS):
        return None
    packed = [
        packed_models.pack(run.model, run.settings, n_tables=fit.N_TABLES)
        for run in models.values()
    ]
    if None in packed or not isinstance(run.task.target.alpha, float):
        return None
    names = {name: name for name in plane.CORNERS} | {"doubting": "uniform"} | COLORS
    for title, run in models.items():
        kinds = (title, run.settings.kind, "models")
        names[title] = next(kind for kind in kinds if kind in LOOKS)
    return {
        "colors": [*COLORS][: run.pool.shape[1]],
        "urns": run.pool.tolist(),
        "alpha": run.task.target.alpha,
        "balls": list(balls),
        "epsilon": EPSILON,
        "seed": run.settings.training.seed,
        "looks": explorables.looks(names),
        "models": [
            {"title": title, "does": (does or {}).get(title, ""), **model}
            for title, model in zip(models, packed, strict=True)
        ],
    }


def next_ball(table: pd.DataFrame, axes: Axes, *, names: Sequence[str]) -> Axes:
    """Draw the probabilities of the next ball as one group of bars per colour.

    `table` has the columns predictor, color and probability; `names` has a name per colour.
    """
    groups = line_groups(table, "predictor")
    for number, (name, rows, look) in enumerate(groups):
        x = rows["color"] + 0.8 * ((number + 0.5) / len(groups) - 0.5)
        style = {"color": look.color, "hatch": look.hatch, "edgecolor": "white", "linewidth": 0}
        axes.bar(x, rows["probability"], 0.8 / len(groups), label=display_name(name), **style)
    axes.set(xlabel="colour of the next ball", ylabel="probability", ylim=(0, 1))
    axes.set_xticks(range(len(names)), labels=names)
    return axes
