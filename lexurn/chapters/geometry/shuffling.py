"""Does the order of tokens matter? The geometry and the loss of a run on shuffled sequences."""

import pandas as pd
import torch
from jaxtyping import Int64
from torch import Generator, Tensor

from lexurn.base.divergences import negative_log_likelihood
from lexurn.base.seeding import generator
from lexurn.base.shapes import Tokens
from lexurn.chapters.geometry import layers, token_geometry
from lexurn.generators.strings import string_lengths
from lexurn.models.language_model import evaluating
from lexurn.runs.run import Run

N_ORDERS = 6
"""The number of orders: whole sequences, blocks of a half, a quarter, …, and single tokens."""


def geometry_by_order(run: Run) -> pd.DataFrame:
    """Return dimensions, cosines and the loss of the best weights on shuffled sequences.

    Columns: order (0 is the original order, the last one shuffles single tokens), block (its
    length), layer, measure, value. The `loss` (nats per token) is in the rows of layer 0. In
    strings of a formal language, only the letters are shuffled; EOS and PAD keep their positions.
    """
    settings = run.settings
    seed = settings.training.seed
    tokens = token_geometry.held_out_sequences(settings)[:, : settings.task.context_length]
    ends = string_lengths(tokens) if settings.task.n_special else None
    block_sizes = [max(tokens.shape[1] // 2**order, 1) for order in range(N_ORDERS - 1)] + [1]
    parts = []
    for order, block in enumerate(block_sizes):
        stream = generator(seed, "order", order)
        mixed = shuffle_blocks(tokens, block_length=block, generator=stream, lengths=ends)
        loss = {"layer": 0, "measure": "loss", "value": _loss(run, mixed)}
        dimensions = token_geometry.cloud_dimensions(run.model, mixed, seed=seed)
        table = pd.concat(
            [layers.layer_measures(run.model, mixed, backward=False), dimensions],
            ignore_index=True,
        )
        table = table[table["measure"].isin(["twonn", "twonn_once", "cosine", "centred"])]
        table = table.rename(columns={"mean": "value"})[["layer", "measure", "value"]]
        table = pd.concat([table, pd.DataFrame([loss])], ignore_index=True)
        parts.append(table.assign(order=order, block=block))
    return pd.concat(parts, ignore_index=True)


def shuffle_blocks(
    tokens: Tokens,
    *,
    block_length: int,
    generator: Generator,
    lengths: Int64[Tensor, "batch"] | None = None,
) -> Tokens:
    """Return every sequence with its blocks of `block_length` tokens in a random order of its own.

    The last block may be shorter. With one block per sequence nothing changes. With `lengths`, only
    the first `lengths` tokens of each sequence are shuffled.
    """
    n_sequences, n_rows = tokens.shape
    rows = torch.arange(n_rows)
    n_blocks = -(-n_rows // block_length)
    block_keys = torch.rand(n_sequences, n_blocks, generator=generator)
    keys = block_keys[:, rows // block_length]  # batch time
    if lengths is not None:
        keys[rows >= lengths[:, None]] = 2.0  # larger than every random key: these stay at the end
    return tokens.gather(1, keys.argsort(dim=-1, stable=True))


def _loss(run: Run, tokens: Tokens) -> float:
    """Return the loss in nats per token; strings count their letters and EOS, but no padding."""
    table = run.model.vocabulary.draw(1, generator=generator(0, "geometry table"))
    with evaluating(run.model):
        loss = negative_log_likelihood(run.model(tokens, table=table), tokens)
    n_tokens = loss.numel()
    if run.settings.task.n_special:
        n_tokens = (string_lengths(tokens) + 1).clamp(max=tokens.shape[1]).sum()
    return float(loss.sum() / n_tokens)
