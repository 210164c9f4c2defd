"""Which doubt does a model of names have? The nearest B_ε on fresh urns, scored on the own urn."""

from collections.abc import Sequence

import pandas as pd

from lexurn import models
from lexurn.measures import memorization
from lexurn.runs.run import Run


def doubts(runs: Sequence[Run]) -> pd.DataFrame:
    """Return one row per run: its seed and `memorization.doubt_and_blend`.

    Every sequence is read with one table, as in training.
    """
    rows = []
    for run in runs:
        seed = run.settings.training.seed
        model = models.as_trained_predictor(run.model, seed=seed)
        tokens = {"fresh": run.splits["out_of_distribution"]}
        tokens["inside"] = run.splits["in_distribution"]
        ends = {name: run.references[name] for name in ("generalizing", run.settings.memorizing)}
        rows.append({"seed": seed} | memorization.doubt_and_blend(model, ends, **tokens))
    return pd.DataFrame(rows)
