"""Probes read what is written, to the stated accuracy, and nothing from shuffled targets or from noise."""

import numpy as np
import pytest
import torch

from lexurn.base.seeding import generator
from lexurn.chapters.coins import probing


def written(n=200, n_rows=8, d=6, noise=0.0):
    """Activations with a quantity along a direction, among others, and that quantity."""
    stream = generator(0, "probing")
    target = torch.randn(n, n_rows, generator=stream, dtype=torch.float64)
    others = torch.randn(n, n_rows, d, generator=stream, dtype=torch.float64)
    direction = torch.arange(1.0, d + 1, dtype=torch.float64)
    mixing = torch.linalg.qr(torch.randn(d, d, generator=stream, dtype=torch.float64)).Q
    others -= (others @ direction)[..., None] * direction / direction.square().sum()
    x = target[..., None] * direction + others + noise * torch.randn(others.shape, generator=stream)
    return x @ mixing, target


def test_a_line_reads_what_is_written_along_a_direction_and_says_where():
    x, target = written()
    found = probing.probe(x, target, generator=generator(1, "fit"))
    assert min(found.r2.value, found.r2_elsewhere.value) > 1 - 1e-9 and found.r2.n == 100
    read = x.numpy() @ found.weights + found.offset
    np.testing.assert_allclose(read, target.numpy(), atol=1e-9)
    assert found.shuffled.high < 0.1  # nothing reads what was shuffled


def test_nothing_is_read_from_noise_and_the_interval_says_so():
    x, _ = written()
    target = torch.randn(200, 8, generator=generator(2, "unrelated"), dtype=torch.float64)
    found = probing.probe(x, target, generator=generator(1, "fit"))
    assert found.r2.value < 0.05 and found.r2.low < 0 and found.shuffled.value < 0.05


def test_with_noise_the_share_that_is_read_is_that_of_the_signal():
    """With independent noise of the same size in every direction: R² = |direction|² / (|direction|² + noise²)."""
    stream = generator(3, "noise")
    target = torch.randn(2000, 6, generator=stream, dtype=torch.float64)
    direction = torch.tensor([1.0, 2.0], dtype=torch.float64)
    x = target[..., None] * direction + 2.0 * torch.randn(
        2000, 6, 2, generator=stream, dtype=torch.float64
    )
    found = probing.probe(x, target, generator=generator(1, "fit"))
    assert found.r2.low < 5 / (5 + 4) < found.r2.high


def test_a_network_reads_what_no_line_does():
    stream = generator(4, "square")
    x = torch.randn(400, 8, 2, generator=stream, dtype=torch.float64)
    target = x[..., 0].square()
    line, network = (
        probing.probe(x, target, generator=generator(1, "fit"), kind=kind)
        for kind in ("linear", "mlp")
    )
    assert (
        line.r2.value < 0.1
        and network.r2.low > 0.8
        and network.shuffled.high < 0.1
        and network.weights is None
    )


def test_probes_are_scored_on_other_sequences():
    """A quantity of each sequence's own, told by a feature of its own: learnt by heart, and not read elsewhere."""
    x = torch.eye(30, dtype=torch.float64)[:, None].expand(-1, 8, -1)
    target = torch.randn(30, 1, generator=generator(5, "own"), dtype=torch.float64).expand(-1, 8)
    by_heart = np.linalg.lstsq(x.reshape(-1, 30).numpy(), target.reshape(-1).numpy(), rcond=None)[0]
    assert np.allclose(
        x.reshape(-1, 30).numpy() @ by_heart, target.reshape(-1).numpy()
    )  # it could be read
    assert probing.probe(x, target, generator=generator(1, "fit")).r2.value < 0.2


def test_a_probe_fails_at_other_rows_where_rows_are_told_by_heart():
    """Each row has a feature of its own that shifts the quantity: learnt at even rows, unknown at odd ones."""
    stream = generator(6, "rows")
    target = torch.randn(300, 8, generator=stream, dtype=torch.float64) + 3 * torch.randn(
        8, generator=stream
    )
    rows = torch.eye(8, dtype=torch.float64).expand(300, -1, -1)
    noise = torch.randn(300, 8, generator=stream, dtype=torch.float64)
    shifted = target + 10 * torch.randn(8, generator=stream)
    x = torch.cat([(shifted + 0.1 * noise)[..., None], rows], -1)
    found = probing.probe(x, target, generator=generator(1, "fit"))
    assert found.r2.value > 0.98 and found.r2_elsewhere.value < 0.5


def test_too_few_examples_are_refused():
    x, target = written(n=4, n_rows=4)
    with pytest.raises(
        ValueError, match="a probe of 6 features learns from more than 6 examples.*got 4 from 4 seq"
    ):
        probing.probe(x, target, generator=generator(1, "fit"))
    with pytest.raises(ValueError, match="use more sequences"):
        probing.probe(x[:, :1], target[:, :1], generator=generator(1, "fit"))
