"""Training data as batches: an endless stream, or a finite set that is visited for some epochs.

Sequences are sampled in blocks of about 16k, and each block is a function of (seed, block) alone.
So memory does not grow with the number of training samples, nothing is stored, and batch `start`
is available without sampling all batches before it: a resumed run sees the same batches.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Generator

from lexurn.base.seeding import generator
from lexurn.base.shapes import Tokens

BLOCK_SIZE = 16_384

SampleBlock = Callable[[int, Generator], Tokens]
"""(n, generator) -> n sequences."""


def endless_batches(
    sample: SampleBlock, batch_size: int, *, seed: int, start: int = 0
) -> Iterator[Tokens]:
    """Yield batches of fresh sequences, from batch `start` on."""
    per_block = max(BLOCK_SIZE // batch_size, 1)
    while True:
        number, n_skipped = divmod(start, per_block)
        block = sample(per_block * batch_size, generator(seed, "training", number))
        yield from block.split(batch_size)[n_skipped:]
        start = (number + 1) * per_block


def finite_batches(
    sample: SampleBlock,
    n_samples: int,
    n_epochs: int,
    batch_size: int,
    *,
    seed: int,
    start: int = 0,
) -> Iterator[Tokens]:
    """Yield the `n_samples · n_epochs // batch_size` batches over a fixed set, from `start` on.

    Every epoch shuffles the blocks, and the sequences within a block. Epochs follow each other
    without a gap, so a batch may span two of them. `n_samples=1` repeats a single sequence.
    """
    n_blocks = -(-n_samples // BLOCK_SIZE)
    n_skipped = start * batch_size
    rest: list[Tokens] = []  # of the blocks so far, less than a batch
    for epoch in range(n_epochs):
        block_order = torch.randperm(n_blocks, generator=generator(seed, "block order", epoch))
        for number in block_order.tolist():
            size = min(BLOCK_SIZE, n_samples - number * BLOCK_SIZE)
            if n_skipped >= size:
                n_skipped -= size
                continue
            block = sample(size, generator(seed, "training", number))
            order = torch.randperm(size, generator=generator(seed, "order", epoch, number))
            tokens = torch.cat([*rest, block[order[n_skipped:]]])
            n_skipped = 0
            n_full = len(tokens) // batch_size
            yield from tokens[: n_full * batch_size].unflatten(0, (n_full, batch_size))
            rest = [tokens[n_full * batch_size :]]
