"""Sequences whose order is broken: cut into blocks, and these put into any order."""

import torch
from torch import Generator

from lexurn.shapes import Tokens


def shuffled(tokens: Tokens, *, block: int, generator: Generator) -> Tokens:
    """Every sequence with its blocks of `block` tokens in an order of its own; a block of its whole length leaves it.

    Raises ValueError where the blocks do not fill the sequences.
    """
    n_sequences, n_rows = tokens.shape
    if n_rows % block:
        fitting = [size for size in range(1, n_rows + 1) if n_rows % size == 0]
        raise ValueError(f"blocks of {block} tokens do not fill {n_rows}; use one of {', '.join(map(str, fitting))}")
    order = torch.rand(n_sequences, n_rows // block, generator=generator).argsort(-1)
    rows = order[..., None] * block + torch.arange(block)  # batch blocks block
    return tokens.gather(1, rows.flatten(1))
