"""Floors are exact: brute force over whole sequences, two methods, and models that stay above."""

import itertools

import numpy as np
import pytest
import torch

from lexurn.base import divergences
from lexurn.chapters.architectures import floors, histories
from lexurn.chapters.architectures.simple_predictors import LastLetter, LinearCounts, LinearStrings
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import FIRST_LETTER
from lexurn.predictors import Generalizing, RenamingMixture, Symmetrized
from lexurn.predictors.grammars import oracle

URN = torch.tensor([[0.6, 0.3, 0.1]], dtype=torch.float64)


def all_sequences(n_tokens, length):
    return torch.tensor(list(itertools.product(range(n_tokens), repeat=length)))


def evidence(predictor, tokens):
    log_probs = divergences.as_double(predictor(tokens))
    return log_probs.gather(-1, tokens[..., None])[..., 0].sum(1).exp()


def brute_force(optimum, predictor, tokens, first_row=1):
    """Return the excess of a predictor row by row, over all sequences with their probabilities."""
    kl = divergences.kl(optimum(tokens), divergences.as_double(predictor(tokens)))
    return (evidence(optimum, tokens) @ kl)[first_row:]


def all_strings(max_letters, *, orders):
    letters = [
        order[0] * k + order[1] * k for k in range(1, max_letters // 2 + 1) for order in orders
    ]
    return LANGUAGES["aNbN"].encode(letters, length=max_letters + 1)


def string_optimum(max_letters, *, has_names):
    known = oracle("aNbN", max_length=max_letters)
    return known if has_names else RenamingMixture(known, n_permuted=2, n_special=FIRST_LETTER)


def test_rows_are_the_probabilities_of_all_histories():
    for row in [*histories.coins(5), *histories.urns(URN, 5)]:
        assert row.probs.sum() == pytest.approx(1)
        assert row.targets.sum(1) == pytest.approx(np.ones(len(row.probs)))
    lives = [row.probs.sum() for row in histories.strings(6, has_names=False)]
    assert lives == pytest.approx([1, 1, 1, 2 / 3, 2 / 3, 1 / 3, 1 / 3])


def test_coins_and_urns_agree_with_brute_force():
    for optimum, rows, n_tokens in (
        (Generalizing(2), histories.coins(5), 2),
        (Symmetrized(URN), histories.urns(URN, 5), 3),
    ):
        predictor = LinearCounts(rows)
        expected = brute_force(optimum, predictor, all_sequences(n_tokens, 6))
        assert floors.linear_floor(rows, "symmetric", "Newton") == pytest.approx(
            expected.tolist(), abs=1e-9
        )

        def uniform(tokens, n=n_tokens):
            return torch.full((*tokens.shape, n), 1 / n, dtype=torch.float64).log()

        cost = brute_force(optimum, uniform, all_sequences(n_tokens, 6))
        assert floors.memory_floor(rows, "row") == pytest.approx(cost.tolist(), abs=1e-9)


@pytest.mark.parametrize("has_names", [True, False])
def test_strings_agree_with_brute_force(has_names):
    rows = histories.strings(6, has_names=has_names)
    optimum = string_optimum(6, has_names=has_names)
    tokens = all_strings(6, orders=["ab"] if has_names else ["ab", "ba"])
    assert evidence(optimum, tokens).sum() == pytest.approx(1)
    expected = brute_force(optimum, LastLetter(rows), tokens, first_row=0)
    assert floors.memory_floor(rows, "last letter") == pytest.approx(expected.tolist(), abs=1e-9)
    if not has_names:
        expected = brute_force(optimum, LinearStrings(rows), tokens, first_row=0)
        floor = floors.linear_floor(rows, "symmetric", "Newton")
        assert floor == pytest.approx(expected.tolist(), abs=1e-6)


@pytest.mark.parametrize(
    "rows", [histories.coins(6), histories.urns(URN, 6), histories.strings(8, has_names=False)]
)
def test_two_methods_find_one_floor(rows):
    few = floors.linear_floor(rows, "symmetric", "Newton")
    full = floors.linear_floor(rows, "full", "L-BFGS")
    assert few == pytest.approx(full, abs=1e-6)
    assert sum(few) > 1e-3  # the control: it is not zero
    row = rows[int(np.argmax(few))]
    best = floors.fit_newton(row, row.symmetric)
    for shift in (-0.1, 0.1):  # and no other parameters are better
        assert floors._excess(row, row.symmetric @ (best + shift)) > max(few)


def test_with_names_linear_logits_can_predict_strings_and_without_names_they_cannot():
    named = floors.linear_floor(histories.strings(8, has_names=True), "full", "L-BFGS")
    nameless = floors.linear_floor(histories.strings(8, has_names=False), "full", "L-BFGS")
    assert sum(named) < 1e-5 and sum(nameless) > 0.1


def test_the_sum_rule_holds_for_linear_logits_and_not_for_the_optimum():
    """f(aabb) + f(bbaa) = f(aaaa) + f(bbbb), where f is the logit of EOS minus that of a letter."""
    strings = LANGUAGES["aNbN"].encode(["aabb", "bbaa", "aaaa", "bbbb"], length=5)

    def gaps(predictor):
        log_probs = predictor(strings)[:, 4]
        f = log_probs[:, 1] - log_probs[:, FIRST_LETTER:].mean(-1)
        return float(f[:2].sum() - f[2:].sum())

    assert gaps(LinearStrings(histories.strings(8, has_names=False))) == pytest.approx(0, abs=1e-9)
    smooth = LastLetter(histories.strings(8, has_names=True))
    assert not abs(gaps(smooth)) < 1e-3


def test_every_count_that_is_remembered_lowers_the_floor_until_all_are_known():
    urn = torch.tensor([[0.4, 0.3, 0.2, 0.1]], dtype=torch.float64)
    rows = histories.urns(urn, 6)
    costs = [sum(floors.memory_floor(rows, name)) for name in rows[0].memories]
    assert list(rows[0].memories) == ["row", "1 count", "2 counts", "3 counts"]
    assert costs == sorted(costs, reverse=True) and costs[-1] == pytest.approx(0, abs=1e-12)
    assert costs[2] > 1e-3
