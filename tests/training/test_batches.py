"""Batches: what is visited how often, and that any batch can be reached."""

import itertools
import weakref

import pytest
import torch

from lexurn.training import batches
from lexurn.training.batches import endless_batches, finite_batches


def numbered(monkeypatch, block):
    """Sample blocks of `block` sequences that carry distinct random numbers."""
    monkeypatch.setattr(batches, "BLOCK_SIZE", block)
    return lambda n, g: torch.randint(2**40, (n, 1), generator=g)


def test_endless_never_repeats_and_can_start_anywhere(monkeypatch):
    sample = numbered(monkeypatch, 20)
    whole = list(itertools.islice(endless_batches(sample, 6, seed=1), 30))
    assert torch.cat(whole).unique().numel() == 180
    for start in (0, 1, 3, 7, 29):
        there = next(endless_batches(sample, 6, seed=1, start=start))
        assert there.equal(whole[start])
    assert not next(endless_batches(sample, 6, seed=2)).equal(whole[0])


@pytest.mark.parametrize(
    ("n_samples", "n_epochs", "size"), [(47, 3, 5), (10, 2, 4), (1, 12, 4), (20, 1, 20), (7, 5, 9)]
)
def test_finite_visits_every_sequence_once_an_epoch(monkeypatch, n_samples, n_epochs, size):
    sample = numbered(monkeypatch, 10)
    whole = list(finite_batches(sample, n_samples, n_epochs, size, seed=1))
    assert len(whole) == n_samples * n_epochs // size and all(len(batch) == size for batch in whole)
    everything = torch.cat(whole).flatten()
    epochs = everything.split(n_samples)
    assert all(epoch.unique().numel() == n_samples for epoch in epochs[:-1])
    assert everything.unique().numel() == n_samples
    for start in range(len(whole)):
        assert next(finite_batches(sample, n_samples, n_epochs, size, seed=1, start=start)).equal(
            whole[start]
        )


def test_finite_shuffles_blocks_and_within_them_anew_each_epoch(monkeypatch):
    sample = numbered(monkeypatch, 10)
    first, second = torch.cat(list(finite_batches(sample, 40, 2, 5, seed=1))).flatten().split(40)
    assert not first.equal(second) and first.sort().values.equal(second.sort().values)
    place = {number: i // 10 for i, number in enumerate(first.tolist())}
    blocks = [place[number] for number in second.tolist()]
    assert all(
        len(set(blocks[i : i + 10])) == 1 for i in range(0, 40, 10)
    )  # a block stays together


def most_blocks_alive(stream_of):
    """Return how many blocks are alive at once, at most, over 900 batches, and the largest one."""
    alive, most, largest = set(), 0, 0

    def sample(n, g):
        nonlocal most, largest
        block = torch.zeros(n, 2, dtype=torch.int64)
        number = len(alive) + largest + n
        alive.add(number)
        weakref.finalize(block.untyped_storage(), alive.discard, number)
        most, largest = max(most, len(alive)), max(largest, n)
        return block

    for _ in itertools.islice(stream_of(sample), 900):
        pass
    return most, largest


def test_memory_is_flat_in_the_number_of_samples():
    """A thousand times more sequences are held in as many blocks of the same size."""
    for n_samples in (20_000, 20_000_000):
        most, largest = most_blocks_alive(
            lambda sample, n=n_samples: finite_batches(sample, n, 9, 64, seed=0)
        )
        assert most <= 2 and largest <= batches.BLOCK_SIZE
    most, largest = most_blocks_alive(lambda sample: endless_batches(sample, 64, seed=0))
    assert most <= 2 and largest <= batches.BLOCK_SIZE
    kept = []
    assert (
        most_blocks_alive(
            lambda sample: endless_batches(
                lambda n, g: kept.append(sample(n, g)) or kept[-1], 64, seed=0
            )
        )[0]
        > 2
    )
