"""What a model of dyck goes by when it decides to end a string whose brackets have crossed.

In every string of dyck these programs end at the same place, behind the last closing bracket:

    all closed, by type     once there are as many ) as ( and as many ] as [
    all closed, any type    once there are as many closing as opening brackets of whatever type
    last type closed        once all brackets of the last letter's type are closed (but not before
                            the end of the string in dyck itself, for example after `[()`)

Prefixes that begin no string show which of them a model goes by: after `(]` only the second would
end, after `[(])` all of them. A program that keeps a stack of open brackets would never end there,
because a bracket that did not match stays on its stack.
"""

from itertools import product

import numpy as np
import pandas as pd

from lexurn.base.shapes import Predictor
from lexurn.chapters.rules.decisions import shares_of_variance
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import EOS
from lexurn.runs.run import Run

LANGUAGE = LANGUAGES["dyck"]

OPENING = {")": "(", "]": "["}

NUMBERS_OF_LETTERS = (2, 4, 6, 8)
"""Numbers of letters of the prefixes: the even ones, because strings of dyck have no other."""

BY_TYPE = "all closed, by type"

EXPLANATIONS = {
    BY_TYPE: "closed_by_type",
    "all closed, any type": "closed",
    "last type closed": "last_type_closed",
    "number of letters": "letters",
}
"""What may explain P(EOS) after a closing bracket."""

CASES = (BY_TYPE, "all closed, wrong types", "some open")


def describe_prefix(prefix: str) -> dict[str, object]:
    """Return what a decision may depend on after a prefix that ends with a closing bracket.

    Keys: letters (their number), closed_by_type, closed, last_type_closed (whether each program
    would end here), is_crossed (whether the prefix begins no string of dyck although there were
    never more closing than opening brackets).
    """
    depth, is_broken, stack = 0, False, []
    for letter in prefix:
        if letter not in OPENING:
            depth += 1
            stack.append(letter)
            continue
        depth -= 1
        if depth < 0:
            break
        is_broken |= stack.pop() != OPENING[letter]
    still_open = {
        closing: prefix.count(opening) - prefix.count(closing)
        for closing, opening in OPENING.items()
    }
    return {
        "letters": len(prefix),
        "closed_by_type": not any(still_open.values()),
        "closed": depth == 0,
        "last_type_closed": still_open[prefix[-1]] == 0,
        "is_crossed": is_broken and depth >= 0,
    }


def crossed_prefixes() -> pd.DataFrame:
    """Return the crossed prefixes that end with a closing bracket, with what they are like.

    Columns: prefix and those of `describe_prefix`.
    """
    rows = []
    for letters in NUMBERS_OF_LETTERS:
        for prefix in map("".join, product(LANGUAGE.letters, repeat=letters)):
            if prefix[-1] in OPENING:
                rows.append({"prefix": prefix, **describe_prefix(prefix)})
    table = pd.DataFrame(rows)
    return table[table["is_crossed"]].drop(columns="is_crossed").reset_index(drop=True)


def crossed_endings(run: Run) -> pd.DataFrame:
    """Return the `endings_table` of a run's best weights."""
    return endings_table(run.predictor)


def endings_table(predictor: Predictor) -> pd.DataFrame:
    """Return P(EOS) after the crossed prefixes, by what the programs go by.

    One row per combination of letters, closed_by_type, closed and last_type_closed, with eos (mean
    probability), eos_std (standard deviation), and n (prefixes).
    """
    parts = []
    for letters, prefixes in crossed_prefixes().groupby("letters"):
        tokens = LANGUAGE.encode(prefixes["prefix"].tolist(), length=letters + 1)
        eos = predictor(tokens)[:, letters, EOS].exp()
        parts.append(prefixes.assign(eos=eos.tolist()))
    groups = pd.concat(parts).groupby(list(EXPLANATIONS.values()))["eos"]
    named = {"eos": "mean", "eos_std": lambda values: values.std(ddof=0), "n": "size"}
    return groups.agg(**named).reset_index()


def explained(endings: pd.DataFrame) -> pd.DataFrame:
    """Return the share of the variance of P(EOS) that each of `EXPLANATIONS` explains.

    `endings` is a grid's table of `crossed_endings`. Every number of letters has the same weight.
    Columns: model, seed, explanation, value, n (prefixes).
    """
    return shares_of_variance(endings, EXPLANATIONS)


def mean_endings(endings: pd.DataFrame) -> pd.DataFrame:
    """Return the mean P(EOS) in each of the `CASES`, over prefixes.

    `endings` is a grid's table of `crossed_endings`. Columns: model, seed, case, n (prefixes),
    value.
    """
    case = np.select([endings["closed_by_type"], endings["closed"]], CASES[:2], CASES[2])
    weighted = endings.assign(case=case, total=endings["eos"] * endings["n"])
    groups = weighted.groupby(["model", "seed", "case"], sort=False)[["total", "n"]].sum()
    return groups.assign(value=groups["total"] / groups["n"]).drop(columns="total").reset_index()


def forecast_values(shares: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the values of each forecast on dyck by seed; `shares` is the table of `explained`."""
    by_type = shares[shares["explanation"] == BY_TYPE].set_index("model")["value"]
    kinds = {"rotary": "rotary", "no_positions": "no positions", "learned": "transformer"}
    return {f"dyck_{name}_by_type": by_type.loc[[model]] for name, model in kinds.items()}
