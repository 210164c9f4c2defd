"""Padding that enters a mean cosine.

If prompts of several lengths share a batch, the short ones are filled up with one token. The
vectors of that token at many positions resemble each other, so that the mean cosine over *all*
positions rises with the share of padding. It then measures the lengths of the prompts.
"""

import pandas as pd
import torch

from lexurn import tasks
from lexurn.base.seeding import generator
from lexurn.base.shapes import Tokens
from lexurn.chapters.geometry import layers, vector_geometry
from lexurn.runs import fit
from lexurn.settings import Settings

FILLER = 0


def fill(tokens: Tokens, lengths: list[int]) -> Tokens:
    """Return a copy of sequences in which everything after its length is filled with `FILLER`."""
    filled = tokens.clone()
    for sequence, length in zip(filled, lengths, strict=True):
        sequence[length:] = FILLER
    return filled


def cosines(settings: Settings, lengths: list[int]) -> pd.DataFrame:
    """Return pairs per length and layer of an untrained model: unit, length, layer, and the pair.

    `published` is the mean cosine over all positions, `corrected` that over the positions of the
    prompt. Means over held-out sequences that are cut to `length` tokens and filled up again.
    """
    model = fit.init_model(settings).eval()
    task = tasks.build(settings)
    sequences = task.held_out()[task.splits[0]][:16]
    rows = []
    for length in lengths:
        tokens = fill(sequences, [length] * len(sequences))
        everything = torch.ones_like(tokens[:, :-1], dtype=torch.bool)
        valid = torch.arange(everything.shape[1]) < length
        for layer, flat in enumerate(layers.token_vectors(model, tokens)):
            x = flat.unflatten(0, everything.shape)
            means = [
                vector_geometry.cosines(x, mask).mean().item()
                for mask in (everything, valid.expand_as(everything))
            ]
            rows.append((settings.training.seed, length, layer, *means))
    return pd.DataFrame(rows, columns=["unit", "length", "layer", "published", "corrected"])


def isotropic(n_tokens: int, n_filled: int, d_model: int, seed: int) -> pd.DataFrame:
    """Return a pair for random vectors: with `n_filled` copies of one more vector, and without."""
    x = torch.randn(1, n_tokens, d_model, generator=generator(seed, "isotropic"))
    filler = torch.randn(1, 1, d_model, generator=generator(seed, "filler"))
    x = torch.cat([x, filler.expand(1, n_filled, d_model)], 1)
    valid = torch.arange(n_tokens + n_filled)[None] < n_tokens
    values = [vector_geometry.cosines(x, mask).item() for mask in (torch.ones_like(valid), valid)]
    return pd.DataFrame([(seed, *values)], columns=["unit", "published", "corrected"])
