"""Kneser–Ney n-grams equal a naive count, and are distributions that use their context."""

from collections import Counter
from math import log

import numpy as np
import pytest
import torch

from lexurn.base.seeding import generator
from lexurn.chapters.geometry import ngrams
from lexurn.chapters.geometry.ngrams import KneserNey, WittenBell

TEXT = "the cat sat on the mat; the rat sat on the cat; a mat, a rat, a hat; the hat sat"
LETTERS = sorted({*TEXT})
SIZE = len(LETTERS) + 1  # the last token never occurs
TOKENS = np.array([LETTERS.index(letter) for letter in TEXT], dtype=np.uint16)


def naive(context, order):
    """The distribution after a context, by dictionaries and the formula, one token at a time."""
    text = [int(token) for token in TOKENS]

    def grams(n):
        return [tuple(text[i : i + n]) for i in range(len(text) - n + 1)]

    def level(n, is_top):
        if is_top:
            return Counter(grams(n))
        return Counter(gram[1:] for gram in {*grams(n + 1)})

    def discount(counts):
        n = [max(sum(c == k for c in counts.values()), 1) for k in (1, 2, 3, 4)]
        y = n[0] / (n[0] + 2 * n[1])
        raw = [k - (k + 1) * y * n[k] / n[k - 1] for k in (1, 2, 3)]
        return [min(max(d, 0.05), k - 0.05) for k, d in zip((1, 2, 3), raw, strict=True)]

    def p(w, h, is_top):
        if h is None:
            return 1 / SIZE
        shorter = h[1:] if h else None
        counts = level(len(h) + 1, is_top)
        after = {gram[-1]: c for gram, c in counts.items() if gram[:-1] == h}
        if not after:
            return p(w, shorter, False)
        d = discount(counts)
        taken = {token: d[min(c, 3) - 1] for token, c in after.items()}
        total = sum(after.values())
        kept = after[w] - taken[w] if w in after else 0
        return kept / total + sum(taken.values()) / total * p(w, shorter, False)

    h = tuple(context[max(len(context) - order + 1, 0) :])
    return [p(w, h, True) for w in range(SIZE)]


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_kneser_ney_is_what_a_naive_count_gives(order):
    sequences = torch.randint(SIZE, (3, 7), generator=generator(0, "any"))
    sequences[0] = torch.from_numpy(TOKENS[10:17].astype(np.int64))  # seen contexts
    found = KneserNey(TOKENS, SIZE, order=order)(sequences).exp()
    for b, sequence in enumerate(sequences.tolist()):
        for t in range(7):
            expected = torch.tensor(naive(sequence[:t], order), dtype=torch.float64)
            assert torch.allclose(found[b, t], expected, atol=1e-12)
    assert torch.allclose(found.sum(-1), torch.ones(3, 7, dtype=torch.float64))
    assert (found > 0).all()


def naive_witten_bell(context, order):
    text = [int(token) for token in TOKENS]

    def p(w, h):
        if h is None:
            return 1 / SIZE
        n = len(h)
        after = Counter(text[i + n] for i in range(len(text) - n) if tuple(text[i : i + n]) == h)
        lower = p(w, h[1:] if h else None)
        total, n_types = sum(after.values()), len(after)
        return (after[w] + n_types * lower) / (total + n_types) if total else lower

    h = tuple(context[max(len(context) - order + 1, 0) :])
    return [p(w, h) for w in range(SIZE)]


@pytest.mark.parametrize("order", [1, 3, 5])
def test_witten_bell_is_what_a_naive_count_gives_and_not_kneser_ney(order):
    sequences = torch.from_numpy(TOKENS[:24].astype(np.int64)).view(3, 8)
    found = WittenBell(TOKENS, SIZE, order=order)(sequences).exp()
    for b, sequence in enumerate(sequences.tolist()):
        for t in range(8):
            expected = torch.tensor(naive_witten_bell(sequence[:t], order), dtype=torch.float64)
            assert torch.allclose(found[b, t], expected, atol=1e-12)
    other = KneserNey(TOKENS, SIZE, order=order)(sequences).exp()
    assert (found - other).abs().max() > 0.01


def test_a_longer_context_helps_on_the_text_and_not_on_its_letters_in_any_order():
    ordered = torch.from_numpy(TOKENS.astype(np.int64))[None]
    order = torch.randperm(len(TOKENS), generator=generator(0, "order"))

    def loss(tokens, n):
        rows = KneserNey(TOKENS, SIZE, order=n)(tokens)
        return -float(rows.gather(-1, tokens[..., None]).mean())

    assert loss(ordered, 4) < 0.6 * loss(ordered, 1) < 0.6 * log(SIZE)
    assert loss(ordered[:, order], 4) > 1.5 * loss(ordered, 4)  # the control: no context to use


def test_discounts_are_those_of_the_numbers_of_rare_n_grams():
    counts = np.repeat([1, 2, 3, 4, 9], [40, 20, 10, 5, 2])
    y = 40 / (40 + 2 * 20)
    expected = [1 - 2 * y * 20 / 40, 2 - 3 * y * 10 / 20, 3 - 4 * y * 5 / 10]
    assert np.allclose(ngrams._discounts(counts), expected)


def test_a_vocabulary_too_large_for_integer_codes_is_refused():
    with pytest.raises(ValueError, match="order must be lower for a vocabulary of 50257"):
        KneserNey(TOKENS, 50257, order=5)
