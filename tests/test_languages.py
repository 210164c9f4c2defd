"""Recognizers agree with definitions of another kind, generators stay inside, oracles are exact: all short strings."""

import itertools
import re
from collections import Counter
from functools import cache
from math import comb, log

import pytest
import torch

from lexurn.base.seeding import generator
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import EOS, FIRST, PAD, SOS, letters_of, sequences
from lexurn.predictors.grammars import Counting, oracle

MOST = 8


def reduces(word, *pairs):
    """Whether deleting adjacent pairs leaves nothing: a Dyck word, told without a stack."""
    while (shorter := re.sub("|".join(map(re.escape, pairs)), "", word)) != word:
        word = shorter
    return word == ""


def only(word, letters):
    return "".join(letter for letter in word if letter in letters)


def runs(word):
    return [(letter, len(list(group))) for letter, group in itertools.groupby(word)]


DEFINITIONS = {  # rule 1, rule 2, and what is in the language, by regular expressions, runs and rewriting
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
}


@cache
def all_words(name):
    """Every string of at most `MOST` letters, and as sequences."""
    letters = LANGUAGES[name].letters
    words = [
        "".join(word) for n in range(MOST + 1) for word in itertools.product(letters, repeat=n)
    ]
    return words, LANGUAGES[name].encode(words, length=MOST + 1)


def log_probability(found, tokens):
    """ln of what an oracle gives each word, its EOS included; PAD is certain, and costs nothing."""
    chosen = found.gather(-1, tokens[..., None])[..., 0]
    assert (chosen[tokens == PAD] == 0).all()
    return chosen.sum(-1)


@pytest.mark.parametrize("name", LANGUAGES)
def test_recognizers_agree_with_definitions_of_another_kind_on_all_short_strings(name):
    words, tokens = all_words(name)
    language, (first, second, inside) = LANGUAGES[name], DEFINITIONS[name]
    obeyed, contained = language.obeyed(tokens), language.contains(tokens).tolist()
    assert obeyed[:, 0].tolist() == [bool(first(word)) for word in words]
    assert second is None or obeyed[:, 1].tolist() == [bool(second(word)) for word in words]
    assert contained == [bool(inside(word)) for word in words] and 0 < sum(contained) < len(words)
    assert language.decode(tokens) == words


@pytest.mark.parametrize(("name", "kinds"), [("dyck", 2), ("parentheses", 1), ("brackets", 1)])
def test_there_are_as_many_dyck_words_as_catalan_says(name, kinds):
    words, tokens = all_words(name)
    found = Counter(
        len(word)
        for word, there in zip(words, LANGUAGES[name].contains(tokens).tolist(), strict=True)
        if there
    )
    assert found == {2 * n: comb(2 * n, n) // (n + 1) * kinds**n for n in range(1, MOST // 2 + 1)}


@pytest.mark.parametrize("name", LANGUAGES)
def test_generators_stay_inside_and_oracles_give_words_what_they_draw(name):
    language = LANGUAGES[name]
    tokens = language.sample(20_000, max_length=MOST, generator=generator(0, "words", name))
    assert tokens.shape == (20_000, MOST + 1) and language.contains(tokens).all()
    assert (tokens == EOS).sum(-1).eq(1).all() and ((tokens == PAD).long().diff(dim=-1) >= 0).all()
    drawn = Counter(language.decode(tokens))
    words, every = all_words(name)
    probs = dict(
        zip(
            words,
            log_probability(oracle(name, max_length=MOST)(every), every).exp().tolist(),
            strict=True,
        )
    )
    assert sum(probs.values()) == pytest.approx(1) and drawn.keys() <= {
        word for word, p in probs.items() if p
    }
    for word, p in probs.items():  # all of them, so a wider band than for one
        assert abs(drawn[word] / 20_000 - p) < 5 * (p * (1 - p) / 20_000) ** 0.5 + 1e-12, word
    again = language.sample(20, max_length=MOST, generator=generator(0, "words", name))
    assert again.equal(language.sample(20, max_length=MOST, generator=generator(0, "words", name)))


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_law_of_the_next_token_is_that_of_the_words_that_begin_so(name):
    """By enumeration: of all words weighed by their probability, those that begin as seen."""
    words, every = all_words(name)
    found = oracle(name, max_length=MOST)(every)
    assert found.exp().sum(-1).allclose(torch.ones((), dtype=torch.float64))
    over = every == PAD
    assert (found[~over][:, [SOS, PAD]] == -torch.inf).all() and (found[over][:, PAD] == 0).all()
    probs = log_probability(found, every).exp().tolist()
    mass = Counter()
    for word, p in zip(words, probs, strict=True):
        for t in range(len(word) + 1):
            mass[word[:t]] += p
    letters, beside = LANGUAGES[name].letters, dict(zip(words, probs, strict=True))
    for word, row in list(zip(words, found.exp().tolist(), strict=True))[
        :: max(len(words) // 3000, 1)
    ]:
        t = min(len(word), MOST - 1)
        seen = word[:t]
        if mass[seen] > 0:
            expected = [mass[seen + letter] / mass[seen] for letter in letters] + [
                beside[seen] / mass[seen]
            ]
        else:
            expected = [1 / (len(letters) + 1)] * (len(letters) + 1)
        assert [*row[t][FIRST:], row[t][EOS]] == pytest.approx(expected, abs=1e-9), seen


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
    per_word, length = oracle(name, max_length=most).entropy()
    for value, figure in zip(
        (per_word, per_word / (length + 1), per_word / (most + 1)), figures, strict=True
    ):
        assert value == pytest.approx(figure, rel=6e-4)  # to the digits that are given


def test_entropies_of_even_choices_are_logarithms():
    assert oracle("aNbN", max_length=256).entropy()[0] == pytest.approx(log(128))
    assert oracle("aNbNcN", max_length=32).entropy()[0] == pytest.approx(log(10))
    assert oracle("aNbM", max_length=12).entropy() == pytest.approx((log(9), 10))


@pytest.mark.parametrize(
    ("name", "most", "figure"),
    [("dyck", 32, 8.755), ("cs_dyck", 32, 19.06), ("dyck", 256, 56.20), ("cs_dyck", 256, 162.4)],
)
def test_entropies_of_brackets_are_those_that_were_sampled(name, most, figure):
    tokens = LANGUAGES[name].sample(4000, max_length=most, generator=generator(0, "entropy", name))
    lost = -log_probability(oracle(name, max_length=most)(tokens), tokens)
    assert abs(lost.mean().item() - figure) < 4 * lost.std().item() / 4000**0.5 < 0.08 * figure
    lengths = (tokens >= FIRST).sum(-1)
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
        assert isinstance(exact, Counting)
        assert (
            abs(lost[16].mean().item() - exact.entropy()[0])
            < 4 * lost[16].std().item() / 3000**0.5 + 1e-9
        )


def test_rules_are_judged_on_the_word_alone_and_foreign_tokens_break_all():
    language = LANGUAGES["aNbN"]
    tokens = language.encode(["ab", "aab", "ba"], length=6)
    tokens[:, -1] = FIRST  # behind EOS
    assert language.contains(tokens).tolist() == [True, False, False]
    assert language.obeyed(tokens).tolist() == [[True, True], [False, True], [True, False]]
    unfinished = tokens[:1, :2]
    assert language.contains(unfinished).tolist() == [
        True
    ]  # whether it has ended is another question
    for foreign in (0, PAD, FIRST + 2):
        spoiled = tokens[:1].clone()
        spoiled[0, 1] = foreign
        assert not language.obeyed(spoiled).any() and letters_of(spoiled, n_letters=2)[0, 1] == -2
    assert language.decode(spoiled) == ["a?"]


def test_what_no_word_is_is_refused():
    with pytest.raises(
        ValueError, match="aNbNcN has no word of at most 2 letters; use max_length 3 or more"
    ):
        LANGUAGES["aNbNcN"].sample(3, max_length=2, generator=generator(0, "short"))
    with pytest.raises(ValueError, match="aNbM has no word of at most 3 letters; use max_length 4"):
        oracle("aNbM", max_length=3)
    with pytest.raises(ValueError, match="no language aNbn; there are baN, bbaN, aNbN"):
        oracle("aNbn", max_length=8)
    with pytest.raises(ValueError, match=r"dyck has the letters \(\)\[\], got a"):
        LANGUAGES["dyck"].encode(["(a)"], length=5)
    with pytest.raises(
        ValueError, match="a word of 4 letters and its EOS do not fit into 4 tokens"
    ):
        sequences([[0, 1, 0, 1]], length=4)
    with pytest.raises(ValueError, match=r"tokens must lie in 0 … 4"):
        oracle("aNbN", max_length=8)(torch.full((1, 3), 6))
