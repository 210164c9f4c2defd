"""What decides that a string ends: predictors that go by the surplus, and by the length."""

import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

from lexurn.chapters.rules import decisions, plots
from lexurn.chapters.rules.programs import Program
from lexurn.generators.strings import EOS
from lexurn.predictors.grammars import oracle


def ends_by_length(tokens):
    """A predictor that ends with certainty after six letters or more, and else goes on with b."""
    seen = torch.arange(tokens.shape[1]).expand_as(tokens)
    chosen = torch.where(seen >= 6, EOS, 4)
    return torch.nn.functional.one_hot(chosen, 5).double().log()


def test_prefixes_of_strings_are_those_to_which_the_oracle_gives_probability():
    texts = ["a", "b", "ab", "aab", "abb", "aba", "aabb", "ba"]
    table = decisions.describe_prefixes(texts).set_index(pd.Index(texts))
    tokens = decisions.LANGUAGE.encode(texts, length=9)
    law = oracle("aNbN", max_length=8)(tokens).gather(-1, tokens[..., None])[..., 0]
    for text, log_probs in zip(texts, law, strict=True):
        assert table.loc[text, "begins_string"] == bool(log_probs[: len(text)].sum() > -50)
    assert table.loc["aab", ["letters", "surplus", "last"]].tolist() == [3, 1, "b"]
    assert table["begins_string"].any() and not table["begins_string"].all()


def test_the_map_counts_every_short_string_once():
    table = decisions.predictor_map(Program(2, 32))
    assert table.groupby("letters")["n"].sum().tolist() == [2**n for n in range(1, 13)]
    assert table[["eos", "a", "b"]].sum(axis=1).tolist() == pytest.approx([1] * len(table))
    assert not table.duplicated(decisions.CELL).any()
    after_b = table[table["last"] == "b"]
    assert (after_b["eos"] == (after_b["surplus"] <= 0)).all()


def test_the_variance_of_eos_is_explained_by_what_a_predictor_goes_by():
    maps = [
        decisions.predictor_map(predictor).assign(model=name, seed=0)
        for name, predictor in (("surplus", Program(2, 32)), ("letters", ends_by_length))
    ]
    table = decisions.explained(pd.concat(maps)).set_index(["model", "explanation"])["value"]
    assert table["surplus", "whether b's have caught up"] == pytest.approx(1)
    assert table["surplus", "surplus"] == pytest.approx(1)
    assert table["surplus", "number of letters"] < 0.3
    assert table["letters", "number of letters"] == pytest.approx(1)
    assert table["letters", "whether b's have caught up"] < 0.3


def ends_like_the_first_run(tokens):
    """A predictor that ends once there are as many b's as a's before the first b."""
    is_b = tokens == 4
    first_run = ((tokens == 3) & (is_b.cumsum(1) == 0)).cumsum(1)
    is_over = torch.nn.functional.pad((is_b.cumsum(1) >= first_run)[:, :-1], (1, 0))
    return torch.nn.functional.one_hot(torch.where(is_over, EOS, 4), 5).double().log()


def test_runs_are_those_of_the_string():
    texts = ["abaab", "aab", "baabb", "aababb"]
    table = decisions.describe_runs(texts)
    assert table["like_first_run"].tolist() == [True, False, True, True]
    assert table["like_last_run"].tolist() == [False, False, True, True]


def test_rivals_explain_what_goes_by_them_also_after_longer_strings():
    followed = {"counts": Program(2, 32), "first run": ends_like_the_first_run}
    maps = [
        decisions.rival_table(predictor).assign(model=name, seed=0)
        for name, predictor in followed.items()
    ]
    letters = maps[0].groupby(["is_long", "letters"])["n"].sum()
    assert tuple(letters[True].index) == decisions.LONG_LETTERS
    assert letters[True].between(900, decisions.N_LONG).all()
    assert letters[False].idxmax() == 12 and (maps[0]["surplus"] >= 0).all()
    table = decisions.rivals(pd.concat(maps))
    value = table.set_index(["is_long", "model", "explanation"])["value"]
    caught_up, first_run, last_run = decisions.RIVALS
    for is_long in (True, False):
        assert value[is_long, "counts", caught_up] == pytest.approx(1)
        assert value[is_long, "counts", first_run] < 0.3
        assert value[is_long, "first run", first_run] == pytest.approx(1)
        assert value[is_long, "first run", caught_up] < 0.3
        assert value[is_long, "counts", last_run] < 0.3


def test_rates_by_surplus_are_means_over_prompts():
    prompts = ["abab", "baab", "bbba", "bbab"]
    by_prompt = pd.DataFrame({"prompt": prompts, "value": [1.0, 0.5, 0.0, 1.0]})
    by_prompt = by_prompt.assign(model="m", seed=0, decoding="greedy")
    table = decisions.kept_by_surplus(by_prompt).set_index(["last", "surplus"])
    assert table["value"].to_dict() == {("b", 0): 0.75, ("a", -2): 0.0, ("b", -2): 1.0}
    assert table["n"].to_dict() == {("b", 0): 2, ("a", -2): 1, ("b", -2): 1}


def test_the_heat_map_shows_the_table():
    table = decisions.predictor_map(Program(2, 32))
    after_b = table[table["last"] == "b"]
    axes = plots.endings(after_b, Figure().subplots())
    drawn = axes.collections[0].get_array().compressed()
    n_cells = len(after_b.drop_duplicates(["letters", "surplus"]))
    assert len(drawn) == n_cells and set(drawn) == {0.0, 1.0}
