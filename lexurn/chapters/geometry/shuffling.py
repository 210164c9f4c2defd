"""Does the order of tokens matter? Geometry and loss of a run on shuffled and ciphered sequences.

geometry_by_order(run)      text in blocks of falling length, each text's blocks shuffled
geometry_of_cipher(run)     the text under a substitution cipher, which keeps its repetitions
dimensions_by_copies(run)   text, cipher and single tokens, without copies of length k
"""

import pandas as pd
import torch
from jaxtyping import Int64
from torch import Generator, Tensor

from lexurn.base.divergences import negative_log_likelihood
from lexurn.base.seeding import generator
from lexurn.base.shapes import Tokens
from lexurn.chapters.geometry import copies, dimensions, layers, token_geometry
from lexurn.generators.strings import string_lengths
from lexurn.models.language_model import evaluating
from lexurn.runs.run import Run

N_ORDERS = 6
"""The number of orders: whole sequences, blocks of a half, a quarter, …, and single tokens."""

MEASURES = ("twonn", "twonn_once", "cosine", "centred", "spread", "isotropy")

LENGTHS = (2, 3, 4, 6, 8, 12)
"""The lengths of copies that are left out, one after the other."""

N_FEW = 400
"""The number of points where even the bigrams of a text must suffice."""


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
        parts.append(_measure(run, mixed).assign(order=order, block=block))
    return pd.concat(parts, ignore_index=True)


def geometry_of_cipher(run: Run) -> pd.DataFrame:
    """Return layer, measure, value, as `geometry_by_order` does, of the text under a cipher."""
    tokens = token_geometry.held_out_sequences(run.settings)
    stream = generator(run.settings.training.seed, "cipher")
    ciphered = copies.encipher(tokens, run.model.vocab_size, generator=stream)
    return _measure(run, ciphered[:, : run.settings.task.context_length])


def dimensions_by_copies(run: Run) -> pd.DataFrame:
    """Return text, length, layer, value, repeated: TwoNN of clouds without copies of that length.

    `text` is `text`, `cipher` or `shuffled` (single tokens). Length 0 leaves copies in. All clouds
    have at most `N_FEW` points, because a dimension depends on their number. `repeated` is the
    share of all tokens that have a copy.
    """
    settings = run.settings
    tokens = token_geometry.held_out_sequences(settings)
    stream = generator(settings.training.seed, "copies")
    texts = {
        "text": tokens,
        "cipher": copies.encipher(tokens, run.model.vocab_size, generator=stream),
        "shuffled": shuffle_blocks(tokens, block_length=1, generator=stream),
    }
    rows = []
    for name, each in texts.items():
        vectors = layers.token_vectors(run.model, each)[1:]
        for length in (0, *LENGTHS):
            grams = copies.token_grams(run.model, each, length or 1)
            is_once = length > 0
            chosen = layers.sample_points(grams, N_FEW, generator=stream, one_per_type=is_once)
            share = copies.repeated_share(grams) if is_once else 1.0
            base = {"text": name, "length": length, "n": len(chosen), "repeated": share}
            if len(chosen) >= dimensions.MIN_POINTS:
                rows += [
                    {**base, "layer": layer, "value": dimensions.twonn(x[chosen])}
                    for layer, x in enumerate(vectors, 1)
                ]
    return pd.DataFrame(rows)


def _measure(run: Run, tokens: Tokens) -> pd.DataFrame:
    """Return `MEASURES` and the loss on these sequences: layer, measure, value."""
    seed = run.settings.training.seed
    measures = layers.layer_measures(run.model, tokens, backward=False)
    clouds = token_geometry.cloud_dimensions(run.model, tokens, seed=seed, n_clouds=1)
    table = pd.concat([measures, clouds], ignore_index=True).rename(columns={"mean": "value"})
    table = table[table["measure"].isin(MEASURES) & (table["layer"] <= measures["layer"].max())]
    loss = pd.DataFrame([{"layer": 0, "measure": "loss", "value": _loss(run, tokens)}])
    return pd.concat([table[["layer", "measure", "value"]], loss], ignore_index=True)


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
