"""What a model has memorized: the best rule without memory, captured shares, doubt, and names."""

import itertools
from math import log, prod

import pytest
import torch
from torch.testing import assert_close

from lexurn import predictors
from lexurn.base import divergences
from lexurn.base.seeding import generator
from lexurn.generators.urns import Urns
from lexurn.measures import comparison, memorization
from lexurn.predictors.combining import log_evidence

URNS = Urns(3)
POOL = URNS.sample_tasks(2, generator=generator(0, "urns"))
S = predictors.Symmetrized(POOL)
G = predictors.Generalizing(3)
ORDERS = list(itertools.permutations(range(3)))
REFERENCES = {"symmetrized": S, "generalizing": G}


def inside(n=300, length=17):
    return URNS.in_distribution(POOL, n, length, generator=generator(1, "in"))


def fresh(n=300, length=17):
    return URNS.out_of_distribution(n, length, generator=generator(2, "out"))


def test_the_loss_of_an_add_alpha_rule_by_enumeration():
    """All sequences of 4 balls, weighted with their probability."""
    tokens = torch.tensor(list(itertools.product(range(3), repeat=4)))
    weights = torch.stack([urn[tokens].prod(-1) for urn in POOL]).mean(0)
    for alpha in (0.2, 1.0, 7.0):
        losses = divergences.negative_log_likelihood(
            predictors.Generalizing(3, alpha)(tokens), tokens
        )
        expected = (weights @ losses[:, 1:].mean(-1)).item()
        assert memorization.add_alpha_loss(POOL, alpha, 4) == pytest.approx(expected, rel=1e-12)


def test_the_best_alpha_is_the_best_on_a_grid():
    best = memorization.best_alpha(POOL, 17)
    loss = memorization.add_alpha_loss(POOL, best, 17)
    grid = [0.5 * best, 0.9 * best, 1.1 * best, 2 * best]
    assert all(loss < memorization.add_alpha_loss(POOL, alpha, 17) for alpha in grid)


def test_captured_is_one_for_the_memorizer_and_zero_for_the_best_rule():
    tokens = inside()
    best = memorization.best_generalizing(POOL, tokens.shape[1])
    assert memorization.captured(S, S, POOL, tokens) == 1
    assert memorization.captured(best, S, POOL, tokens) == pytest.approx(0, abs=1e-12)
    assert memorization.captured(G, S, POOL, tokens) < 0  # a rule for other urns has less


def test_captured_and_the_relative_distance_by_plain_loops():
    """S by its sum over all renamings, G by counting, divergences term by term."""
    tokens, rows = inside(6, 5), range(1, 5)
    renamed = [[urn[i] for i in order] for urn in POOL.tolist() for order in ORDERS]

    def s(seen):
        weights = [prod(urn[ball] for ball in seen) for urn in renamed]
        products = [[w * p for p in urn] for w, urn in zip(weights, renamed, strict=True)]
        return [sum(column) / sum(weights) for column in zip(*products, strict=True)]

    def counting(alpha):
        return lambda seen: [(seen.count(v) + alpha) / (len(seen) + 3 * alpha) for v in range(3)]

    def between(seen):
        return [0.7 * p + 0.3 * q for p, q in zip(s(seen), counting(1.0)(seen), strict=True)]

    def mean_kl(first, second):
        seen = [sequence[:row] for sequence in tokens.tolist() for row in rows]
        pairs = [zip(first(each), second(each), strict=True) for each in seen]
        return sum(p * log(p / q) for pair in pairs for p, q in pair) / len(seen)

    def distance(first, second):
        return (mean_kl(first, second) + mean_kl(second, first)) / 2

    model = lambda tokens: (0.7 * S(tokens).exp() + 0.3 * G(tokens).exp()).log()  # noqa: E731
    best = counting(memorization.best_alpha(POOL, 5))
    captured = 1 - mean_kl(s, between) / mean_kl(s, best)
    assert memorization.captured(model, S, POOL, tokens) == pytest.approx(captured, rel=1e-9)
    g = counting(1.0)
    relative = (distance(between, g) - distance(between, s)) / distance(g, s)
    stream = generator(0, "r")
    found = comparison.relative_distance(
        model, REFERENCES, tokens, generator=stream, memorizing="symmetrized"
    )
    assert found.interval.value == pytest.approx(relative, rel=1e-9)
    by_g_1 = 1 - mean_kl(s, between) / mean_kl(
        s, g
    )  # the control: against G_1 it is another number
    assert by_g_1 != pytest.approx(captured, rel=0.01)


def test_a_mixture_of_sequences_by_brute_force():
    tokens = fresh(40, 9)
    mixture = predictors.SequenceMixture([S, G], [0.7, 0.3])
    joint = (
        0.7 * log_evidence(S(tokens), tokens).exp() + 0.3 * log_evidence(G(tokens), tokens).exp()
    )
    by_color = []
    for color in range(3):
        changed = tokens.clone()
        changed[:, -1] = color
        longer = torch.cat([changed, changed[:, :1]], 1)  # evidence counts all but the last token
        by_color.append(
            0.7 * log_evidence(S(longer), longer)[:, -1].exp()
            + 0.3 * log_evidence(G(longer), longer)[:, -1].exp()
        )
    expected = torch.stack(by_color, -1) / joint[:, -1:]
    assert_close(mixture(tokens)[:, -1].exp(), expected)


def test_a_mixture_of_one_predictor_is_that_predictor_and_wrong_weights_are_refused():
    tokens = fresh(20)
    assert_close(predictors.SequenceMixture([S, G], [1.0, 0.0])(tokens), S(tokens))
    with pytest.raises(ValueError, match="one weight of 0 or more per predictor"):
        predictors.SequenceMixture([S, G], [1.0])


@pytest.mark.parametrize("epsilon", [0.5, 0.01])
def test_doubt_costs_little_where_there_is_none(epsilon):
    """The total regret to S on the pool's sequences is at most −ln(1 − ε) on average over them."""
    tokens = inside(2000)
    mixture = predictors.SequenceMixture([S, G], [1 - epsilon, epsilon])
    regret = divergences.negative_log_likelihood(mixture(tokens), tokens).sum(-1)
    regret = regret - divergences.negative_log_likelihood(S(tokens), tokens).sum(-1)
    assert (regret <= -log(1 - epsilon) + 1e-9).all()


@pytest.mark.parametrize("epsilon, uniform", [(0.3, 0.0), (0.02, 0.1)])
def test_a_fit_finds_the_doubt_of_a_predictor(epsilon, uniform):
    mixture = predictors.SequenceMixture([S, G], [1 - epsilon, epsilon])
    with_uniform = lambda tokens: ((1 - uniform) * mixture(tokens).exp() + uniform / 3).log()  # noqa: E731
    doubt = memorization.fit_doubt(with_uniform, REFERENCES, fresh(200), memorizing="symmetrized")
    assert doubt.epsilon == pytest.approx(epsilon, rel=0.02)
    assert doubt.uniform == pytest.approx(uniform, abs=0.002)
    assert doubt.kl < 1e-6 and not doubt.is_bound
    again = memorization.with_doubt(doubt, REFERENCES, memorizing="symmetrized")
    assert_close(again(inside(50)), with_uniform(inside(50)), atol=2e-3, rtol=0)


def test_a_fit_without_a_uniform_share_leaves_what_the_share_explains():
    mixture = predictors.SequenceMixture([S, G], [0.7, 0.3])
    with_uniform = lambda tokens: (0.9 * mixture(tokens).exp() + 0.1 / 3).log()  # noqa: E731
    options = {"memorizing": "symmetrized", "max_uniform": 0.0}
    alone = memorization.fit_doubt(mixture, REFERENCES, fresh(200), **options)
    assert alone.epsilon == pytest.approx(0.3, rel=0.02) and alone.kl < 1e-6
    left = memorization.fit_doubt(with_uniform, REFERENCES, fresh(200), **options)
    assert left.uniform == 0.0 and left.kl > 1e-4


def test_no_doubt_at_all_is_a_bound():
    assert memorization.fit_doubt(S, REFERENCES, fresh(100), memorizing="symmetrized").is_bound


def test_doubt_explains_a_model_in_between_that_a_blend_of_rows_does_not():
    """A blend of rows is no mixture of sequences: the fit to it leaves a distance."""
    blend = lambda tokens: (0.5 * S(tokens).exp() + 0.5 * G(tokens).exp()).log()  # noqa: E731
    assert memorization.fit_doubt(blend, REFERENCES, fresh(200), memorizing="symmetrized").kl > 1e-4
