"""The exact probability of all short strings under a predictor, by the rules that they obey."""

from itertools import chain, product
from math import log

import pandas as pd
import torch

from lexurn.base.shapes import LogProbs, Predictor, Tokens
from lexurn.generators.languages import Language
from lexurn.generators.strings import force_padding, mask_special_tokens

MAX_LENGTH = {2: 8, 3: 6, 4: 5}
"""Maximum string length in `rule_masses` by number of letters: 510, 1092 and 1364 strings."""

MASSES = ("both", "rule_1", "rule_2", "neither")


def rule_masses(predictor: Predictor, language: Language) -> pd.DataFrame:
    """Return the exact probability of all short strings by the rules that they obey.

    Columns: measure (`MASSES`), value, n (strings). `rule_1` and `rule_2` count strings that obey
    only this rule. Strings include EOS. Longer strings have the rest of the probability.
    """
    n_letters = len(language.letters)
    max_length = MAX_LENGTH[n_letters]
    letters = (product(language.letters, repeat=length) for length in range(1, max_length + 1))
    strings = list(map("".join, chain.from_iterable(letters)))
    tokens = language.encode(strings, length=max_length + 1)
    probs = predictor(tokens).double().gather(-1, tokens[..., None])[..., 0].sum(-1).exp()
    obeys_1, obeys_2 = language.obeys_rules(tokens).unbind(-1)
    classes = (obeys_1 & obeys_2, obeys_1 & ~obeys_2, ~obeys_1 & obeys_2, ~obeys_1 & ~obeys_2)
    rows = [
        (name, probs[is_member].sum().item(), int(is_member.sum()))
        for name, is_member in zip(MASSES, classes, strict=True)
    ]
    return pd.DataFrame(rows, columns=["measure", "value", "n"])


def uniform_strings(language: Language) -> Predictor:
    """Return a predictor that gives every letter and EOS the same probability."""

    def predict(tokens: Tokens) -> LogProbs:
        log_prob = -log(len(language.letters) + 1)
        shape = (*tokens.shape, language.vocab_size)
        log_probs = torch.full(shape, log_prob, dtype=torch.float64)
        return force_padding(mask_special_tokens(log_probs), tokens)

    return predict
