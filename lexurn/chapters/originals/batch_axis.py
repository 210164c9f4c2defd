"""Sines that are added along the batch instead of along the string.

All rows of a string then get the same vector, so that no row knows its place in the string, and the
prediction for a string depends on which strings stand above it in the batch.
`architectures.published_models.BatchPositions` is that backbone.
"""

import pandas as pd
import torch

from lexurn import models, tasks
from lexurn.base.seeding import generator
from lexurn.chapters.architectures.published import train_model
from lexurn.chapters.architectures.published_models import BatchPositions
from lexurn.generators.strings import EOS, FIRST_LETTER
from lexurn.settings import Settings

VERSIONS = {"along the batch, as published": "none", "along the string": "sinusoidal"}
"""The names of the two models, and the positions that the model itself has."""

N_PAIRS = 4


def build(version: str, settings: Settings) -> models.LanguageModel:
    """Return an untrained model with sines along the batch or along the string."""
    changed = settings.replace(positions=VERSIONS[version])
    stream = generator(settings.training.seed, "weights")
    model = models.build(changed, generator=stream)
    if changed.backbone.positions == "none":
        model.backbone = BatchPositions(model.backbone)
    return model


def by_place(settings: Settings, n_places: int) -> pd.DataFrame:
    """Train both models, and ask them how often a^4 is followed by b, at every place of a batch.

    Columns: version, place, next_b, exact: P(b) after `N_PAIRS` a's, of the model and of the law of
    the language. The batch holds the same string `n_places` times.
    """
    letters = [FIRST_LETTER] * N_PAIRS + [FIRST_LETTER + 1] * N_PAIRS + [EOS]
    string = torch.tensor([letters]).expand(n_places, -1)
    oracle = tasks.build(settings).references()["oracle"]
    exact = oracle(string[:1])[0, N_PAIRS, FIRST_LETTER + 1].exp().item()
    rows = []
    for version in VERSIONS:
        model = train_model(build(version, settings), settings)
        with torch.no_grad():
            next_b = model(string)[:, N_PAIRS, FIRST_LETTER + 1].exp()
        rows += [(version, place, value, exact) for place, value in enumerate(next_b.tolist())]
    return pd.DataFrame(rows, columns=["version", "place", "next_b", "exact"])


def order_blindness(settings: Settings) -> pd.DataFrame:
    """Return pairs for untrained models: how far the last prediction moves if two letters swap.

    The letters before the last one of a string change places, so that no row but theirs sees the
    difference without positions. With one layer and sines along the batch, the last row sees a set.
    """
    tokens = tasks.build(settings).held_out()["in_distribution"][:1, :6].clone()
    tokens[0] = torch.tensor([0, 1, 0, 0, 1, 0]) + FIRST_LETTER
    swapped = tokens[:, [1, 0, 2, 3, 4, 5]]
    row: dict[str, float] = {"unit": settings.training.seed}
    for column, version in zip(("published", "corrected"), VERSIONS, strict=True):
        model = build(version, settings).eval()
        with torch.no_grad():
            difference = model(tokens)[:, -1].exp() - model(swapped)[:, -1].exp()
        row[column] = difference.abs().max().item()
    return pd.DataFrame([row])
