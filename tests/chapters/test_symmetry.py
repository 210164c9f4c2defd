"""Symmetry errors are zero for the exact predictor, and positive for asymmetric predictors."""

import numpy as np
import pytest
import torch

from lexurn.base.seeding import generator
from lexurn.chapters.coins import symmetry
from lexurn.generators.urns import Urns
from lexurn.predictors import Generalizing


@pytest.fixture(scope="module")
def tokens():
    return Urns(2).out_of_distribution(200, 13, generator=generator(0, "coins"))


def recent(tokens):
    """Predict from counts in which the last ball counts three times, so the order matters."""
    log_probs = Generalizing(2)(tokens)
    counts = torch.nn.functional.one_hot(tokens[:, :-1], 2).double()
    weighted = counts.cumsum(1) + 2 * counts
    mass = 1 + torch.cat([torch.zeros(len(tokens), 1, 2).double(), weighted], 1)
    return (mass / mass.sum(-1, keepdim=True)).log().to(log_probs)


def test_total_variations_are_half_the_sums_of_differences():
    p, q = (torch.randn(7, 3, generator=generator(0, name)).double().softmax(-1) for name in "pq")
    wanted = np.abs(p.numpy() - q.numpy()).sum(-1) / 2
    assert symmetry.total_variation(p.log(), q.log()).numpy() == pytest.approx(wanted, abs=1e-12)
    certain = torch.tensor([1.0, 0.0]).log()
    assert symmetry.total_variation(certain, certain.flip(0)).item() == 1.0


def test_an_exact_predictor_does_not_see_the_order_and_another_one_does(tokens):
    options = {"generator": generator(0, "orders")}
    assert symmetry.permutation_error(Generalizing(2), tokens, **options).max() < 1e-12
    assert symmetry.permutation_error(Generalizing(2, [1.0, 8.0]), tokens, **options).max() < 1e-12
    errors = symmetry.permutation_error(recent, tokens, **options)
    assert errors.mean() > 0.03
    mixed = tokens[:, :-1].double().mean(-1)
    assert (errors[(mixed == 0) | (mixed == 1)] == 0).all()  # a constant sequence has one order


def test_shuffling_keeps_the_counts_and_the_last_token_and_reaches_every_order(tokens):
    shuffled = symmetry.shuffle(tokens, generator=generator(0, "orders"))
    assert torch.equal(shuffled[:, :-1].sum(-1), tokens[:, :-1].sum(-1))
    assert torch.equal(shuffled[:, -1], tokens[:, -1])
    three = torch.tensor([[0, 1, 2, 0]]).expand(6000, -1)
    orders = symmetry.shuffle(three, generator=generator(0, "orders"))[:, :-1]
    numbers = (orders * torch.tensor([9, 3, 1])).sum(-1).bincount()
    numbers = numbers[numbers > 0]
    assert len(numbers) == 6 and (numbers - 1000).abs().max() < 6 * (6000 * 1 / 6 * 5 / 6) ** 0.5


def test_flipping_is_a_symmetry_of_symmetric_priors_alone(tokens):
    assert symmetry.flip_error(Generalizing(2), tokens).max() < 1e-12
    assert symmetry.flip_error(recent, tokens).max() < 1e-12
    assert symmetry.flip_error(Generalizing(2, [1.0, 8.0]), tokens).mean() > 0.05


def test_cosines_are_of_pairs_with_equal_counts_split_by_the_last_token_beside_a_control(tokens):
    seen = tokens[:, :-1]
    vectors = torch.stack([seen.sum(-1), 1.0 + seen[:, -1]], -1).double()
    table = symmetry.pair_cosines(vectors, seen, generator=generator(0, "pairs"))
    same, other, control = (
        table[table["pair"] == f"{name} last"]["cosine"]
        for name in ("same counts, same", "same counts, other", "other counts, same")
    )
    assert len(same) + len(other) <= len(seen) // 2 >= len(control)
    assert min(map(len, (same, other, control))) > 10
    # These vectors are functions of the count and the last token.
    assert (same - 1).abs().max() < 1e-12
    assert (other < 1 - 1e-6).all() and (control < 1 - 1e-9).all()
