"""Rules of formal languages: which of them completions obey, and what is got without a model.

    judged(language, prompts, tokens)  which rules the strings obey, whether they end: a tidy table
    masses(predictor, language)        exact probability of the strings that obey both rules, one, or none
    levels(names)                      what chance and immediate EOS get

Measures are shares of prompts. Of rule 1: `rule_1` (whatever has been said up to the limit), `rule_1_and_finished`
(joint, ended by EOS), and `rule_1_of_finished` (among those that ended, as published). Rule 2, which a prompt may have
broken, is judged on the completion alone. `grammatical`: the whole string, ended, is in the language.
"""

from itertools import product

import pandas as pd
import torch
from jaxtyping import Int64
from torch import Tensor

from lexurn.base.shapes import Predictor, Tokens
from lexurn.generators.languages import LANGUAGES, Language
from lexurn.generators.prompts import prompts, split_prompts
from lexurn.generators.strings import EOS
from lexurn.measures.chance import chance

MOST_LETTERS = {2: 8, 3: 6, 4: 5}
"""Words whose probabilities are added up, by the number of letters: 510, 1092 and 1364 of them."""

MASSES = ("both", "rule_1", "rule_2", "neither")

Words = Int64[Tensor, "batch limit"]

KEPT = "rule_1_and_finished"
"""What counts as keeping rule 1, unless said otherwise: a completion that never ends has kept no rule."""


def judged(language: Language, given: Tokens, words: Words) -> pd.DataFrame:
    """Shares of completed prompts: measure, value, n. `words` (batch limit) begin with `given` (batch time)."""
    finished = (words == EOS).any(-1)
    first = language.obeys_rules(words)[:, 0]
    behind = words[:, given.shape[1] :]
    second = language.obeys_rules(behind)[:, 1] if behind.shape[1] else torch.ones_like(first)
    of = {
        "rule_1": first,
        "rule_1_and_finished": first & finished,
        "rule_1_of_finished": first[finished],
        "rule_2_of_completion": second,
        "grammatical": language.contains(words) & finished,
        "finished": finished,
    }
    lines = [(name, each.double().mean().item(), len(each)) for name, each in of.items()]
    return pd.DataFrame(lines, columns=["measure", "value", "n"])


def immediate_eos(language: Language, given: Tokens) -> pd.DataFrame:
    """What immediate EOS gets: the baseline of a model that says nothing."""
    ended = torch.cat([given, torch.full((len(given), 1), EOS)], 1)
    return judged(language, given, ended)


def masses(predictor: Predictor, language: Language) -> pd.DataFrame:
    """The exact probability of all short words, by the rules that they obey: measure (`MASSES`), value, n, the words.

    A class names the rules obeyed, and no others; with EOS. What is left of 1 belongs to longer words.
    """
    n_letters = len(language.letters)
    most = MOST_LETTERS[n_letters]
    every = [
        "".join(word) for n in range(1, most + 1) for word in product(language.letters, repeat=n)
    ]
    tokens = language.encode(every, length=most + 1)
    probs = predictor(tokens).double().gather(-1, tokens[..., None])[..., 0].sum(-1).exp()
    obeyed = language.obeys_rules(tokens)
    first, second = obeyed[:, 0], obeyed[:, 1]
    classes = (first & second, first & ~second, ~first & second, ~first & ~second)
    lines = [
        (name, probs[each].sum().item(), int(each.sum()))
        for name, each in zip(MASSES, classes, strict=True)
    ]
    return pd.DataFrame(lines, columns=["measure", "value", "n"])


def prompt_sets(language: str, *, completions: str = "none") -> dict[str, Tokens]:
    """The prompts that a model is asked to go on with. Where training has completed half of those out of distribution,
    they are `trained_on`, and `out_of_distribution` is the other half."""
    sets = prompts(language)
    if completions != "none":
        sets["trained_on"], sets["out_of_distribution"] = split_prompts(sets["out_of_distribution"])
    return sets


def levels(names: list[str], *, limit: int) -> pd.DataFrame:
    """What is got without a model: language, what (`chance`, `immediate EOS`), value (`KEPT`), n (prompts)."""
    lines = []
    for name in names:
        given = prompts(name)["out_of_distribution"]
        blind = chance(name, given, limit=limit).set_index("measure").loc[KEPT, "value"]
        ended = immediate_eos(LANGUAGES[name], given).set_index("measure").loc[KEPT, "value"]
        lines += [(name, "chance", blind, len(given)), (name, "immediate EOS", ended, len(given))]
    return pd.DataFrame(lines, columns=["language", "what", "value", "n"])
