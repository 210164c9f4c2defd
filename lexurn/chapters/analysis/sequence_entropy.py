"""Which sequences are hard? How far a model is from a reference after all balls, against the entropy of the balls seen.

The entropy is that of a sequence's empirical frequencies (nats). All sequences are out of distribution, a fresh urn
each. Correlations are computed within a run; what is said of several runs counts them, not their sequences.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lexurn.base import divergences
from lexurn.predictors import Empirical
from lexurn.runs.run import Run

QUARTILES = ("lowest", "second", "third", "highest")


def by_sequence(runs: Sequence[Run]) -> pd.DataFrame:
    """A line for each sequence of each run: kind, n_colors, seed, balls (how many of each colour), entropy, quartile,
    and `to_generalizing` and `to_memorizing`: KL(reference ‖ model) at the last row, the latter from M for normal
    models and from S for the others.
    """
    tables = []
    for run in runs:
        settings, tokens = run.settings, run.splits["out_of_distribution"]
        seen = Empirical(settings.task.n_colors)(tokens)[:, -1]
        counts = (seen.exp() * (tokens.shape[1] - 1)).round().long()
        entropy = pd.Series((divergences.entropy(seen) + 0.0).tolist())
        model = run.predictor(tokens)[:, -1]
        columns = {
            "kind": settings.kind,
            "n_colors": settings.task.n_colors,
            "seed": settings.training.seed,
            "balls": [" ".join(map(str, each)) for each in counts.tolist()],
            "entropy": entropy,
            "quartile": pd.qcut(
                entropy.rank(method="first"), len(QUARTILES), labels=QUARTILES
            ).astype(str),
        }
        for name, reference in (
            ("generalizing", "generalizing"),
            ("memorizing", settings.memorizing),
        ):
            columns[f"to_{name}"] = divergences.kl(
                run.references[reference](tokens)[:, -1], model
            ).tolist()
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def correlations(sequences: pd.DataFrame) -> pd.DataFrame:
    """Of entropy with each distance, a line for each run: kind, n_colors, seed, to, pearson, spearman, n."""
    lines = []
    for (kind, n_colors, seed), table in sequences.groupby(
        ["kind", "n_colors", "seed"], sort=False
    ):
        for to in ("to_generalizing", "to_memorizing"):
            finite = table[np.isfinite(table[to])]
            found = {
                name: finite["entropy"].corr(finite[to], method=name)
                for name in ("pearson", "spearman")
            }
            of = {"kind": kind, "n_colors": n_colors, "seed": seed, "to": to}
            lines.append({**of, **found, "n": len(finite)})
    return pd.DataFrame(lines)


def quartiles(sequences: pd.DataFrame, *, to: str) -> pd.DataFrame:
    """The mean of a distance over the sequences in each quartile of entropy, a line for each run and quartile.

    kind, n_colors, seed, quartile and the distance under its own name, from the lowest quartile to the highest.
    """
    runs = (
        sequences.groupby(["kind", "n_colors", "seed", "quartile"], sort=False)[to]
        .mean()
        .reset_index()
    )
    order = {name: place for place, name in enumerate(QUARTILES)}
    return runs.sort_values(
        "quartile", key=lambda each: each.map(order), kind="stable", ignore_index=True
    )
