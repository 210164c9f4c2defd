"""Balls & urns: the laws of their samples, and that every stream is its own."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, kstest

from lexurn import tasks
from lexurn.base.seeding import generator
from lexurn.generators.urns import Urns
from lexurn.settings.resolver import check


def test_urns_follow_the_dirichlet_prior():
    """Marginals of Dirichlet(α, …, α) are Beta(α, (V − 1) α)."""
    urns = Urns(3, 0.5).sample_tasks(5000, generator=generator(0, "urns"))
    assert urns.dtype == torch.float64
    torch.testing.assert_close(urns.sum(-1), torch.ones(5000, dtype=torch.float64))
    assert kstest(urns[:, 1].numpy(), "beta", (0.5, 1.0)).pvalue > 1e-4
    assert kstest(urns[:, 1].numpy(), "beta", (1.0, 2.0)).pvalue < 1e-4


def test_concentration_may_differ_by_color():
    urns = Urns(3, (1.0, 2.0, 5.0)).sample_tasks(5000, generator=generator(0, "urns"))
    assert kstest(urns[:, 2].numpy(), "beta", (5.0, 3.0)).pvalue > 1e-4


def test_balls_follow_their_urn_independently():
    tasks = torch.tensor([[0.1, 0.0, 0.6, 0.3], [1.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    tokens = Urns(4).sample(tasks.repeat_interleave(400, 0), 50, generator=generator(0, "balls"))
    assert tokens.shape == (800, 50) and tokens.dtype == torch.int64
    counts = np.bincount(tokens[:400].flatten(), minlength=4)
    assert counts[1] == 0 and chisquare(counts[[0, 2, 3]], [2000, 12000, 6000]).pvalue > 1e-4
    assert (tokens[400:] == 0).all()
    pairs = np.bincount((4 * tokens[:400, 1:] + tokens[:400, :-1]).flatten(), minlength=16).reshape(
        4, 4
    )
    expected = np.outer(pairs.sum(1), pairs.sum(0)) / pairs.sum()
    seen = expected > 0
    assert chisquare(pairs[seen], expected[seen], ddof=3).pvalue > 1e-4


def test_in_distribution_uses_every_urn_of_the_pool_and_no_other():
    pool = torch.eye(4, dtype=torch.float64)[:3]
    tokens = Urns(4).in_distribution(pool, 3000, 5, generator=generator(0, "x"))
    assert (tokens == tokens[:, :1]).all()
    assert chisquare(np.bincount(tokens[:, 0], minlength=3)).pvalue > 1e-4


def test_out_of_distribution_gives_every_sequence_an_urn_of_its_own():
    """For α = 1, two balls of one sequence agree with probability 2/(V + 1), of two with 1/V."""
    tokens = Urns(4).out_of_distribution(20_000, 2, generator=generator(0, "x"))
    same = (tokens[:, 0] == tokens[:, 1]).double().mean().item()
    assert abs(same - 0.4) < 6 * (0.24 / 20_000) ** 0.5
    other = (tokens[:, 0] == tokens[:, 1].roll(1)).double().mean().item()
    assert abs(other - 0.25) < 6 * (0.19 / 20_000) ** 0.5


def test_low_entropy_sequences_are_constant():
    tokens = Urns(3).low_entropy(4)
    assert tokens.tolist() == [[0] * 4, [1] * 4, [2] * 4]


def test_relabelling_renames_each_sequence_by_a_uniform_permutation_of_its_own():
    task = tasks.build(check({"n_colors": 3, "label_permuted": True}))
    tokens = Urns(3).out_of_distribution(6000, 9, generator=generator(0, "x"))
    renamed = task.rename(tokens, generator=generator(1, "x"))
    assert (renamed[:, :, None] == renamed[:, None]).equal(
        tokens[:, :, None] == tokens[:, None]
    )  # same positions equal
    orders = task.rename(torch.arange(3).repeat(6000, 1), generator=generator(1, "x"))
    _, counts = orders.unique(dim=0, return_counts=True)
    assert len(counts) == 6 and chisquare(counts.numpy()).pvalue > 1e-4
    plain = tasks.build(check({"n_colors": 3}))
    assert plain.rename(tokens, generator=generator(1, "x")).equal(tokens)


def test_streams_are_functions_of_seed_and_name():
    urns = Urns(3)
    first, again = (urns.out_of_distribution(4, 9, generator=generator(7, "a")) for _ in range(2))
    assert first.equal(again)
    assert not first.equal(urns.out_of_distribution(4, 9, generator=generator(7, "b")))
    assert not first.equal(urns.out_of_distribution(4, 9, generator=generator(8, "a")))


def test_sampling_leaves_the_global_generators_alone():
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    Urns(3).out_of_distribution(4, 9, generator=generator(7, "a"))
    assert before.equal(torch.get_rng_state()) and (numpy_before == np.random.get_state()[1]).all()


@pytest.mark.parametrize("arguments", [(1,), (3, 0.0), (3, (1.0, 2.0)), (2, (1.0, -1.0))])
def test_bad_urns_are_refused(arguments):
    with pytest.raises(ValueError, match="must be"):
        Urns(*arguments)
