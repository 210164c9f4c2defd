"""Symmetry errors are zero for the exact predictor, and not for one that looks at the order or at the sides."""

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
    """Counts, but the last ball for three: depends on the order."""
    log_probs = Generalizing(2)(tokens)
    counts = torch.nn.functional.one_hot(tokens[:, :-1], 2).double()
    mass = (
        torch.cat([torch.zeros(len(tokens), 1, 2).double(), counts.cumsum(1) + 2 * counts], 1) + 1
    )
    return (mass / mass.sum(-1, keepdim=True)).log().to(log_probs)


def test_an_exact_predictor_does_not_see_the_order_and_another_one_does(tokens):
    options = {"generator": generator(0, "orders")}
    assert symmetry.permutation(Generalizing(2), tokens, **options).max() < 1e-12
    assert symmetry.permutation(Generalizing(2, [1.0, 8.0]), tokens, **options).max() < 1e-12
    seen = symmetry.permutation(recent, tokens, **options)
    assert seen.mean() > 0.03
    mixed = tokens[:, :-1].double().mean(-1)
    assert (seen[(mixed == 0) | (mixed == 1)] == 0).all()  # a constant sequence has one order


def test_shuffling_keeps_the_counts_and_the_last_token_and_reaches_every_order(tokens):
    again = symmetry.shuffled(tokens, generator=generator(0, "orders"))
    assert torch.equal(again[:, :-1].sum(-1), tokens[:, :-1].sum(-1)) and torch.equal(
        again[:, -1], tokens[:, -1]
    )
    three = torch.tensor([[0, 1, 2, 0]]).expand(6000, -1)
    orders = symmetry.shuffled(three, generator=generator(0, "orders"))[:, :-1]
    numbers = (orders * torch.tensor([9, 3, 1])).sum(-1).bincount()
    numbers = numbers[numbers > 0]
    assert len(numbers) == 6 and (numbers - 1000).abs().max() < 6 * (6000 * 1 / 6 * 5 / 6) ** 0.5


def test_flipping_is_a_symmetry_of_symmetric_priors_alone(tokens):
    assert symmetry.flip(Generalizing(2), tokens).max() < 1e-12
    assert symmetry.flip(recent, tokens).max() < 1e-12
    assert symmetry.flip(Generalizing(2, [1.0, 8.0]), tokens).mean() > 0.05


def test_cosines_are_of_pairs_with_equal_counts_split_by_the_last_token_beside_a_control(tokens):
    seen = tokens[:, :-1]
    vectors = torch.stack([seen.sum(-1), 1.0 + seen[:, -1]], -1).double()
    table = symmetry.cosines(vectors, seen, generator=generator(0, "pairs"))
    same, other, control = (
        table[table["pair"] == f"{name} last"]["cosine"]
        for name in ("same counts, same", "same counts, other", "other counts, same")
    )
    assert (
        len(same) + len(other) <= len(seen) // 2 >= len(control)
        and min(map(len, (same, other, control))) > 10
    )
    assert (
        same - 1
    ).abs().max() < 1e-12  # these vectors are functions of the count and the last token
    assert (other < 1 - 1e-6).all() and (control < 1 - 1e-9).all()
