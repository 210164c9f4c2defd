"""Classes of equally probable strings, against the enumeration of all short strings."""

from itertools import chain, product
from math import log

import pytest

from lexurn.chapters.rules.string_probs import (
    count_strings,
    length_probs,
    string_classes,
    string_entropy,
)
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import string_lengths
from lexurn.predictors.grammars import oracle

MAX_LENGTHS = {"dyck": 8, "parentheses": 14, "brackets": 10, "baN": 9, "bbaN": 9, "aNbNcN": 9}


def enumerated(name, max_length):
    """The log-probability and the length of every string that the oracle allows."""
    letters = LANGUAGES[name].letters
    every = (product(letters, repeat=length) for length in range(1, max_length + 1))
    strings = list(map("".join, chain.from_iterable(every)))
    tokens = LANGUAGES[name].encode(strings, length=max_length + 1)
    log_probs = oracle(name, max_length=max_length)(tokens).gather(-1, tokens[..., None])
    log_probs = log_probs[..., 0].sum(-1)
    # After a prefix of no string all letters are alike, so impossible strings are left out by -inf.
    is_string = log_probs > -float("inf")
    return log_probs[is_string], string_lengths(tokens)[is_string]


@pytest.mark.parametrize("name", MAX_LENGTHS)
def test_the_classes_hold_every_string_with_its_probability(name):
    max_length = MAX_LENGTHS[name]
    log_probs, lengths = enumerated(name, max_length)
    exact = oracle(name, max_length=max_length)
    assert log_probs.exp().sum().item() == pytest.approx(1)
    assert count_strings(exact) == len(log_probs)
    entropy, mean_length = string_entropy(exact)
    assert entropy == pytest.approx(-(log_probs.exp() * log_probs).sum().item())
    assert mean_length == pytest.approx((log_probs.exp() * lengths).sum().item())
    by_length = lengths.bincount(weights=log_probs.exp(), minlength=max_length + 1)
    assert length_probs(exact).tolist() == pytest.approx(by_length.tolist())
    listed = [p for p, _, _, number in string_classes(exact) for _ in range(number)]
    assert sorted(listed) == pytest.approx(sorted(log_probs.tolist()))
    other = string_entropy(oracle(name, max_length=max_length + 3))  # the control
    assert abs(other[0] - entropy) > 0.01


def test_interleaved_strings_are_counted_but_have_no_classes():
    log_probs, _ = enumerated("cs_dyck", 6)
    exact = oracle("cs_dyck", max_length=6)
    assert count_strings(exact) == len(log_probs) == 2 + 10 + 70
    with pytest.raises(TypeError, match="strings of cs_dyck have no classes in closed form"):
        string_entropy(exact)


def test_numbers_of_strings_for_long_lengths():
    assert count_strings(oracle("baN", max_length=32)) == 2**31
    assert count_strings(oracle("aNbN", max_length=32)) == 16
    assert length_probs(oracle("dyck", max_length=32))[2] == 3 / 8
    entropy, _ = string_entropy(oracle("dyck", max_length=1000))  # where 3^−1998 vanishes
    assert 200 < entropy < 500 * log(4)
