"""Sequences whose order is broken: cut into blocks, and these put into any order."""

import torch
from jaxtyping import Int64
from torch import Generator, Tensor

from lexurn.base.shapes import Tokens


def shuffled(
    tokens: Tokens,
    *,
    block: int,
    generator: Generator,
    lengths: Int64[Tensor, "batch"] | None = None,
) -> Tokens:
    """Every sequence with its blocks of `block` tokens (the last may be shorter) in an order of its own.

    A block of the whole length leaves a sequence as it is. Of words only the first `lengths` tokens are shuffled.
    """
    n_sequences, n_rows = tokens.shape
    rows = torch.arange(n_rows)
    keys = torch.rand(n_sequences, -(-n_rows // block), generator=generator)[
        :, rows // block
    ]  # batch time
    if lengths is not None:
        keys[rows >= lengths[:, None]] = 2.0  # behind all others, as they stand
    return tokens.gather(1, keys.argsort(dim=-1, stable=True))
