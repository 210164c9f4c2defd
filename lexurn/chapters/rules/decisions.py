"""What a model of a^n b^n goes by when it decides to end a string: its surplus, or its length.

The *surplus* of a prefix is its number of a's minus its number of b's. Strings of the language end
when the surplus is 0, and then they have exactly twice as many letters as a's, so that training
never shows whether a model counts letters or compares counts. Prefixes of no string show it.

    kept_by_surplus(by_prompt)     share of prompts with rule 1 kept, by last letter and surplus
    ending_map(run)                probabilities of EOS, a and b after every short string
    explained(maps)                how much of P(EOS) the surplus explains, and how much the length
    rival_map(run)                 the same probabilities by what other programs would go by, and
                                   after longer strings
    rivals(maps)                   how much of P(EOS) each of these programs explains
"""

from collections.abc import Mapping
from itertools import product
from types import MappingProxyType

import numpy as np
import pandas as pd
import torch

from lexurn.base.seeding import generator
from lexurn.base.shapes import Predictor
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import EOS, FIRST_LETTER
from lexurn.runs.run import Run

LANGUAGE = LANGUAGES["aNbN"]

MAX_LETTERS = 12
"""The length of the longest strings that `ending_map` enumerates: all 8190 strings up to it."""

CELL = ["letters", "surplus", "last", "begins_string"]

EXPLANATIONS = {
    "whether b's have caught up": "caught_up",
    "surplus": "surplus",
    "number of letters": "letters",
}
"""What may explain P(EOS) after a b."""


RIVALS = {
    "whether b's have caught up": "caught_up",
    "b's as the first a's": "like_first_run",
    "last b's as the a's before": "like_last_run",
}
"""What else may decide to end a string after a b, and does not differ in the language."""

LONG_LETTERS = (14, 16, 18, 20)
N_LONG = 1000
"""Numbers of letters of longer prefixes, and how many prefixes of each are used at most."""


def describe_prefixes(prefixes: list[str]) -> pd.DataFrame:
    """Return what decisions may depend on, one row per prefix of at least one letter.

    Columns: letters (their number), surplus (#a − #b), last (the last letter), begins_string
    (whether a string of the language begins with the prefix).
    """
    texts = pd.Series(prefixes, dtype=str)
    surplus = texts.str.count("a") - texts.str.count("b")
    begins_string = texts.str.fullmatch("a+b*") & (surplus >= 0)
    columns = {"letters": texts.str.len(), "surplus": surplus, "last": texts.str[-1]}
    return pd.DataFrame(columns).assign(begins_string=begins_string)


def kept_by_surplus(by_prompt: pd.DataFrame) -> pd.DataFrame:
    """Return how often rule 1 is kept, by the prompt's last letter and surplus.

    `by_prompt` is a grid's table of `rates_by_prompt` for a^n b^n. Columns: model, decoding, seed,
    last, surplus, value (share of prompts), n (prompts).
    """
    texts = by_prompt["prompt"].tolist()
    table = by_prompt.reset_index(drop=True).join(describe_prefixes(texts)[["last", "surplus"]])
    groups = table.groupby(["model", "decoding", "seed", "last", "surplus"], sort=False)["value"]
    return groups.agg(value="mean", n="size").reset_index()


def ending_map(run: Run) -> pd.DataFrame:
    """Return the `predictor_map` of a run's best weights."""
    return predictor_map(run.predictor)


def predictor_map(predictor: Predictor) -> pd.DataFrame:
    """Return the probabilities of the next token after all strings of 1 … `MAX_LETTERS` letters.

    One row per combination of letters, surplus, last and begins_string (see `describe_prefixes`),
    with the means eos, a and b over its strings, the standard deviation eos_std, and n (strings).
    """
    longest = list(map("".join, product(LANGUAGE.letters, repeat=MAX_LETTERS)))
    tokens = LANGUAGE.encode(longest, length=MAX_LETTERS + 1)
    probs = predictor(tokens).exp()
    tables = []
    for letters in range(1, MAX_LETTERS + 1):
        every = slice(None, None, 2 ** (MAX_LETTERS - letters))  # each prefix once
        table = describe_prefixes([string[:letters] for string in longest[every]])
        for name, token in (("eos", EOS), ("a", FIRST_LETTER), ("b", FIRST_LETTER + 1)):
            table[name] = probs[every, letters, token].tolist()
        tables.append(table)
    groups = pd.concat(tables).groupby(CELL)
    table = groups[["eos", "a", "b"]].mean()
    table["eos_std"] = groups["eos"].std(ddof=0)
    return table.assign(n=groups.size()).reset_index()


def describe_runs(prefixes: list[str]) -> pd.DataFrame:
    """Return what rival programs go by, one row per prefix.

    Columns: like_first_run (whether there are at least as many b's as a's before the first b),
    like_last_run (whether the last run of b's is at least as long as the run of a's before it).
    """
    texts = pd.Series(prefixes, dtype=str)
    runs = texts.str.extract("(?P<a>a*)(?P<b>b*)$").apply(lambda column: column.str.len())
    first_run = texts.str.extract("^(a*)", expand=False).str.len()
    columns = {
        "like_first_run": texts.str.count("b") >= first_run,
        "like_last_run": runs["b"] >= runs["a"],
    }
    return pd.DataFrame(columns)


def rival_map(run: Run) -> pd.DataFrame:
    """Return the `rival_table` of a run's best weights."""
    return rival_table(run.predictor)


def rival_table(predictor: Predictor) -> pd.DataFrame:
    """Return P(EOS) after prefixes of no string that end with b and have a surplus of 0 or more.

    The prefixes are all those of an even number of letters up to `MAX_LETTERS`, and at most
    `N_LONG` drawn strings of each of the `LONG_LETTERS`. Columns: is_long,
    letters, surplus, last, begins_string, like_first_run, like_last_run, eos, eos_std, n.
    """
    numbers = (*range(2, MAX_LETTERS + 1, 2), *LONG_LETTERS)
    cell = [*CELL, "like_first_run", "like_last_run"]
    tables = []
    for letters in numbers:
        is_long = letters > MAX_LETTERS
        if is_long:
            draws = generator(0, "long prefixes", letters)
            drawn = torch.randint(2, (4 * N_LONG, letters), generator=draws).tolist()
            prefixes = ["".join("ab"[letter] for letter in string) for string in drawn]
        else:
            prefixes = list(map("".join, product(LANGUAGE.letters, repeat=letters)))
        table = describe_prefixes(prefixes).join(describe_runs(prefixes)).assign(text=prefixes)
        table = table[(table["last"] == "b") & ~table["begins_string"] & (table["surplus"] >= 0)]
        table = table[: N_LONG if is_long else None]
        if len(table):
            tokens = LANGUAGE.encode(table["text"].tolist(), length=letters + 1)
            table = table.assign(eos=predictor(tokens)[:, letters, EOS].exp().tolist())
            tables.append(table.assign(is_long=is_long))
    groups = pd.concat(tables).groupby(["is_long", *cell])["eos"]
    named = {"eos": "mean", "eos_std": lambda values: values.std(ddof=0), "n": "size"}
    return groups.agg(**named).reset_index()


def rivals(maps: pd.DataFrame) -> pd.DataFrame:
    """Return the share of the variance of P(EOS) that each of `RIVALS` explains.

    `maps` is a grid's table of `rival_map`. Columns: is_long, model, seed, explanation, value, n.
    """
    tables = [
        explained(some, RIVALS).assign(is_long=is_long)
        for is_long, some in maps.groupby("is_long", sort=False)
    ]
    return pd.concat(tables, ignore_index=True)


def explained(
    maps: pd.DataFrame, explanations: Mapping[str, str] = MappingProxyType(EXPLANATIONS)
) -> pd.DataFrame:
    """Return the share of the variance of P(EOS) that each of the explanations explains.

    `maps` is a grid's table of `ending_map`. Columns: model, seed, explanation, value, n
    (prefixes). Only prefixes count that begin no string, end with b, have as many a's as b's or
    more, and an even number of letters: there rule 1 says whether to end. Every number of letters
    has the same weight. The share is the variance of the means over prefixes that an explanation
    does not distinguish, divided by the variance over all prefixes.
    """
    is_after_b = (maps["last"] == "b") & ~maps["begins_string"]
    counted = maps[is_after_b & (maps["surplus"] >= 0) & (maps["letters"] % 2 == 0)]
    return shares_of_variance(counted.assign(caught_up=counted["surplus"] == 0), explanations)


def shares_of_variance(counted: pd.DataFrame, explanations: Mapping[str, str]) -> pd.DataFrame:
    """Return the share of the variance of P(EOS) between the groups of each explanation.

    `counted` has one row per cell of prefixes of a model: model, seed, letters, eos (mean),
    eos_std, n, and the columns that `explanations` name. Every number of letters has the same
    weight. Columns: model, seed, explanation, value, n (prefixes).
    """
    rows = []
    for (model, seed), cells in counted.groupby(["model", "seed"], sort=False):
        sizes = cells["n"] / cells.groupby("letters")["n"].transform("sum")
        cells = cells.assign(weight=sizes / sizes.sum())
        mean = np.average(cells["eos"], weights=cells["weight"])
        squares = (cells["eos"] - mean) ** 2 + cells["eos_std"] ** 2
        variance = np.average(squares, weights=cells["weight"])
        for name, column in explanations.items():
            group_means = (cells["weight"] * cells["eos"]).groupby(cells[column]).sum()
            group_weights = cells.groupby(column)["weight"].sum()
            group_means = group_means / group_weights
            between = (group_weights * (group_means - mean) ** 2).sum()
            rows.append((model, seed, name, between / variance, cells["n"].sum()))
    return pd.DataFrame(rows, columns=["model", "seed", "explanation", "value", "n"])
