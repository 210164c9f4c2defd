"""Distances against scipy, definitions and edge cases."""

import math

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy

from lexurn.base import divergences


@given(st.lists(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), min_size=2, max_size=2))
@example([[0.010000000000000002, 0.01, 0.01], [0.01, 0.01, 0.01]])  # its sum of terms is below 0
def test_against_scipy(values):
    p, q = (torch.tensor(row, dtype=torch.float64) / sum(row) for row in values)
    log_p, log_q, p, q = p.log(), q.log(), p.numpy(), q.numpy()
    assert divergences.kl(log_p, log_q).item() == pytest.approx(scipy_entropy(p, q), abs=1e-12)
    both = (scipy_entropy(p, q) + scipy_entropy(q, p)) / 2
    assert divergences.symmetrized_kl(log_p, log_q).item() == pytest.approx(both, abs=1e-12)
    assert divergences.entropy(log_p).item() == pytest.approx(scipy_entropy(p), abs=1e-12)


@given(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), st.floats(-1e-15, 1e-15))
def test_no_divergence_is_negative(values, change):
    """The distributions differ by about one rounding: without clamping, sums have both signs."""
    p, q = (
        torch.tensor(row, dtype=torch.float64)
        for row in (values, [values[0] + change, *values[1:]])
    )
    log_p, log_q = (p / p.sum()).log(), (q / q.sum()).log()
    for divergence in (divergences.kl, divergences.symmetrized_kl):
        assert 0 <= divergence(log_p, log_q).item() < 1e-12, divergence
    certain = (
        torch.tensor([1.0, 0.0], dtype=torch.float64).log() + change
    )  # its probability is 1 up to a rounding
    assert divergences.entropy(certain).item() >= 0


def test_zeros_are_exact():
    certain, even = torch.tensor([1.0, 0.0]).log(), torch.tensor([0.5, 0.5]).log()
    assert divergences.kl(certain, even).item() == pytest.approx(math.log(2))
    assert divergences.kl(even, certain).item() == math.inf
    assert divergences.kl(certain, certain).item() == 0.0
    assert divergences.entropy(certain).item() == 0.0


def test_single_precision_is_raised_to_double():
    log_p = torch.randn(5, 4).log_softmax(-1)
    assert divergences.kl(log_p, log_p).dtype == torch.float64
