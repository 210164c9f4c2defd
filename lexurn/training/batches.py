"""Training data as batches: an endless stream, or a finite set visited for some epochs.

Sequences come in blocks of about 16k, and each block is a function of (seed, block) alone. Memory is therefore flat in
the number of training samples, nothing is stored, and batch number `start` can be reached without making those before
it: a resumed run sees the very batches that it would have seen.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Generator, Tensor

from lexurn.base.seeding import generator
from lexurn.base.shapes import Tokens

BLOCK = 16_384

SampleBlock = Callable[[int, Generator], Tokens]
"""(n, generator) -> n sequences."""


def endless(sample: SampleBlock, batch_size: int, *, seed: int, start: int = 0) -> Iterator[Tokens]:
    """Batches of sequences never seen before, from batch `start` on."""
    per_block = max(BLOCK // batch_size, 1)
    while True:
        number, skipped = divmod(start, per_block)
        block = sample(per_block * batch_size, generator(seed, "training", number))
        yield from block.split(batch_size)[skipped:]
        start = (number + 1) * per_block


def finite(
    sample: SampleBlock,
    n_samples: int,
    n_epochs: int,
    batch_size: int,
    *,
    seed: int,
    start: int = 0,
) -> Iterator[Tokens]:
    """`n_samples · n_epochs // batch_size` batches over a fixed set; each epoch in a new order, by block and within.

    Epochs follow each other without a gap, so a batch may hold the end of one and the beginning of the next. With
    `n_samples=1` the one sequence is repeated: the single-sequence mode.
    """
    held: list[Tensor] = []
    to_skip = start * batch_size
    for epoch in range(n_epochs):
        n_blocks = -(-n_samples // BLOCK)
        for number in torch.randperm(
            n_blocks, generator=generator(seed, "block order", epoch)
        ).tolist():
            size = min(BLOCK, n_samples - number * BLOCK)
            if to_skip >= size:
                to_skip -= size
                continue
            block = sample(size, generator(seed, "training", number))
            order = torch.randperm(size, generator=generator(seed, "order", epoch, number))
            held.append(block[order[to_skip:]])
            to_skip = 0
            *full, rest = torch.cat(held).split(batch_size)
            if len(rest) == batch_size:
                full, rest = [*full, rest], rest[:0]
            yield from full
            held = [rest]
