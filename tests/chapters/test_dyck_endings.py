"""Which program a predictor of dyck ends strings by, tried on predictors that are programs."""

import pandas as pd
import pytest
import torch

from lexurn.chapters.rules import dyck_endings
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import EOS

LANGUAGE = LANGUAGES["dyck"]


def program(ends):
    """Return a predictor that gives EOS .9 after prefixes for which `ends(prefix)`, else .1."""

    def predict(tokens):
        texts = LANGUAGE.decode(tokens)
        shape = (*tokens.shape, LANGUAGE.vocab_size)
        probs = torch.full(shape, 0.5, dtype=torch.float64)
        for row in range(tokens.shape[1]):
            probs[:, row, EOS] = torch.tensor([0.9 if ends(text[:row]) else 0.1 for text in texts])
        return probs.log()

    return predict


def explained_by(ends) -> pd.Series:
    endings = dyck_endings.endings_table(program(ends)).assign(model="made", seed=0)
    return dyck_endings.explained(endings).set_index("explanation")["value"]


def by_type(prefix: str) -> bool:
    return prefix.count("(") == prefix.count(")") and prefix.count("[") == prefix.count("]")


def any_type(prefix: str) -> bool:
    return sum(prefix.count(bracket) for bracket in "([") * 2 == len(prefix)


@pytest.mark.parametrize(
    ("ends", "name"),
    [
        (by_type, "all closed, by type"),
        (any_type, "all closed, any type"),
        (lambda prefix: len(prefix) >= 6, "number of letters"),
    ],
)
def test_a_program_is_explained_by_itself_alone(ends, name):
    values = explained_by(ends)
    assert values[name] == pytest.approx(1)
    assert values.drop(name).max() < 0.8


def test_prefixes_are_those_that_begin_no_string_by_the_grammar():
    prefixes = dyck_endings.crossed_prefixes()
    for prefix in prefixes["prefix"][::97]:
        shortened = prefix
        while any(pair in shortened for pair in ("()", "[]")):
            shortened = shortened.replace("()", "").replace("[]", "")
        assert any(bracket in shortened for bracket in ")]"), prefix  # no string begins so
        depths = [sum(1 if b in "([" else -1 for b in prefix[:n]) for n in range(len(prefix) + 1)]
        assert min(depths) == 0
    assert set(prefixes.loc[prefixes["letters"] == 2, "prefix"]) == {"(]", "[)"}
    assert not prefixes["prefix"].isin(["()", "[()]", "([])"]).any()


def test_means_are_those_of_the_cases():
    endings = dyck_endings.endings_table(program(by_type)).assign(model="made", seed=0)
    means = dyck_endings.mean_endings(endings).set_index("case")["value"]
    assert means["all closed, by type"] == pytest.approx(0.9)
    assert means["all closed, wrong types"] == pytest.approx(0.1)
    assert means["some open"] == pytest.approx(0.1)
