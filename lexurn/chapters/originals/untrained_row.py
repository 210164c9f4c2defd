"""A prediction at a position that training never used.

The published headline is scored after 30 balls. Training had 30 balls a sequence, the last of which
is only predicted and never read, so that the position of the 30th ball was never trained: its
vector is what initialization left there. Here a trained model of more rows gets such a vector at
one position, and nothing else changes.

The unit is a training urn; scores are KL(observed frequencies ‖ prediction) in nats.
"""

import copy
from collections.abc import Sequence

import pandas as pd
import torch

from lexurn import models
from lexurn.base.seeding import generator
from lexurn.chapters.analysis.headline import N_BALLS, N_SEQUENCES, N_SETS, N_URNS
from lexurn.measures import comparison
from lexurn.models import LanguageModel
from lexurn.runs.run import Run


@torch.no_grad()
def with_untrained_position(model: LanguageModel, position: int, *, seed: int) -> LanguageModel:
    """Return a copy of a model in which one learned position has an initial value again."""
    if not isinstance(model.positions, torch.nn.Parameter):
        raise ValueError("only learned positions can be untrained; use positions learned")
    changed = copy.deepcopy(model)
    n_dimensions = changed.positions.shape[1]
    noise = torch.randn(n_dimensions, generator=generator(seed, "untrained position"))
    changed.positions[position] = (noise * n_dimensions**-0.5).to(changed.positions)
    return changed


def scores(runs: Sequence[Run]) -> pd.DataFrame:
    """Return pairs per training urn, with the kind of model: unit, kind, published, corrected.

    `published` is the score after `N_BALLS` balls with the last position untrained, `corrected` the
    score of the same model with all positions trained, on the same sequences.
    """
    rows = []
    for run in runs:
        seed = run.settings.training.seed
        tokens = comparison.headline_sequences(
            run.task.prior,
            n_balls=N_BALLS,
            n_urns=N_SETS * N_URNS,
            n_sequences=N_SEQUENCES,
            generator=generator(seed, "headline"),
        )
        untrained = with_untrained_position(run.model, N_BALLS - 1, seed=seed)
        row = {"unit": seed, "kind": run.settings.kind}
        for version, model in (("published", untrained), ("corrected", run.model)):
            predictor = models.as_trained_predictor(model, seed=seed)
            row[version] = comparison.headline_scores(predictor, tokens).mean().item()
        rows.append(row)
    return pd.DataFrame(rows)
