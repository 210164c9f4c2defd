"""Models that were trained with a start token, evaluated without it.

Every row of such a model has learned to attend to the start token. Without it, attention has to put
its weight elsewhere.
"""

import copy
from collections.abc import Sequence

import pandas as pd

from lexurn import models
from lexurn.base.seeding import generator
from lexurn.chapters.coins import coin_losses
from lexurn.generators.urns import Urns
from lexurn.models import LanguageModel
from lexurn.predictors import Generalizing
from lexurn.runs.run import Run


def without_bos(model: LanguageModel) -> LanguageModel:
    """Return a copy of a model whose rows do not see the start vector."""
    if not model.bos:
        raise ValueError("this model was trained without a start token; use one with bos True")
    changed = copy.deepcopy(model)
    changed.bos = False
    return changed


def excesses(runs: Sequence[Run], n_sequences: int) -> pd.DataFrame:
    """Return pairs per seed: the excess over Laplace's rule without and with BOS, nats per flip."""
    rows = []
    for run in runs:
        length = run.settings.task.context_length + 1
        stream = generator(0, "missing bos")
        tokens = Urns(2).out_of_distribution(n_sequences, length, generator=stream)
        values = [
            coin_losses.excess_loss(models.as_predictor(model), Generalizing(2), tokens)
            for model in (without_bos(run.model), run.model)
        ]
        rows.append((run.settings.training.seed, *(each.mean().item() for each in values)))
    return pd.DataFrame(rows, columns=["unit", "published", "corrected"])
