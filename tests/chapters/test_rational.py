"""Rational learners: brute force over all short strings, and what they take for granted."""

from itertools import product
from math import exp, log

import numpy as np
import pytest
import torch

from lexurn.base.seeding import generator
from lexurn.chapters.rules import rational
from lexurn.chapters.rules.normative import (
    EVEN_LENGTH,
    LIKE_FIRST_RUN,
    Normative,
    opposite,
    rule_subsets,
)
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.prompts import prompts, split_prompts
from lexurn.generators.strings import EOS
from lexurn.measures.rules import complete_with_predictor

MAX_LENGTH = 6
ANBN = LANGUAGES["aNbN"]
STRINGS = ["".join(string) for n in range(MAX_LENGTH + 1) for string in product("ab", repeat=n)]

HOLDS = {  # of another kind than automata
    "equal": lambda string: string.count("a") == string.count("b"),
    "ordered": lambda string: "ba" not in string,
    "even": lambda string: len(string) % 2 == 0,
    "first run": lambda string: string.count("b") == len(string.partition("b")[0]),
    "opposite": lambda string: string.count("a") != string.count("b"),
}
RULES = {
    **dict(zip(("equal", "ordered"), ANBN.rules, strict=True)),
    "even": EVEN_LENGTH,
    "first run": LIKE_FIRST_RUN,
    "opposite": opposite(ANBN.rules[0]),
}


@pytest.mark.parametrize("name", RULES)
def test_rules_hold_for_the_strings_that_they_describe(name):
    letters = [torch.tensor([["ab".index(letter) for letter in string]]) for string in STRINGS[1:]]
    obeyed = [bool(RULES[name].is_obeyed(string)) for string in letters]
    assert obeyed == [HOLDS[name](string) for string in STRINGS[1:]]
    assert 0 < sum(obeyed) < len(obeyed)


def mixture(sets, *, bits, n_strings, shown, lengths):
    """Return the probability of every string under the mixture, by enumeration."""
    total = dict.fromkeys(STRINGS, 0.0)
    inside = ["a" * n + "b" * n for n in range(1, MAX_LENGTH // 2 + 1)]
    for names in sets:
        allowed = [string for string in STRINGS if all(HOLDS[name](string) for name in names)]
        counts = np.bincount([len(string) for string in allowed], minlength=MAX_LENGTH + 1)
        norm = sum(p for p, n in zip(lengths, counts, strict=True) if n)
        p_of = {string: lengths[len(string)] / norm / counts[len(string)] for string in allowed}
        weight = 2.0 ** (-bits * len(names))
        is_possible = not n_strings or all(string in p_of for string in inside)
        for string in inside if n_strings and is_possible else []:
            weight *= p_of[string] ** (n_strings / len(inside))
        for string in shown:
            weight *= p_of.get(string, 0.0)
        for string, p in p_of.items():
            total[string] += weight * is_possible * p
    norm = sum(total.values())
    return {string: p / norm for string, p in total.items()}


SETS = {
    "subsets": ([("equal", "ordered"), ("equal",), ("ordered",), ()], 1.5),
    "also others": ([("equal", "ordered"), ("equal",), ("even",), ("first run",), ()], 2),
    "opposite": ([("equal",), ("opposite",), ()], 0),
    "excluded": ([("opposite",), ("ordered",), ()], 1),
}


@pytest.mark.parametrize("case", SETS)
@pytest.mark.parametrize("shown", [[], ["baab", "abab"]])
def test_a_learner_is_the_mixture_over_its_hypotheses_by_enumeration(case, shown):
    sets, n_strings = SETS[case]
    lengths = np.array([0.0, 1, 2, 3, 2, 1, 1]) / 10
    options = {"bits": 2, "n_strings": n_strings}
    expected = mixture(sets, shown=shown, lengths=lengths, **options)
    hypotheses = {" ".join(names): [RULES[name] for name in names] for names in sets}
    learner = Normative(
        "aNbN", max_length=MAX_LENGTH, hypotheses=hypotheses, lengths=lengths, **options
    )
    other = learner.after(ANBN.encode(["ba", "b"], length=3))
    learner = learner.after(ANBN.encode(shown, length=5)) if shown else learner
    tokens = ANBN.encode(STRINGS[1:], length=MAX_LENGTH + 1)
    log_probs = learner(tokens).gather(-1, tokens[..., None])[..., 0].sum(-1)
    possible = [expected[string] > 0 for string in STRINGS[1:]]
    probs = np.where(possible, log_probs.exp(), 0.0)
    assert probs == pytest.approx([expected[string] for string in STRINGS[1:]], abs=1e-12)
    rates = {prompt: learner.keeps_rule_1(prompt) for prompt in ("ba", "abb", "aab", "bba")}
    for prompt, rate in rates.items():
        begun = {string: p for string, p in expected.items() if string.startswith(prompt)}
        kept = sum(p for string, p in begun.items() if HOLDS["equal"](string))
        assert rate == pytest.approx(kept / sum(begun.values()), abs=1e-12), prompt
    if case != "excluded":  # there, one hypothesis is left in any case
        assert any(abs(other.keeps_rule_1(prompt) - rate) > 1e-3 for prompt, rate in rates.items())


def test_the_rate_is_the_share_of_sampled_completions():
    learner = Normative("aNbN", max_length=12, n_strings=3, bits=4)
    given = ANBN.encode(["bab"] * 3000, length=4)[:, :3]
    strings = complete_with_predictor(learner, given, limit=13, generator=generator(0, "rate"))
    is_kept = ANBN.obeys_rules(strings)[:, 0] & (strings == EOS).any(-1)
    rate = learner.keeps_rule_1("bab")
    assert 0.1 < rate < 0.9
    assert abs(is_kept.double().mean().item() - rate) < 4 * (rate * (1 - rate) / 3000) ** 0.5


def test_the_set_of_hypotheses_decides_what_strings_of_the_language_teach():
    table = rational.sensitivity("aNbN", [0, 30], 17)
    rates = table.set_index(["hypotheses", "bits", "n_strings"])["value"]
    first, even, like_first_run, without_none, without_rule_1 = rational.hypothesis_sets("aNbN")
    for bits in rational.BITS:
        assert rates[first, bits, 0] < 0.5 and rates[first, bits, 30] > 0.95
    assert rates[even, 8, 30] > 0.95 and rates[without_none, 8, 0] > 0.95
    assert rates[like_first_run, 8, 30] < rates[first, 8, 30] - 0.05
    assert rates[without_rule_1, 8, 30] == pytest.approx(rates[without_rule_1, 8, 0], abs=0.02)
    one_rule_more = log(rates[first, 8, 0] / rates[first, 16, 0])
    assert one_rule_more > 0 and exp(one_rule_more) < 1.2  # few strings: nearly chance


def test_examples_reach_as_far_as_a_learner_takes_its_law_to_reach():
    table = rational.dose_response([0, 10], [5], 17)
    rates = table.set_index(["shown", "learner", "n_completed"])["value"]
    all_strings, broken_strings, one_prompt = rational.LAWS
    assert rates["oracle", all_strings, 0] > 0.95 > 0.3 > rates["adversarial", all_strings, 10]
    assert rates["oracle", broken_strings, 0] < 0.2 < 0.9 < rates["oracle", broken_strings, 10]
    for shown in ("oracle", "adversarial"):
        assert rates[shown, one_prompt, 10] == rates[shown, broken_strings, 0]


def test_shown_strings_complete_the_prompts_of_training():
    known, unseen = split_prompts(prompts("aNbN")["out_of_distribution"], n_completed=3, seed=5)
    for kind in ("oracle", "adversarial"):
        strings = rational.completed(kind, 3, 5, 33)
        assert strings[:, :8].unique(dim=0).equal(known.unique(dim=0))
        assert len(strings) == 3 and not (strings[:, None, :8] == unseen).all(-1).any()
        assert (ANBN.obeys_rules(strings)[:, 0] == (kind == "oracle")).all()


def test_hypotheses_of_the_source_are_the_subsets_of_two_rules():
    assert list(rule_subsets("aNbN")) == ["both", "rule_1", "rule_2", "none"]
    weights = Normative("aNbN", max_length=16, n_strings=10).weights("ba")
    assert weights["rule_1"] > 0.99 and sum(weights.values()) == pytest.approx(1)
