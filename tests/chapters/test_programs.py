"""Programs of a^n b^n and a^n b^n c^n: indistinguishable in the language, and different outside."""

from itertools import product

import pandas as pd
import pytest

from lexurn.chapters.rules.programs import (
    IMMEDIATE_EOS,
    PROGRAMS,
    Program,
    agreement,
    program_outcomes,
)
from lexurn.generators.languages import LANGUAGES
from lexurn.measures.rules import complete_with_predictor
from lexurn.predictors.grammars import oracle


def loses_nothing(program, language, max_length):
    """Whether a program gives, on all prefixes of strings, a token that no other token exceeds."""
    counts = range(1, max_length // len(language.letters) + 1)
    strings = ["".join(letter * n for letter in language.letters) for n in counts]
    tokens = language.encode(strings, length=max_length + 1)
    law = oracle(language.name, max_length=max_length)(tokens)
    chosen = law.gather(-1, program(tokens).argmax(-1, keepdim=True))[..., 0]
    return bool((chosen >= law.max(-1).values - 1e-9).all())


@pytest.mark.parametrize("name", ["aNbN", "aNbNcN"])
def test_in_the_language_every_program_gives_the_most_probable_token(name):
    language = LANGUAGES[name]
    n_letters = len(language.letters)
    for settings in PROGRAMS.values():
        assert loses_nothing(Program(n_letters, 18, **settings), language, 18)
    assert not loses_nothing(Program(n_letters, 9), language, 18)  # turns too early


def next_token(letters, prefix, max_length, phase, turn):
    """Return a program's token in words: the naive form of `Program`."""
    counts = [prefix.count(letter) for letter in letters]
    seen = [letters.index(letter) for letter in prefix] or [0]
    at = seen[-1] if phase == "last letter" else max(seen)
    if at == 0:
        written = len(prefix) if turn == "letters" else counts[0] - counts[1]
        is_over = written >= max_length // len(letters)
    else:
        is_over = counts[at] >= counts[at - 1]
    return (*letters, "")[at + is_over]


@pytest.mark.parametrize("name", ["aNbN", "aNbNcN"])
@pytest.mark.parametrize("settings", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_equals_its_naive_form_on_every_short_string(name, settings):
    language, settings = LANGUAGES[name], {"turn": "letters", **settings}
    strings = ["".join(letters) for letters in product(language.letters, repeat=6)]
    chosen = Program(len(language.letters), 12, **settings)(language.encode(strings, length=7))
    told = ("", "", "", *language.letters)
    for string, tokens in zip(strings, chosen.argmax(-1).tolist(), strict=True):
        expected = [
            next_token(language.letters, string[:n], 12, **settings) for n in range(len(string) + 1)
        ]
        assert [told[token] for token in tokens] == expected


def test_programs_keep_rule_1_on_shares_of_prompts_that_can_be_counted():
    table = program_outcomes("aNbN", 32)
    prompts = table["prompt"][table["program"] == IMMEDIATE_EOS]
    surplus = prompts.str.count("a") - prompts.str.count("b")
    ends_with_b = prompts.str.endswith("b")
    kept = table.groupby("program")["kept"].sum()
    # After an a, eight more a's make up for up to six b's too many; after a b, nothing does.
    assert kept["by last letter, by letters"] == (~ends_with_b | (surplus >= 0)).sum() == 187
    assert kept["by last letter, by surplus"] == (ends_with_b & (surplus >= 0)).sum() == 60
    assert kept["by latest letter"] == (surplus >= 0).sum() == 158
    assert kept[IMMEDIATE_EOS] == (surplus == 0).sum() == 69
    three = program_outcomes("aNbNcN", 32).groupby("program")["kept"].agg(["sum", "size"])
    assert three.loc["by last letter, by letters"].tolist() == [104, 239]


def test_a_program_agrees_with_itself_alone():
    outcomes = program_outcomes("aNbN", 32)
    own = outcomes[outcomes["program"] == "by latest letter"].rename(columns={"kept": "value"})
    own = own.drop(columns="program").assign(model="m", seed=0, decoding="greedy")
    sampled = own.assign(decoding="sampled", value=0.0)  # does not count
    table = agreement(pd.concat([own, sampled]), outcomes).set_index("program")["value"]
    assert table["by latest letter"] == 1
    assert table["by last letter, by letters"] == pytest.approx(1 - 29 / 251)
    assert table[IMMEDIATE_EOS] == pytest.approx(1 - 89 / 251)


def test_completions_by_a_program_are_completions_as_by_any_predictor():
    language = LANGUAGES["aNbN"]
    prompts = language.encode(["aba", "bbb", "aab"], length=4)[:, :-1]
    completed = complete_with_predictor(Program(2, 8), prompts, limit=9)
    assert language.decode(completed) == ["abaabb", "bbb", "aabb"]
