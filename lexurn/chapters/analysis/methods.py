"""How the models of a chapter were trained: what their settings share, and in what they differ."""

from collections.abc import Mapping, Sequence

import pandas as pd

from lexurn.settings import Settings

SCHEDULES = {"cosine": "falls to 0 (cosine)", "constant": "constant"}


def training_table(sets: Mapping[str, Sequence[Settings]]) -> pd.DataFrame:
    """Return one row per set of trainings: trainings, steps, rate, schedule, evaluated.

    `sets` has the settings of each set by the name of the set. A column that differs within a set
    names all its values. `evaluated` is the number of steps between two evaluations.
    """
    rows = {}
    for name, points in sets.items():
        flats = [point.flat() for point in points]
        rows[name] = {
            "trainings": len(points),
            "steps": _values(flats, "n_steps"),
            "rate": _values(flats, "learning_rate"),
            "schedule": " or ".join(
                SCHEDULES.get(name, name) for name in sorted({flat["schedule"] for flat in flats})
            ),
            "evaluated": _values(flats, "eval_every"),
        }
    return pd.DataFrame(rows).T.rename_axis("set")


def shared_settings(points: Sequence[Settings], names: Sequence[str]) -> dict[str, object]:
    """Return the settings `names`, which must have the same value in all points.

    Raises ValueError if one of them differs between points.
    """
    first, *others = [point.flat() for point in points]
    for name in names:
        if any(flat[name] != first[name] for flat in others):
            values = sorted({str(flat[name]) for flat in (first, *others)})
            raise ValueError(f"{name} must be the same in all trainings, got {', '.join(values)}")
    return {name: first[name] for name in names}


def _values(flats: Sequence[Mapping[str, object]], name: str) -> str:
    """Return all values of a setting in a set of trainings, in their order, as text."""
    return " or ".join(f"{value:g}" for value in sorted({flat[name] for flat in flats}))
