"""Mixture weights are found where they are known, also at corners and with zeros."""

import pytest
import torch

from lexurn.base.seeding import generator
from lexurn.generators.urns import Urns
from lexurn.measures.comparison import fit_weights
from lexurn.predictors import Empirical, Generalizing, Memorizing, Uniform


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
    assert fit_weights(of["M"], unflattened)[1] > 0.999
    for corner in range(3):
        weights = fit_weights(references[corner], references)
        assert weights[corner] > 0.999 and weights.sum().item() == pytest.approx(1)
    wanted = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)
    mixture = (wanted.log()[:, None, None] + references).logsumexp(0)
    torch.testing.assert_close(fit_weights(mixture, references), wanted, atol=1e-3, rtol=0)
    assert (fit_weights(references[0], references) - wanted).abs().max() > 0.1


def test_mixture_weights_take_references_with_zeros(scene):
    tokens, of = scene
    references = torch.stack([of["G"].flatten(0, 1), Empirical(4)(tokens).flatten(0, 1)])
    assert fit_weights(references[0], references)[0] > 0.999
    assert fit_weights(references[1], references)[1] > 0.99


def test_no_other_mixture_is_nearer(scene):
    """The optimum is compared with every direction on the simplex, also where it is a corner."""
    _, of = scene
    references = torch.stack([of[name].flatten(0, 1) for name in "GMU"])
    noise = torch.randn(references[0].shape, generator=generator(1, "noise"), dtype=torch.float64)

    def cross_entropy(model, weights):
        mixture = (weights.log()[:, None, None] + references).logsumexp(0)
        return -(model.exp() * mixture).sum(-1).mean().item()

    for model in (references[0], (references[1] + noise).log_softmax(-1), noise.log_softmax(-1)):
        weights = fit_weights(model, references)
        assert weights.min() > 0 and weights.sum().item() == pytest.approx(1)
        best = cross_entropy(model, weights)
        for corner in torch.eye(3, dtype=torch.float64):
            moved = cross_entropy(model, 0.999 * weights + 0.001 * corner)
            assert moved > best - 1e-9
        away = cross_entropy(model, weights.roll(1))
        assert away > best + 1e-4  # another mixture is told from the nearest


def test_mixture_weights_of_equal_references_are_equal(scene):
    """The problem has no single solution, for example where S is G."""
    _, of = scene
    twice = torch.stack([of["G"], of["G"], of["U"]])
    assert fit_weights(of["G"], twice) == pytest.approx(torch.tensor([0.5, 0.5, 0.0]), abs=1e-4)
