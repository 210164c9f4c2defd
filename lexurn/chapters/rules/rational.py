"""How often rational learners keep rule 1, by what they take for granted and by what they see.

    sensitivity(language, numbers, limit)     other bits per rule, and other sets of hypotheses
    dose_response(numbers, seeds, limit)      after completions of prompts that begin no string

Rates are exact: sampled completions of all prompts, each weighted by its probability.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch

from lexurn import tasks
from lexurn.base.seeding import generator
from lexurn.base.shapes import Tokens
from lexurn.chapters.rules.normative import (
    EVEN_LENGTH,
    LIKE_FIRST_RUN,
    Normative,
    opposite,
    rule_subsets,
)
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.prompts import split_prompts
from lexurn.measures.rules import prompt_sets
from lexurn.settings import Settings

BITS = (1, 4, 8, 16)

N_DRAWN = 1000
"""Completed prompts from which each prompt's first one is taken."""

LAWS = ("one law for all strings", "a law for broken ones", "a law for each prompt")
"""The learners of `dose_response`."""


def mean_rate(learner: Normative, prompts: Iterable[str]) -> float:
    """Return the mean probability over prompts that a completion ends and obeys rule 1."""
    kept = list(map(learner.keeps_rule_1, prompts))
    return sum(kept) / len(kept)


def hypothesis_sets(name: str) -> dict[str, dict]:
    """Return sets of hypotheses by name, the first of them that of the source."""
    subsets = rule_subsets(name)
    second = LANGUAGES[name].rules[1]
    even = {"even": (EVEN_LENGTH,), "even_and_rule_2": (EVEN_LENGTH, second)}
    return {
        "both rules, rule 1, rule 2, none": subsets,
        "also: an even length": subsets | even,
        "also: b's as the first a's": subsets | {"first_run": (LIKE_FIRST_RUN,)},
        "without: no rule": {key: rules for key, rules in subsets.items() if key != "none"},
        "without: rule 1 alone": {key: rules for key, rules in subsets.items() if key != "rule_1"},
    }


def sensitivity(name: str, numbers: list[int], limit: int) -> pd.DataFrame:
    """Return how often learners keep rule 1 after some numbers of strings of the language.

    The first set of hypotheses is combined with all `BITS`, the others with eight bits. Columns:
    hypotheses, bits, n_strings, value (mean over all prompts that begin no string), n (prompts).
    """
    prompts = LANGUAGES[name].decode(prompt_sets(name)["out_of_distribution"])
    sets = hypothesis_sets(name) if name == "aNbN" else {"": rule_subsets(name)}
    first = next(iter(sets))
    cells = [(first, bits) for bits in BITS] + [(key, 8) for key in sets if key != first]
    rows = []
    for key, bits in cells:
        for n_strings in numbers:
            options = {"bits": bits, "hypotheses": sets[key]}
            learner = Normative(name, max_length=limit - 1, n_strings=n_strings, **options)
            rows.append((key, bits, n_strings, mean_rate(learner, prompts), len(prompts)))
    return pd.DataFrame(rows, columns=["hypotheses", "bits", "n_strings", "value", "n"])


def dose_response(numbers: list[int], seeds: list[int], limit: int) -> pd.DataFrame:
    """Return how often three learners of a^n b^n keep rule 1 on prompts that they have not seen.

    They have seen 30 strings of the language, and one completion of each of some prompts that
    begin no string. The prompts and completions are those of training with the same seed; strings
    may have any length. Learners differ in how far an example reaches (`LAWS`): to all strings; to
    all strings that begin no string of the language, which then obey rule 1, its opposite or no
    rule, whatever the others do; or to its own prompt alone. Columns: shown (oracle or
    adversarial), learner, n_completed, seed, value, n (prompts).
    """
    first = LANGUAGES["aNbN"].rules[0]
    habits = {"rule_1": (first,), "opposite": (opposite(first),), "none": ()}
    options = {"max_length": limit - 1, "lengths": np.full(limit, 1 / limit)}
    of_all = Normative("aNbN", n_strings=30, **options)
    of_broken = Normative("aNbN", n_strings=0, hypotheses=habits, **options)
    _, unseen = split_prompts(prompt_sets("aNbN")["out_of_distribution"])
    prompts = LANGUAGES["aNbN"].decode(unseen)
    before = [mean_rate(of_all, prompts), *[mean_rate(of_broken, prompts)] * 2]
    rows = []
    for kind in ("oracle", "adversarial"):
        for seed in seeds:
            for n in numbers:
                rates = before
                if n:
                    shown = completed(kind, n, seed, limit)
                    learners = (of_all.after(shown), of_broken.after(shown), of_broken)
                    rates = [mean_rate(learner, prompts) for learner in learners]
                values = zip(LAWS, rates, strict=True)
                rows += [(kind, law, n, seed, value, len(prompts)) for law, value in values]
    return pd.DataFrame(rows, columns=["shown", "learner", "n_completed", "seed", "value", "n"])


def completed(kind: str, n_completed: int, seed: int, limit: int) -> Tokens:
    """Return one completion of each prompt that training with these settings completes."""
    settings = {"language": "aNbN", "context_length": limit - 1, "seed": seed}
    settings |= {"completions": kind, "n_completed": n_completed}
    task = tasks.build(Settings.from_flat(settings))
    drawn = task.completed_prompts(N_DRAWN, generator(seed, "shown", kind, n_completed))
    n_letters = prompt_sets("aNbN")["out_of_distribution"].shape[1]
    rows: dict[tuple[int, ...], int] = {}
    for number, prompt in enumerate(drawn[:, :n_letters].tolist()):
        rows.setdefault(tuple(prompt), number)
    return drawn[torch.tensor(sorted(rows.values()))]
