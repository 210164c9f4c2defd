"""Rule extrapolation: automata, prompts, chance and masses by enumeration; exact predictors."""

import itertools
from math import log

import pytest
import torch

from lexurn.base.seeding import generator
from lexurn.chapters.rules import extrapolation
from lexurn.chapters.rules.baselines import chance
from lexurn.chapters.rules.masses import rule_masses
from lexurn.chapters.rules.normative import Normative
from lexurn.chapters.rules.string_probs import length_probs
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.prompts import PROMPTS, prompts, split_prompts
from lexurn.generators.strings import EOS, FIRST_LETTER, PAD
from lexurn.measures import rules
from lexurn.measures.rules import complete_with_predictor
from lexurn.predictors.grammars import oracle

MOST = 7


def accepts(automaton, word):
    state = automaton.start
    for letter in word:
        state = automaton.step(state, letter)
    return automaton.accepts(state)


@pytest.mark.parametrize("name", LANGUAGES)
def test_rules_read_single_strings_as_they_read_batches(name):
    language = LANGUAGES[name]
    words = [
        "".join(w)
        for n in range(1, MOST + 1)
        for w in itertools.product(language.letters, repeat=n)
    ]
    obeyed = language.obeys_rules(language.encode(words, length=MOST + 1))
    for number, rule in enumerate(language.rules):
        found = [
            accepts(rule, [language.letters.index(letter) for letter in word]) for word in words
        ]
        assert found == obeyed[:, number].tolist() and 0 < sum(found) < len(found)


def value(table, measure, **of):
    for name, wanted in of.items():
        table = table[table[name] == wanted]
    (found,) = table.loc[table["measure"] == measure, "value"]
    return found


SIZES = {
    "baN": (128, 128),
    "bbaN": (8, 6),
    "aNbN": (5, 251),
    "aNbN_cNdN": (5, 251),
    "aNbNcN": (4, 239),
    "dyck": (40, 40),
    "cs_dyck": (40, 40),
}


@pytest.mark.parametrize("name", PROMPTS)
def test_prompts_begin_words_or_no_word_at_all(name):
    sets, exact = prompts(name), oracle(name, max_length=32)
    assert (len(sets["in_distribution"]), len(sets["out_of_distribution"])) == SIZES[name]
    for kind, inside in (("in_distribution", True), ("out_of_distribution", False)):
        given = sets[kind]
        assert len(given.unique(dim=0)) == len(given)
        ended = torch.cat([given, torch.full((len(given), 1), EOS)], 1)
        log_probs = exact(ended)[:, :-1].gather(-1, given[..., None])[..., 0]
        assert ((log_probs.sum(-1) > -torch.inf) == inside).all()
    assert sets["start"].shape == (1, 0)


def test_halves_are_disjoint_and_together_all():
    given = prompts("aNbN")["out_of_distribution"]
    trained, kept = split_prompts(given)
    assert (
        torch.cat([trained, kept]).unique(dim=0).equal(given.unique(dim=0)) and len(trained) == 125
    )
    assert 40 < (trained[:, -1] == FIRST_LETTER).sum() < 85  # no half by the last letter


IMMEDIATE = {"aNbN": 69 / 251, "baN": 0.5, "bbaN": 0.5, "aNbNcN": 0.0, "dyck": 0.0, "cs_dyck": 0.0}
IMMEDIATE["aNbN_cNdN"] = IMMEDIATE["aNbN"]


@pytest.mark.parametrize("name", PROMPTS)
def test_immediate_eos_obeys_rule_1_as_often_as_is_known(name):
    table = rules.immediate_eos(LANGUAGES[name], prompts(name)["out_of_distribution"])
    assert (
        value(table, "rule_1") == pytest.approx(IMMEDIATE[name]) and value(table, "finished") == 1
    )
    assert (
        value(table, "rule_1_of_finished")
        == value(table, "rule_1_and_finished")
        == value(table, "rule_1")
    )
    assert value(table, "grammatical") == 0


@pytest.mark.parametrize("name", ["aNbN", "bbaN", "dyck", "aNbNcN"])
def test_chance_is_that_of_all_completions_enumerated(name):
    """Every completion of up to 3 tokens, with its probability."""
    language, given = LANGUAGES[name], prompts(name)["out_of_distribution"][:30]
    room, n_letters = 3, len(language.letters)
    sums = dict.fromkeys(("rule_1", "rule_1_and_finished", "finished"), 0.0)
    for n in range(room + 1):
        for more in itertools.product(range(n_letters), repeat=n):
            ended = (
                [*(FIRST_LETTER + letter for letter in more), EOS]
                if n < room
                else [FIRST_LETTER + letter for letter in more]
            )
            words = torch.cat([given, torch.tensor(ended).expand(len(given), -1)], 1)
            p = (1 / (n_letters + 1)) ** len(ended)
            obeyed = language.obeys_rules(words)[:, 0].double().mean().item()
            sums["rule_1"] += p * obeyed
            sums["rule_1_and_finished"] += p * obeyed * (n < room)
            sums["finished"] += p * (n < room)
    table = chance(name, given, limit=given.shape[1] + room)
    for measure, wanted in sums.items():
        assert value(table, measure) == pytest.approx(wanted, abs=1e-12)
    assert value(table, "rule_1_of_finished") == pytest.approx(
        sums["rule_1_and_finished"] / sums["finished"]
    )


def test_chance_is_what_a_uniform_model_does():
    language = LANGUAGES["aNbN"]
    given = prompts("aNbN")["out_of_distribution"]
    assert value(chance("aNbN", given, limit=257), "rule_1") == pytest.approx(
        0.154, abs=5e-4
    )  # as published

    def uniform(tokens):
        found = torch.full((*tokens.shape, 5), -torch.inf, dtype=torch.float64)
        found[..., [EOS, 3, 4]] = -log(3)
        over = torch.nn.functional.pad((tokens[:, :-1] == EOS).cumsum(-1) > 0, (1, 0))
        found[over] = -torch.inf
        found[..., PAD][over] = 0.0
        return found

    often = given.repeat(20, 1)
    table = rules.judge_completions(
        language,
        often,
        complete_with_predictor(uniform, often, limit=33, generator=generator(0, "chance")),
    )
    wanted = value(chance("aNbN", given, limit=33), "rule_1")
    assert abs(value(table, "rule_1") - wanted) < 5 * (wanted * (1 - wanted) / len(often)) ** 0.5


@pytest.mark.parametrize("name", PROMPTS)
def test_an_oracle_as_the_model_stays_in_the_language_and_has_all_mass_where_both_rules_hold(name):
    exact, language = oracle(name, max_length=24), LANGUAGES[name]
    table = extrapolation.predictor_rates(exact, language, limit=25)
    for decoding in ("greedy", "sampled"):
        for kind in ("in_distribution", "start"):
            of = {"prompts": kind, "decoding": decoding}
            if decoding == "sampled" or name not in ("baN",):
                assert (
                    value(table, "grammatical", **of) == 1
                    and value(table, "rule_1_of_finished", **of) == 1
                )
    outside = {"prompts": "out_of_distribution", "decoding": "sampled"}
    assert value(table, "grammatical", **outside) == 0
    by_chance = value(chance(language, prompts(name)["out_of_distribution"], limit=25), "rule_1")
    assert value(table, "rule_1", **outside) == pytest.approx(
        by_chance, abs=0.08
    )  # outside it knows nothing
    masses = rule_masses(exact, language)
    assert value(masses, "both") > 0.05
    assert all(value(masses, each) == 0 for each in ("rule_1", "rule_2", "neither"))


def test_masses_are_those_of_every_word_added_up():
    """A model that knows rule 2 alone: the oracle of words a*b* of any counts."""
    masses = rule_masses(oracle("aNbM", max_length=10), LANGUAGES["aNbN"])
    assert value(masses, "both") == pytest.approx(1 / 7) and value(
        masses, "rule_2"
    ) == pytest.approx(6 / 7)
    assert value(masses, "rule_1") == value(masses, "neither") == 0
    assert masses["n"].sum() == 510 and masses["n"].tolist() == [4, 94, 40, 372]


def test_rates_are_shares_of_prompts_and_of_those_that_ended():
    language = LANGUAGES["aNbN"]
    given = language.encode(["ba", "ab", "bb", "ba"], length=3)[:, :2]
    words = language.encode(["ba", "abb", "bbaa", "ba"], length=5)
    words[3, 2:] = torch.tensor(
        [FIRST_LETTER, FIRST_LETTER, FIRST_LETTER + 1]
    )  # b a a a b: goes on to the limit
    table = rules.judge_completions(language, given, words)
    assert value(table, "finished") == 0.75 and value(table, "rule_1") == 0.5 == value(
        table, "rule_1_and_finished"
    )
    assert (
        value(table, "rule_1_of_finished") == pytest.approx(2 / 3)
        and value(table, "grammatical") == 0
    )
    assert value(table, "rule_2_of_completion") == 1.0
    assert table.set_index("measure").loc["rule_1_of_finished", "n"] == 3


def enumerated(name, most, n_words, bits):
    """The normative law by going through all words: word -> weight."""
    language = LANGUAGES[name]
    every = [
        "".join(w) for n in range(most + 1) for w in itertools.product(language.letters, repeat=n)
    ]
    tokens = language.encode(every, length=most + 1)
    obeyed = language.obeys_rules(tokens)
    lengths = length_probs(oracle(name, max_length=most))
    first, second = obeyed[:, 0].tolist(), obeyed[:, 1].tolist()
    holds = {
        2: [a and b for a, b in zip(first, second, strict=True)],
        1: first,
        -1: second,
        0: [True] * len(every),
    }
    weights = dict.fromkeys(every, 0.0)
    for rule, inside in holds.items():
        count = {
            n: sum(w for w, word in zip(inside, every, strict=True) if len(word) == n)
            for n in range(most + 1)
        }
        evidence = -bits * log(2) * abs(rule) - n_words * sum(
            p * log(count[n]) for n, p in enumerate(lengths) if p
        )
        for there, word in zip(inside, every, strict=True):
            if there and lengths[len(word)]:
                p = lengths[len(word)] / count[len(word)]
                weights[word] += torch.tensor(evidence, dtype=torch.float64).exp().item() * p
    return weights


@pytest.mark.parametrize(("name", "most"), [("aNbN", 8), ("baN", 7), ("bbaN", 7), ("aNbNcN", 6)])
def test_the_normative_predictor_is_the_mixture_over_rules_by_enumeration(name, most):
    language, n_words, bits = LANGUAGES[name], 1.5, 2.0
    weights = enumerated(name, most, n_words, bits)
    predictor = Normative(name, max_length=most, n_strings=n_words, bits=bits)
    total = sum(weights.values())
    words = [word for word in list(weights)[:: max(len(weights) // 150, 1)] if word]
    tokens = language.encode(words, length=most + 1)
    found = predictor(tokens)
    assert torch.allclose(found.exp().sum(-1), torch.ones(found.shape[:2], dtype=torch.float64))
    log_probs = found.gather(-1, tokens[..., None])[..., 0].sum(-1)
    for word, got in zip(words, log_probs.exp().tolist(), strict=True):
        assert got == pytest.approx(weights[word] / total, abs=1e-12), word


def test_the_normative_learner_keeps_rule_1_once_words_have_spoken_for_it():
    rates = {}
    for n_words in (0, 10):
        predictor = Normative("aNbN", max_length=16, n_strings=n_words)
        table = extrapolation.predictor_rates(predictor, LANGUAGES["aNbN"], limit=17)
        rates[n_words] = value(table, "rule_1", prompts="out_of_distribution", decoding="sampled")
    assert rates[0] < 0.3 and rates[10] == pytest.approx(247 / 251, abs=0.01)
    assert predictor.weights("ba")["rule_1"] > 0.99 and predictor.weights("aab")["both"] > 0.99
    assert predictor.weights("abb")["rule_2"] > 0.99  # one of the four that break rule 1 alone
    with pytest.raises(
        ValueError, match="there is no normative predictor for dyck; use baN, bbaN, aNbN or aNbNcN"
    ):
        Normative("dyck", max_length=8, n_strings=1)


def test_a_language_of_one_rule_has_no_prompts():
    with pytest.raises(
        ValueError,
        match="abN has no prompts, because prompts break one of two rules; "
        "use a language with two rules: baN, bba",
    ):
        prompts("abN")
