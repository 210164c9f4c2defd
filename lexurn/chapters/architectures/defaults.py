"""The default models of Mészáros et al. 2024 (arXiv 2409.13728), side by side at seven tokens.

    default_settings(changes)      their settings, from the grids for a GPU
    compare_defaults(settings)     their weights, and a short training of each on aⁿbⁿ

The tokens are SOS, EOS, PAD and the four letters of `dyck`. Strings of aⁿbⁿ use two of the letters;
the models keep all of them. The published linear model (`published_models`) is in no grid: its mask
lets it read its targets. The linear backbone of the grid has one map for all pairs of positions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import nn

from lexurn import models, tasks
from lexurn.base.divergences import negative_log_likelihood
from lexurn.base.seeding import generator
from lexurn.base.shapes import Tokens
from lexurn.chapters.architectures import published
from lexurn.chapters.architectures.published_models import PositionPairs
from lexurn.runs import sweeps
from lexurn.settings import Settings
from lexurn.settings.resolver import check

GRIDS = ("07_rules_transformer", "08_rules_lstm", "09_rules_mamba", "10_rules_xlstm")
LINEAR_GRID = "11_rules_linear"
PUBLISHED_LINEAR = "linear, as published"
GRID_LINEAR = "linear, of the grid"


def default_settings(changes: Mapping[str, Any]) -> list[Settings]:
    """Return the settings of the five backbones at seven tokens, with `changes` by flat names."""
    grids = [sweeps.read(f"gpu_{name}") for name in (*GRIDS, LINEAR_GRID)]
    return [check(grid.where(language="dyck")[0].changed() | changes) for grid in grids]


def compare_defaults(settings: Sequence[Settings]) -> pd.DataFrame:
    """Train every model on aⁿbⁿ, and the published linear model like the last one.

    Columns: model, weights, before and after: the excess over the oracle in nats per string, with
    the string given as a whole, before and after the training.
    """
    rows = []
    for each in settings:
        stream = generator(each.training.seed, "weights")
        name = GRID_LINEAR if each.backbone.name == "linear" else each.backbone.name
        rows.append((name, *_train(models.build(each, generator=stream), each)))
    linear = PositionPairs(
        published.VOCAB_SIZE,
        n_rows=settings[-1].task.context_length + 1,
        mask="as published",
        generator=generator(settings[-1].training.seed, "position pairs"),
    )
    rows.append((PUBLISHED_LINEAR, *_train(linear, settings[-1])))
    return pd.DataFrame(rows, columns=["model", "weights", "before", "after"])


def _train(model: nn.Module, settings: Settings) -> tuple[int, float, float]:
    """Train a model in place; return its number of weights, and its excess before and after."""
    of_strings = settings.replace(language="aNbN")
    task = tasks.build(of_strings)
    strings = task.held_out()["in_distribution"]
    oracle = _loss(task.references()["oracle"](strings), strings)
    excess = []
    for is_trained in (False, True):
        if is_trained:
            published.train_model(model, of_strings)
        model.eval()
        with torch.no_grad():
            excess.append(_loss(model(strings), strings) - oracle)
    return sum(parameter.numel() for parameter in model.parameters()), *excess


def _loss(log_probs: torch.Tensor, strings: Tokens) -> float:
    return negative_log_likelihood(log_probs, strings).double().sum(-1).mean().item()
