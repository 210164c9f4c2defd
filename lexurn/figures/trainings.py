"""Trainings to move through: what `book/assets/explorables/training.js` draws, step by step."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lexurn.base import divergences
from lexurn.figures import explorables
from lexurn.figures.looks import LOOKS
from lexurn.figures.style import step_label
from lexurn.measures import plane
from lexurn.runs.run import Run

MAX_STEPS = 120
"""The largest number of recorded steps that a page holds of one training."""

SPLITS = {"out_of_distribution": "on fresh urns", "in_distribution": "on the training urn{s}"}
"""Where distances are measured, as readers see it, by split."""


def trainings(models: Mapping[str, Sequence[Run]]) -> dict[str, Any] | None:
    """Return the data of trainings of one pool, by the titles that readers see.

    The records of a title's runs follow each other, as in `join_records`. All numbers have four
    significant digits. The levels are the losses of G, M and S on the validation sequences of the
    first run. Returns None if G, M and S make no map on any split, or are not all there.
    """
    first = next(iter(models.values()))[0]
    records = {title: _thin(join_records(runs)) for title, runs in models.items()}
    walks = {split: draw_walks(records, first, split) for split in SPLITS}
    maps = {split: table for split, table in walks.items() if table is not None}
    if not maps:
        return None
    losses = attainable_losses(first)
    names = {name: name for name in plane.CORNERS}
    data = []
    for title, record in records.items():
        names[title] = title if title in LOOKS else models[title][0].settings.kind
        places = [table.loc[table["who"] == title, ["x", "y"]] for table in maps.values()]
        model = {
            "title": title,
            "steps": record["step"].tolist(),
            "losses": _rounded(record["validation_loss"]),
            "distances": [_rounded(record[_columns(split)]) for split in maps],
            "places": [_rounded(place) for place in places],
        }
        data.append(model)
    return {
        "splits": [SPLITS[split].format(s="s" * (len(first.pool) > 1)) for split in maps],
        "corners": [_rounded(table.loc[:2, ["x", "y"]]) for table in maps.values()],
        "levels": _rounded([losses[name] for name in plane.CORNERS]),
        "step_label": f"{step_label(pd.concat(records.values()))}, logarithmic",
        "looks": explorables.looks(names),
        "models": data,
    }


def join_records(runs: Sequence[Run]) -> pd.DataFrame:
    """Return the metrics of runs as one record: each continues where the one before it ends."""
    record = runs[0].metrics
    for run in runs[1:]:
        record = pd.concat([record, run.metrics[run.metrics["step"] > record["step"].max()]])
    return record.reset_index(drop=True)


def draw_walks(records: Mapping[str, pd.DataFrame], run: Run, split: str) -> pd.DataFrame | None:
    """Return the map of a run's references on a split, with the paths of training records.

    The result is a table of `lexurn.figures.triangle`, with the corners first. Returns None if G, M
    and S make no map there, or are not all there.
    """
    columns = dict(zip(_columns(split), plane.CORNERS, strict=True))
    paths = {title: record.rename(columns=columns) for title, record in records.items()}
    try:
        return plane.draw_map(plane.corners(run.references, run.splits[split]), paths)
    except (KeyError, ValueError):  # a reference or the split is missing; no triangle
        return None


def attainable_losses(run: Run) -> dict[str, float]:
    """Return the mean loss of each reference on the model's validation sequences, in nats."""
    tokens = run.task.validation()
    return {
        name: divergences.negative_log_likelihood(reference(tokens), tokens)[
            :, run.task.first_row :
        ]
        .mean()
        .item()
        for name, reference in run.references.items()
    }


def _columns(split: str) -> list[str]:
    return [f"{split}/symmetrized_kl/{name}" for name in plane.CORNERS]


def _thin(record: pd.DataFrame) -> pd.DataFrame:
    """Return at most `MAX_STEPS` rows, denser at the beginning, among them the least loss."""
    best = record["validation_loss"].argmin()
    rows = np.geomspace(1, len(record), MAX_STEPS - 1).round().astype(int) - 1
    return record if len(record) <= MAX_STEPS else record.iloc[np.unique([*rows, best])]


def _rounded(values: Any) -> list[Any]:
    return np.vectorize(lambda value: float(f"{value:.4g}"))(values).tolist()
