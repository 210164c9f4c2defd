"""Sequences in broken order: cut into blocks, and the blocks shuffled."""

import torch
from jaxtyping import Int64
from torch import Generator, Tensor

from lexurn.base.shapes import Tokens


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
