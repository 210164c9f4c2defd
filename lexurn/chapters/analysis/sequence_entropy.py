"""Which sequences are hard? The distance of a model from a reference against the entropy of the
balls.

The entropy is that of a sequence's empirical frequencies, in nats. All sequences are out of
distribution, each from a fresh urn. Correlations are computed within a run. Statements about
several runs use runs as units, not sequences.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lexurn.base import divergences
from lexurn.predictors import Empirical
from lexurn.runs.run import Run

QUARTILES = ("lowest", "second", "third", "highest")


def distances_by_sequence(runs: Sequence[Run]) -> pd.DataFrame:
    """Return one row per run and sequence, with its entropy and the model's distances.

    Columns: kind, n_colors, seed, balls (the count of each colour), entropy, quartile, and
    `to_generalizing` and `to_optimum`: KL(reference ‖ model) at the last row, in nats. The optimum
    is the best that a model of its kind can become: M for normal models and S for the others.
    """
    tables = []
    for run in runs:
        settings, tokens = run.settings, run.splits["out_of_distribution"]
        frequencies = Empirical(settings.task.n_colors)(tokens)[:, -1]
        counts = (frequencies.exp() * (tokens.shape[1] - 1)).round().long()
        entropy = pd.Series((divergences.entropy(frequencies) + 0.0).tolist())
        quartile = pd.qcut(entropy.rank(method="first"), len(QUARTILES), labels=QUARTILES)
        columns = {
            "kind": settings.kind,
            "n_colors": settings.task.n_colors,
            "seed": settings.training.seed,
            "balls": [" ".join(map(str, row)) for row in counts.tolist()],
            "entropy": entropy,
            "quartile": quartile.astype(str),
        }
        model = run.predictor(tokens)[:, -1]
        references = {"to_generalizing": "generalizing", "to_optimum": settings.memorizing}
        for column, name in references.items():
            reference = run.references[name](tokens)[:, -1]
            columns[column] = divergences.kl(reference, model).tolist()
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def correlations(sequences: pd.DataFrame) -> pd.DataFrame:
    """Return the correlation of entropy with each distance, one row per run and distance.

    Columns: kind, n_colors, seed, to (the name of the reference: generalizing, memorizing or
    symmetrized), pearson, spearman, n (sequences).
    """
    rows = []
    for group, table in sequences.groupby(["kind", "n_colors", "seed"], sort=False):
        optimum = "memorizing" if group[0] == "normal" else "symmetrized"
        for column, to in (("to_generalizing", "generalizing"), ("to_optimum", optimum)):
            finite = table[np.isfinite(table[column])]
            pearson, spearman = (
                finite["entropy"].corr(finite[column], method=name)
                for name in ("pearson", "spearman")
            )
            rows.append((*group, to, pearson, spearman, len(finite)))
    columns = ["kind", "n_colors", "seed", "to", "pearson", "spearman", "n"]
    return pd.DataFrame(rows, columns=columns)


def quartiles(sequences: pd.DataFrame, *, column: str) -> pd.DataFrame:
    """Return the mean distance in each quartile of entropy, one row per run and quartile.

    Columns: kind, n_colors, seed, quartile (from lowest to highest) and the distance `column`.
    """
    groups = sequences.groupby(["kind", "n_colors", "seed", "quartile"], sort=False)
    return (
        groups[column]
        .mean()
        .reset_index()
        .sort_values(
            "quartile",
            key=lambda names: names.map(QUARTILES.index),
            kind="stable",
            ignore_index=True,
        )
    )
