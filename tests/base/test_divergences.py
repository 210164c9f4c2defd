"""Distances against scipy, definitions and edge cases."""

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy as scipy_entropy

from lexurn.base import divergences
from lexurn.base.seeding import generator
from lexurn.generators.urns import Urns
from lexurn.predictors import Empirical, Generalizing, Memorizing, Uniform


@given(st.lists(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), min_size=2, max_size=2))
@example(
    [[0.010000000000000002, 0.01, 0.01], [0.01, 0.01, 0.01]]
)  # its sum of terms is below 0: scipy's root is nan
def test_against_scipy(values):
    p, q = (torch.tensor(row, dtype=torch.float64) / sum(row) for row in values)
    log_p, log_q, p, q = p.log(), q.log(), p.numpy(), q.numpy()
    assert divergences.kl(log_p, log_q).item() == pytest.approx(scipy_entropy(p, q), abs=1e-12)
    both = (scipy_entropy(p, q) + scipy_entropy(q, p)) / 2
    assert divergences.symmetrized_kl(log_p, log_q).item() == pytest.approx(both, abs=1e-12)
    middle = (p + q) / 2
    js = (scipy_entropy(p, middle) + scipy_entropy(q, middle)) / 2
    ours = divergences.jensen_shannon(log_p, log_q).item()
    assert ours >= 0 and ours == pytest.approx(js, abs=1e-12)
    if js > 1e-9:  # below, scipy may take the root of a negative number
        assert jensenshannon(p, q) ** 2 == pytest.approx(js, abs=1e-9)
    assert divergences.entropy(log_p).item() == pytest.approx(scipy_entropy(p), abs=1e-12)
    assert divergences.total_variation(log_p, log_q).item() == pytest.approx(
        np.abs(p - q).sum() / 2, abs=1e-12
    )


@given(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), st.floats(-1e-15, 1e-15))
def test_no_divergence_is_negative_and_none_exceeds_its_bound(values, change):
    """The distributions differ by about one rounding: without clamping, sums have both signs."""
    p, q = (
        torch.tensor(row, dtype=torch.float64)
        for row in (values, [values[0] + change, *values[1:]])
    )
    log_p, log_q = (p / p.sum()).log(), (q / q.sum()).log()
    for divergence in (divergences.kl, divergences.symmetrized_kl, divergences.jensen_shannon):
        assert 0 <= divergence(log_p, log_q).item() < 1e-12, divergence
    certain = (
        torch.tensor([1.0, 0.0], dtype=torch.float64).log() + change
    )  # its probability is 1 up to a rounding
    assert divergences.entropy(certain).item() >= 0
    assert divergences.jensen_shannon(certain, certain.flip(0)).item() <= math.log(2)


def test_zeros_are_exact():
    certain, even = torch.tensor([1.0, 0.0]).log(), torch.tensor([0.5, 0.5]).log()
    assert divergences.kl(certain, even).item() == pytest.approx(math.log(2))
    assert divergences.kl(even, certain).item() == math.inf
    assert divergences.kl(certain, certain).item() == 0.0
    assert divergences.entropy(certain).item() == 0.0
    assert divergences.jensen_shannon(certain, certain.flip(0)).item() == pytest.approx(math.log(2))
    assert divergences.total_variation(certain, certain.flip(0)).item() == 1.0


def test_single_precision_is_raised_to_double():
    log_p = torch.randn(5, 4).log_softmax(-1)
    assert divergences.kl(log_p, log_p).dtype == torch.float64


@pytest.fixture
def scene():
    urns = Urns(4)
    pool = urns.sample_tasks(1, generator=generator(0, "pool"))
    tokens = urns.out_of_distribution(50, 20, generator=generator(0, "tokens"))
    return tokens, {
        "G": Generalizing(4)(tokens),
        "M": Memorizing(pool)(tokens),
        "U": Uniform(4)(tokens),
    }


def test_mixture_weights_find_corners_and_mixtures(scene):
    _, of = scene
    references = torch.stack([of[name].flatten(0, 1) for name in "GMU"])
    unflattened = torch.stack([of[name] for name in "GMU"])
    assert divergences.mixture_weights(of["M"], unflattened)[1] > 0.999
    for corner in range(3):
        weights = divergences.mixture_weights(references[corner], references)
        assert weights[corner] > 0.999 and weights.sum().item() == pytest.approx(1)
    wanted = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)
    mixture = (wanted.log()[:, None, None] + references).logsumexp(0)
    torch.testing.assert_close(
        divergences.mixture_weights(mixture, references), wanted, atol=1e-3, rtol=0
    )
    assert (divergences.mixture_weights(references[0], references) - wanted).abs().max() > 0.1


def test_mixture_weights_take_references_with_zeros(scene):
    tokens, of = scene
    references = torch.stack([of["G"].flatten(0, 1), Empirical(4)(tokens).flatten(0, 1)])
    assert divergences.mixture_weights(references[0], references)[0] > 0.999
    assert divergences.mixture_weights(references[1], references)[1] > 0.99
