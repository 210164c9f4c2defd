"""Trained models as data of an explorable, so that they predict in the page.

    pack(run.model, run.settings, n_tables=8)     what `lexurn.network` in network.js takes

Weights are rounded to half precision and keep the names that PyTorch gives them. Embedding tables
are packed as the vectors of all tokens, whatever the vocabulary draws them from.
"""

import base64
from typing import Any

import torch
from torch import Tensor

from lexurn.base import seeding
from lexurn.models import LanguageModel
from lexurn.settings import (
    CanonicalSettings,
    LSTMSettings,
    MambaSettings,
    NamesSettings,
    Settings,
    TransformerSettings,
    VocabularySettings,
)

BACKBONES = (TransformerSettings, LSTMSettings, MambaSettings)
PAGE_VALUES = {"norm_eps": 1e-5, "input_scale": 1.0, "input_norm": False}
"""Settings of backbones that a page knows with these values alone."""
VOCABULARIES = (VocabularySettings, NamesSettings, CanonicalSettings)


def pack(model: LanguageModel, settings: Settings, *, n_tables: int) -> dict[str, Any] | None:
    """Return a model as `lexurn.network` takes it, or None if the page cannot run its backbone.

    A lexical model is averaged over `n_tables` random tables, those of `models.as_predictor`. The
    first `n_learned` tokens have learned embeddings, which are the same in every table.
    """
    backbone, vocabulary = settings.backbone, settings.vocabulary
    if type(backbone) not in BACKBONES or type(vocabulary) not in VOCABULARIES:
        return None
    flat = PAGE_VALUES | backbone.model_dump(mode="json")
    if flat | PAGE_VALUES != flat or backbone.positions == "alibi":
        return None
    n_tokens = model.vocab_size
    is_random = model.vocabulary.is_random
    stream = seeding.generator(settings.training.seed, "evaluation tables")
    table = model.vocabulary.draw(n_tables, generator=stream)
    every_token = torch.arange(n_tokens).expand(n_tables if is_random else 1, -1)
    weights = {
        name: weight
        for name, weight in model.state_dict().items()
        if name.startswith(("backbone.", "vocabulary.readout."))
    }
    weights["start"] = model.start_vector
    weights["tables"] = model.vocabulary.embed(every_token, table)  # tables tokens d_model
    if model.positions is not None:
        weights["positions"] = model.positions
    return {
        "backbone": backbone.model_dump(mode="json"),
        "bos": backbone.bos,
        "context_length": model.context_length,
        "is_canonical": vocabulary.is_canonical,
        "logit_scale": vocabulary.logit_scale,
        "n_learned": model.n_special + vocabulary.n_named if is_random else n_tokens,
        "n_special": model.n_special,
        "vocab_size": n_tokens,
        "weights": {name: encode(weight) for name, weight in weights.items()},
    }


def encode(weight: Tensor) -> str:
    """Return a weight as base64 of little-endian half-precision numbers, row after row."""
    return base64.b64encode(weight.detach().half().numpy().astype("<f2").tobytes()).decode()
