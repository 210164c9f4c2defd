"""New alphabets of trained names alone: does a model fail on them because some names are new?"""

from collections.abc import Sequence

import pandas as pd

from lexurn.base import divergences
from lexurn.base.seeding import generator
from lexurn.measures import memorization
from lexurn.models.prediction import evaluating
from lexurn.runs.run import Run

N_DRAWN = 20
"""Tables that are drawn per sequence, most of which have names that training did not use."""


def on_trained_names(runs: Sequence[Run]) -> pd.DataFrame:
    """Return one row per run: how it stands on new alphabets of names that training used.

    Columns: seed, n_trained (names that occur in some alphabet of training), and deficit_trained,
    ln(1 − captured) on new sequences from the training urn, each with a new alphabet.
    """
    return pd.DataFrame([_row(run) for run in runs])


def _row(run: Run) -> dict[str, float | int]:
    tokens, seed = run.splits["in_distribution"], run.settings.training.seed
    names = run.model.vocabulary.alphabets.unique()
    tables = run.model.vocabulary.draw_new(
        N_DRAWN * len(tokens), generator=generator(seed, "trained names")
    )
    is_trained = tables[..., names].sum((1, 2)) == tables.shape[1]
    tables = tables[is_trained][: len(tokens)]
    tokens = tokens[: len(tables)]
    with evaluating(run.model):
        log_model = divergences.as_double(run.model(tokens, table=tables))
    s = run.references["symmetrized"](tokens)
    best = memorization.best_generalizing(run.pool, tokens.shape[1])(tokens)
    from_s, scale = (divergences.kl(s, other)[:, 1:].mean().item() for other in (log_model, best))
    deficit = memorization.deficit(from_s, scale)
    return {"seed": seed, "n_trained": len(names), "deficit_trained": deficit}
