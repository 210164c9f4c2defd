"""What a model of a^n b^n goes by when it decides to end a string: its surplus, or its length.

The *surplus* of a prefix is its number of a's minus its number of b's. Strings of the language end
when the surplus is 0, and then they have exactly twice as many letters as a's, so that training
never shows whether a model counts letters or compares counts. Prefixes of no string show it.

    kept_by_surplus(by_prompt)     share of prompts with rule 1 kept, by last letter and surplus
    ending_map(run)                probabilities of EOS, a and b after every short string
    explained(maps)                how much of P(EOS) the surplus explains, and how much the length
"""

from itertools import product

import numpy as np
import pandas as pd

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


def explained(maps: pd.DataFrame) -> pd.DataFrame:
    """Return the share of the variance of P(EOS) that each of `EXPLANATIONS` explains.

    `maps` is a grid's table of `ending_map`. Columns: model, seed, explanation, value, n
    (prefixes). Only prefixes count that begin no string, end with b, have as many a's as b's or
    more, and an even number of letters: there rule 1 says whether to end. Every number of letters
    has the same weight. The share is the variance of the means over prefixes that an explanation
    does not distinguish, divided by the variance over all prefixes.
    """
    is_after_b = (maps["last"] == "b") & ~maps["begins_string"]
    counted = maps[is_after_b & (maps["surplus"] >= 0) & (maps["letters"] % 2 == 0)]
    rows = []
    for (model, seed), cells in counted.groupby(["model", "seed"], sort=False):
        sizes = cells["n"] / cells.groupby("letters")["n"].transform("sum")
        cells = cells.assign(weight=sizes / sizes.sum(), caught_up=cells["surplus"] == 0)
        mean = np.average(cells["eos"], weights=cells["weight"])
        squares = (cells["eos"] - mean) ** 2 + cells["eos_std"] ** 2
        variance = np.average(squares, weights=cells["weight"])
        for name, column in EXPLANATIONS.items():
            group_means = (cells["weight"] * cells["eos"]).groupby(cells[column]).sum()
            group_weights = cells.groupby(column)["weight"].sum()
            group_means = group_means / group_weights
            between = (group_weights * (group_means - mean) ** 2).sum()
            rows.append((model, seed, name, between / variance, cells["n"].sum()))
    return pd.DataFrame(rows, columns=["model", "seed", "explanation", "value", "n"])
