"""Probes read an encoded quantity accurately, and nothing from shuffled targets or from noise."""

import numpy as np
import pytest
import torch

from lexurn.base.seeding import generator
from lexurn.chapters.coins import probing


def encoded_quantity(n=200, n_rows=8, d=6, noise=0.0):
    """Return activations that encode a quantity along one direction, and that quantity."""
    stream = generator(0, "probing")
    target = torch.randn(n, n_rows, generator=stream, dtype=torch.float64)
    others = torch.randn(n, n_rows, d, generator=stream, dtype=torch.float64)
    direction = torch.arange(1.0, d + 1, dtype=torch.float64)
    mixing = torch.linalg.qr(torch.randn(d, d, generator=stream, dtype=torch.float64)).Q
    others -= (others @ direction)[..., None] * direction / direction.square().sum()
    x = target[..., None] * direction + others + noise * torch.randn(others.shape, generator=stream)
    return x @ mixing, target


def test_a_linear_probe_reads_a_quantity_along_a_direction_and_finds_the_direction():
    x, target = encoded_quantity()
    probe = probing.probe(x, target, generator=generator(1, "fit"))
    assert probe.r2.value > 1 - 1e-9 and probe.r2.n == 100
    prediction = x.numpy() @ probe.weights + probe.offset
    np.testing.assert_allclose(prediction, target.numpy(), atol=1e-9)
    assert probe.shuffled.high < 0.1  # no probe reads shuffled targets


def test_nothing_is_read_from_noise_and_the_interval_says_so():
    x, _ = encoded_quantity()
    target = torch.randn(200, 8, generator=generator(2, "unrelated"), dtype=torch.float64)
    probe = probing.probe(x, target, generator=generator(1, "fit"))
    assert probe.r2.value < 0.05 and probe.r2.low < 0 and probe.shuffled.value < 0.05


def test_with_noise_r2_is_the_share_of_the_signal():
    """With isotropic noise, R² = |direction|² / (|direction|² + noise²)."""
    stream = generator(3, "noise")
    target = torch.randn(2000, 6, generator=stream, dtype=torch.float64)
    direction = torch.tensor([1.0, 2.0], dtype=torch.float64)
    x = target[..., None] * direction + 2.0 * torch.randn(
        2000, 6, 2, generator=stream, dtype=torch.float64
    )
    probe = probing.probe(x, target, generator=generator(1, "fit"))
    assert probe.r2.low < 5 / (5 + 4) < probe.r2.high


def test_an_mlp_probe_reads_a_quantity_that_no_linear_probe_reads():
    stream = generator(4, "square")
    x = torch.randn(400, 8, 2, generator=stream, dtype=torch.float64)
    target = x[..., 0].square()
    linear = probing.probe(x, target, generator=generator(1, "fit"), kind="linear")
    network = probing.probe(x, target, generator=generator(1, "fit"), kind="mlp")
    assert linear.r2.value < 0.1
    assert network.r2.low > 0.8 and network.shuffled.high < 0.1
    assert network.weights is None


def test_probes_are_scored_on_other_sequences():
    """A quantity that each sequence marks by a feature of its own is memorized, not read."""
    x = torch.eye(30, dtype=torch.float64)[:, None].expand(-1, 8, -1)
    target = torch.randn(30, 1, generator=generator(5, "own"), dtype=torch.float64).expand(-1, 8)
    memorized = np.linalg.lstsq(x.reshape(-1, 30).numpy(), target.reshape(-1).numpy(), rcond=None)[
        0
    ]
    read = x.reshape(-1, 30).numpy() @ memorized
    assert np.allclose(read, target.reshape(-1).numpy())  # the training sequences can be read
    assert probing.probe(x, target, generator=generator(1, "fit")).r2.value < 0.2


def test_too_few_examples_are_an_error():
    x, target = encoded_quantity(n=4, n_rows=2)
    with pytest.raises(
        ValueError,
        match="a probe of 6 features needs more than 6 examples.*got 4 examples from 4 sequences",
    ):
        probing.probe(x, target, generator=generator(1, "fit"))
