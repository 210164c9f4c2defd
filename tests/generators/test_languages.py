"""Formal languages, on all short strings: recognizers, generators and oracles."""

import itertools
import re
from collections import Counter
from functools import cache
from math import comb, log

import pytest
import torch

from lexurn.base.seeding import generator
from lexurn.chapters.rules.string_probs import string_entropy
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import EOS, FIRST_LETTER, PAD, SOS, to_letters
from lexurn.predictors.grammars import CountingOracle, oracle

MAX_LENGTH = 8


def reduces(string, *pairs):
    """Return whether deleting adjacent pairs leaves nothing: a Dyck word, without a stack."""
    while (shorter := re.sub("|".join(map(re.escape, pairs)), "", string)) != string:
        string = shorter
    return string == ""


def only(string, letters):
    return "".join(letter for letter in string if letter in letters)


def runs(string):
    return [(letter, len(list(group))) for letter, group in itertools.groupby(string)]


# rule 1, rule 2 and membership, by regular expressions, runs and rewriting
DEFINITIONS = {
    "baN": (
        lambda w: re.fullmatch("(b*ab*a)*b*", w),
        lambda w: re.match("b", w),
        lambda w: re.fullmatch("b(b*ab*a)*b*", w),
    ),
    "bbaN": (
        lambda w: not runs(w) or runs(w)[-1][0] == "b" or runs(w)[-1][1] % 2 == 0,
        lambda w: re.fullmatch("b*a*", w),
        lambda w: re.fullmatch("b+(aa)*", w),
    ),
    "aNbN": (
        lambda w: sorted(w) == sorted("ab" * (len(w) // 2)),
        lambda w: re.fullmatch("a*b*", w),
        lambda w: w and [count for _, count in runs(w)] == [len(w) / 2] * 2 and w[0] == "a",
    ),
    "dyck": (
        lambda w: reduces(only(w, "[]"), "[]"),
        lambda w: reduces(only(w, "()"), "()"),
        lambda w: w and reduces(w, "()", "[]"),
    ),
    "aNbNcN": (
        lambda w: sorted(w) == sorted("abc" * (len(w) // 3)),
        lambda w: re.fullmatch("a*b*c*", w),
        lambda w: (
            w and len(w) % 3 == 0 and w == "".join(letter * (len(w) // 3) for letter in "abc")
        ),
    ),
    "cs_dyck": (
        lambda w: reduces(only(w, "[]"), "[]"),
        lambda w: reduces(only(w, "()"), "()"),
        lambda w: w and reduces(only(w, "[]"), "[]") and reduces(only(w, "()"), "()"),
    ),
    "abN": (
        lambda w: sorted(w) == sorted("ab" * (len(w) // 2)),
        None,
        lambda w: w and w.count("a") == w.count("b"),
    ),
    "aNbM": (lambda w: re.fullmatch("a*b*", w), None, lambda w: w and re.fullmatch("a*b*", w)),
    "parentheses": (lambda w: reduces(w, "()"), None, lambda w: w and reduces(w, "()")),
    "brackets": (lambda w: reduces(w, "[]"), None, lambda w: w and reduces(w, "[]")),
    "aNbN_cNdN": (
        lambda w: w.count("a") == w.count("b") and w.count("c") == w.count("d"),
        lambda w: re.fullmatch("a*b*|c*d*", w),
        lambda w: w and w in ("".join(x * (len(w) // 2) for x in pair) for pair in ("ab", "cd")),
    ),
}


@cache
def all_strings(name):
    """Return every string of at most `MAX_LENGTH` letters, as text and as sequences."""
    letters = LANGUAGES[name].letters
    strings = [
        "".join(string)
        for n in range(MAX_LENGTH + 1)
        for string in itertools.product(letters, repeat=n)
    ]
    return strings, LANGUAGES[name].encode(strings, length=MAX_LENGTH + 1)


def log_probability(log_probs, tokens):
    """Return the log-probability of each string with its EOS; PAD has probability 1."""
    chosen = log_probs.gather(-1, tokens[..., None])[..., 0]
    assert (chosen[tokens == PAD] == 0).all()
    return chosen.sum(-1)


@pytest.mark.parametrize("name", LANGUAGES)
def test_recognizers_agree_with_definitions_of_another_kind_on_all_short_strings(name):
    strings, tokens = all_strings(name)
    language, (first, second, inside) = LANGUAGES[name], DEFINITIONS[name]
    obeyed, contained = language.obeys_rules(tokens), language.contains(tokens).tolist()
    assert obeyed[:, 0].tolist() == [bool(first(string)) for string in strings]
    assert second is None or obeyed[:, 1].tolist() == [bool(second(string)) for string in strings]
    assert contained == [bool(inside(string)) for string in strings] and 0 < sum(contained) < len(
        strings
    )
    assert language.decode(tokens) == strings


@pytest.mark.parametrize(("name", "kinds"), [("dyck", 2), ("parentheses", 1), ("brackets", 1)])
def test_there_are_as_many_dyck_words_as_catalan_says(name, kinds):
    strings, tokens = all_strings(name)
    n_by_length = Counter(
        len(string)
        for string, there in zip(strings, LANGUAGES[name].contains(tokens).tolist(), strict=True)
        if there
    )
    assert n_by_length == {
        2 * n: comb(2 * n, n) // (n + 1) * kinds**n for n in range(1, MAX_LENGTH // 2 + 1)
    }


@pytest.mark.parametrize("name", LANGUAGES)
def test_generators_stay_inside_and_oracles_give_words_what_they_draw(name):
    language = LANGUAGES[name]
    tokens = language.sample(20_000, max_length=MAX_LENGTH, generator=generator(0, "words", name))
    assert tokens.shape == (20_000, MAX_LENGTH + 1) and language.contains(tokens).all()
    assert (tokens == EOS).sum(-1).eq(1).all() and ((tokens == PAD).long().diff(dim=-1) >= 0).all()
    drawn = Counter(language.decode(tokens))
    strings, every = all_strings(name)
    probs = dict(
        zip(
            strings,
            log_probability(oracle(name, max_length=MAX_LENGTH)(every), every).exp().tolist(),
            strict=True,
        )
    )
    assert sum(probs.values()) == pytest.approx(1) and drawn.keys() <= {
        string for string, p in probs.items() if p
    }
    for string, p in probs.items():  # all of them, so a wider band than for one
        assert abs(drawn[string] / 20_000 - p) < 5 * (p * (1 - p) / 20_000) ** 0.5 + 1e-12, string
    again = language.sample(20, max_length=MAX_LENGTH, generator=generator(0, "words", name))
    assert again.equal(
        language.sample(20, max_length=MAX_LENGTH, generator=generator(0, "words", name))
    )


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_law_of_the_next_token_is_that_of_the_words_that_begin_so(name):
    """By enumeration: of all words weighed by their probability, those that begin as seen."""
    strings, every = all_strings(name)
    log_probs = oracle(name, max_length=MAX_LENGTH)(every)
    assert log_probs.exp().sum(-1).allclose(torch.ones((), dtype=torch.float64))
    over = every == PAD
    assert (log_probs[~over][:, [SOS, PAD]] == -torch.inf).all() and (
        log_probs[over][:, PAD] == 0
    ).all()
    probs = log_probability(log_probs, every).exp().tolist()
    mass = Counter()
    for string, p in zip(strings, probs, strict=True):
        for t in range(len(string) + 1):
            mass[string[:t]] += p
    letters, beside = LANGUAGES[name].letters, dict(zip(strings, probs, strict=True))
    for string, row in list(zip(strings, log_probs.exp().tolist(), strict=True))[
        :: max(len(strings) // 3000, 1)
    ]:
        t = min(len(string), MAX_LENGTH - 1)
        seen = string[:t]
        if mass[seen] > 0:
            expected = [mass[seen + letter] / mass[seen] for letter in letters] + [
                beside[seen] / mass[seen]
            ]
        else:
            expected = [1 / (len(letters) + 1)] * (len(letters) + 1)
        assert [*row[t][FIRST_LETTER:], row[t][EOS]] == pytest.approx(expected, abs=1e-9), seen


EXACT = {  # nats per word, per predicted position, and by the originals' convention
    ("aNbN", 256): (4.852, 0.03732, 0.01888),
    ("aNbN", 32): (2.773, 0.1540, 0.0840),
    ("aNbNcN", 256): (4.443, 0.03417, 0.01729),
    ("aNbNcN", 32): (2.303, 0.1316, 0.0698),
    ("bbaN", 256): (9.423, 0.07277, 0.03667),
    ("bbaN", 32): (5.383, 0.3076, 0.1631),
    ("baN", 256): (70.26, 0.5425, 0.27337),
    ("baN", 32): (11.33, 0.6475, 0.3434),
}


@pytest.mark.parametrize(("of", "figures"), EXACT.items())
def test_entropies_are_those_that_are_known(of, figures):
    name, most = of
    per_word, length = string_entropy(oracle(name, max_length=most))
    for value, figure in zip(
        (per_word, per_word / (length + 1), per_word / (most + 1)), figures, strict=True
    ):
        assert value == pytest.approx(figure, rel=6e-4)  # to the digits that are given


def test_entropies_of_even_choices_are_logarithms():
    assert string_entropy(oracle("aNbN", max_length=256))[0] == pytest.approx(log(128))
    assert string_entropy(oracle("aNbNcN", max_length=32))[0] == pytest.approx(log(10))
    assert string_entropy(oracle("aNbM", max_length=12)) == pytest.approx((log(9), 10))


@pytest.mark.parametrize(
    ("name", "most", "figure"),
    [("dyck", 32, 8.755), ("cs_dyck", 32, 19.06), ("dyck", 256, 56.20), ("cs_dyck", 256, 162.4)],
)
def test_entropies_of_brackets_are_those_that_were_sampled(name, most, figure):
    tokens = LANGUAGES[name].sample(4000, max_length=most, generator=generator(0, "entropy", name))
    lost = -log_probability(oracle(name, max_length=most)(tokens), tokens)
    assert abs(lost.mean().item() - figure) < 4 * lost.std().item() / 4000**0.5 < 0.08 * figure
    lengths = (tokens >= FIRST_LETTER).sum(-1)
    if name == "dyck":  # a third of the words are a single pair
        assert (lengths == 2).double().mean().item() == pytest.approx(
            {32: 0.375, 256: 0.339}[most], abs=0.03
        )


@pytest.mark.parametrize("name", ["baN", "aNbNcN", "dyck", "cs_dyck"])
def test_no_other_predictor_loses_as_little_as_the_oracle(name):
    tokens = LANGUAGES[name].sample(3000, max_length=16, generator=generator(1, "words", name))
    lost = {
        most: -log_probability(oracle(name, max_length=most)(tokens), tokens) for most in (16, 20)
    }
    worse = lost[20] - lost[16]  # the oracle of another length: nearly right, and not right
    assert worse.mean() > 4 * worse.std() / 3000**0.5 and worse.mean() > 0.001
    if name in ("baN", "aNbNcN"):
        exact = oracle(name, max_length=16)
        assert isinstance(exact, CountingOracle)
        assert (
            abs(lost[16].mean().item() - string_entropy(exact)[0])
            < 4 * lost[16].std().item() / 3000**0.5 + 1e-9
        )


def test_rules_are_judged_on_the_word_alone_and_foreign_tokens_break_all():
    language = LANGUAGES["aNbN"]
    tokens = language.encode(["ab", "aab", "ba"], length=6)
    tokens[:, -1] = FIRST_LETTER  # behind EOS
    assert language.contains(tokens).tolist() == [True, False, False]
    assert language.obeys_rules(tokens).tolist() == [[True, True], [False, True], [True, False]]
    unfinished = tokens[:1, :2]
    assert language.contains(unfinished).tolist() == [
        True
    ]  # whether it has ended is another question
    for foreign in (0, PAD, FIRST_LETTER + 2):
        spoiled = tokens[:1].clone()
        spoiled[0, 1] = foreign
        assert (
            not language.obeys_rules(spoiled).any() and to_letters(spoiled, n_letters=2)[0, 1] == -2
        )
    assert language.decode(spoiled) == ["a?"]


def test_what_no_word_is_is_refused():
    with pytest.raises(
        ValueError, match="aNbNcN has no string of at most 2 letters; use max_length 3 or more"
    ):
        LANGUAGES["aNbNcN"].sample(3, max_length=2, generator=generator(0, "short"))
    with pytest.raises(
        ValueError, match="aNbM has no string of at most 3 letters; use max_length 4"
    ):
        oracle("aNbM", max_length=3)
    with pytest.raises(ValueError, match="no language aNbn; there are baN, bbaN, aNbN"):
        oracle("aNbn", max_length=8)
    with pytest.raises(ValueError, match=r"dyck has the letters \(\)\[\], got a"):
        LANGUAGES["dyck"].encode(["(a)"], length=5)
    with pytest.raises(ValueError, match=r"tokens must lie in 0 … 4"):
        oracle("aNbN", max_length=8)(torch.full((1, 3), 6))
