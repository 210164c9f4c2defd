"""A relative distance that is cut off at −1 and 1.

Symmetrized KL is no metric, so that r = (d(h, G) − d(h, M)) / d(G, M) leaves [−1, 1] easily: a model
can be further from both ends than they are from each other. Cut off at the ends, all such models
look as if they were at an end.
"""

import pandas as pd


def clamp(relative: pd.Series) -> pd.Series:
    """Return relative distances cut off at −1 and 1."""
    return relative.clip(-1.0, 1.0)


def both(along: pd.DataFrame) -> pd.DataFrame:
    """Return relative distances along training as two curves: step, who, mean, sem.

    `along` is `chapters.analysis.headline.along`. The mean is over training urns, of values that
    are cut off (as published) and that are not.
    """
    parts = []
    for who, values in (
        ("cut off at −1 and 1", clamp(along["relative_distance"])),
        ("as it is", along["relative_distance"]),
    ):
        groups = along.assign(value=values).groupby("step")["value"]
        table = groups.agg(["mean", "sem"]).reset_index()
        parts.append(table.assign(who=who))
    return pd.concat(parts, ignore_index=True)


def pairs(along: pd.DataFrame) -> pd.DataFrame:
    """Return pairs per training urn: the mean over training of |r|, cut off and as it is."""
    values = along.assign(
        published=clamp(along["relative_distance"]).abs(), corrected=along["relative_distance"].abs()
    )
    means = values.groupby("seed")[["published", "corrected"]].mean()
    return means.rename_axis("unit").reset_index()
