"""Learning rates, chosen for each architecture and task on seeds that are not evaluated.

A cell is one architecture on one task. Its rate is the one whose training reaches the least
validation loss, as a mean over the tuning seeds. A rate at an end of those that were tried says
that a better one may lie beyond.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lexurn import runs
from lexurn.runs.sweeps import Sweep
from lexurn.settings import Settings

CELL = ["data", "model"]
"""The columns that name a cell."""


def cell_of(coordinates: Mapping[str, Any]) -> list[str]:
    """Return data and model of a point, from axes of these names or an axis `cell`: data: model."""
    if "cell" in coordinates:
        return coordinates["cell"].split(": ")
    return [coordinates[name] for name in CELL]


def concat_cells(grid: Sweep, tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return one table per point as one table, with the columns data, model and seed."""
    parts = []
    for point, table in zip(grid.points, tables, strict=True):
        cell = dict(zip(CELL, cell_of(grid.coordinates[point.name]), strict=True))
        parts.append(table.assign(**cell, seed=point.training.seed))
    return pd.concat(parts, ignore_index=True)


def validation_losses(grids: Sequence[Sweep], points: Sequence[Settings]) -> pd.DataFrame:
    """Return data, model, learning_rate, seed and value: the least validation loss of each run.

    `points` are those of `grids` that are looked at. Losses are in nats per token.
    """
    rows = []
    for grid in grids:
        for point in grid.points:
            if point in points:
                train, cell = point.training, cell_of(grid.coordinates[point.name])
                loss = runs.load(point.name).metrics["validation_loss"].min()
                rows.append((*cell, train.learning_rate, train.seed, loss))
    return pd.DataFrame(rows, columns=[*CELL, "learning_rate", "seed", "value"])


def chosen_rates(losses: pd.DataFrame) -> pd.DataFrame:
    """Return the chosen rate of each cell: data, model, learning_rate, is_edge, n (seeds).

    Every rate of a cell must have been tried with the same seeds. Raises ValueError if not.
    """
    rows = []
    for cell, table in losses.groupby(CELL, sort=False):
        wide = table.pivot(index="learning_rate", columns="seed", values="value").sort_index()
        if wide.isna().any(axis=None):
            raise ValueError(
                f"{', '.join(cell)}: rates must have the same seeds, got "
                f"{table[['learning_rate', 'seed']].values.tolist()}; train the missing ones"
            )
        best = int(np.argmin(wide.mean(axis=1)))
        rows.append((*cell, wide.index[best], best in (0, len(wide) - 1), wide.shape[1]))
    return pd.DataFrame(rows, columns=[*CELL, "learning_rate", "is_edge", "n"])


def sensitivity(losses: pd.DataFrame) -> pd.DataFrame:
    """Return data, model, learning_rate and value: the mean loss above that of the chosen rate."""
    means = losses.groupby([*CELL, "learning_rate"], sort=False)["value"].mean()
    least = means.groupby(CELL, sort=False).transform("min")
    return (means - least).rename("value").reset_index().sort_values("learning_rate", kind="stable")


def compare_choices(losses: pd.DataFrame, again: pd.DataFrame) -> pd.DataFrame:
    """Return the rates that two tables of losses choose: data, model, first, second and cost.

    `cost` is how much the validation loss of the second table is higher with the first choice than
    with its own, in nats per token. Cells that only one of the tables has are left out.
    """
    first = chosen_rates(losses).set_index(CELL)["learning_rate"]
    second = chosen_rates(again).set_index(CELL)["learning_rate"]
    means = again.groupby([*CELL, "learning_rate"])["value"].mean()
    rows = [
        (*cell, rate, second[cell], means[(*cell, rate)] - means[(*cell, second[cell])])
        for cell, rate in first.items()
        if cell in second.index
    ]
    return pd.DataFrame(rows, columns=[*CELL, "first", "second", "cost"])


def neighbours(grids: Sequence[Sweep], rates: Mapping[tuple[str, str], float]) -> list[Settings]:
    """Return the points with the given rate of their cell, and the next lower and higher ones.

    `rates` are by data and model. The next ones are those that the grids try for the cell.
    """
    by_cell: dict[tuple[str, str], list[Settings]] = {}
    for grid in grids:
        for point in grid.points:
            by_cell.setdefault(tuple(cell_of(grid.coordinates[point.name])), []).append(point)
    chosen = []
    for cell, points in by_cell.items():
        ordered = sorted(points, key=lambda point: point.training.learning_rate)
        at = [point.training.learning_rate for point in ordered].index(rates[cell])
        chosen += ordered[max(at - 1, 0) : at + 2]
    return chosen
