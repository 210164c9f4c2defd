"""Completions of prompts, token by token, and which rules of a formal language they obey.

All measures except `rule_1_of_finished` are shares of prompts. For rule 1 there are three: `rule_1`
(the string up to the limit obeys it), `rule_1_and_finished` (the string also ends with EOS) and
`rule_1_of_finished` (the share among finished strings, as published). Rule 2, which a prompt may
already violate, is judged on the completion alone: `rule_2_of_completion` and
`rule_2_and_finished`. `grammatical`: the whole finished string is in the language.
"""

import pandas as pd
import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor

from lexurn.base.divergences import as_double
from lexurn.base.shapes import Predictor, Tokens
from lexurn.generators.languages import Language
from lexurn.generators.prompts import prompts, split_prompts
from lexurn.generators.strings import EOS, PAD

Strings = Int64[Tensor, "batch limit"]

MAIN_MEASURE = "rule_1_and_finished"
"""The default measure of rule 1: a completion that never ends does not count as obeying it."""


@torch.no_grad()
def complete_with_predictor(
    predictor: Predictor, prompts: Tokens, *, limit: int, generator: Generator | None = None
) -> Int64[Tensor, "batch limit"]:
    """Return prompts completed to `limit` tokens by any predictor of strings.

    The predictor recomputes all rows for every token, and decoding does not stop at EOS. It is
    greedy, or sampled if there is a `generator`.
    """
    tokens = torch.full((len(prompts), limit), PAD)
    tokens[:, : prompts.shape[1]] = prompts
    for row in range(prompts.shape[1], limit):
        log_probs = predictor(tokens[:, : row + 1])[:, row]
        tokens[:, row] = choose_tokens(log_probs, generator)[:, 0]
    return tokens


def choose_tokens(
    log_probs: Float[Tensor, "batch vocab"], generator: Generator | None
) -> Int64[Tensor, "batch 1"]:
    """Return the most probable tokens, or with a generator, tokens sampled by inversion.

    The generator is on the CPU, so that every device samples the same tokens from the same
    probabilities.
    """
    if generator is None:
        return log_probs.argmax(-1, keepdim=True)
    thresholds = as_double(log_probs).exp().cumsum(-1)
    uniform = torch.rand(len(thresholds), 1, generator=generator, dtype=torch.float64)
    uniform = uniform.to(thresholds.device) * thresholds[:, -1:]
    return torch.searchsorted(thresholds, uniform, right=True).to(log_probs.device)


def judge_completions(language: Language, prompts: Tokens, strings: Strings) -> pd.DataFrame:
    """Return measure, value and n for completed prompts.

    `strings` (batch limit) begin with `prompts` (batch time).
    """
    is_finished = (strings == EOS).any(-1)
    obeys_1 = language.obeys_rules(strings)[:, 0]
    completions = strings[:, prompts.shape[1] :]
    is_empty = completions.shape[1] == 0
    obeys_2 = torch.ones_like(obeys_1) if is_empty else language.obeys_rules(completions)[:, 1]
    measures = {
        "rule_1": obeys_1,
        "rule_1_and_finished": obeys_1 & is_finished,
        "rule_1_of_finished": obeys_1[is_finished],
        "rule_2_of_completion": obeys_2,
        "rule_2_and_finished": obeys_2 & is_finished,
        "grammatical": language.contains(strings) & is_finished,
        "finished": is_finished,
    }
    rows = [(name, obeys.double().mean().item(), len(obeys)) for name, obeys in measures.items()]
    return pd.DataFrame(rows, columns=["measure", "value", "n"])


def immediate_eos(language: Language, prompts: Tokens) -> pd.DataFrame:
    """Return the table of `judge_completions` for a baseline that always completes with EOS."""
    ended = torch.cat([prompts, torch.full((len(prompts), 1), EOS)], 1)
    return judge_completions(language, prompts, ended)


def prompt_sets(
    language: str, *, completions: str = "none", n_completed: int = 0, seed: int = 0
) -> dict[str, Tokens]:
    """Return the prompts that a model has to complete, by the name of their set.

    If training contains completions of out-of-distribution prompts, these prompts are called
    `trained_on`, and the half that no training sees `out_of_distribution` (see
    `lexurn.generators.prompts.split_prompts`).
    """
    sets = prompts(language)
    if completions != "none":
        sets["trained_on"], sets["out_of_distribution"] = split_prompts(
            sets["out_of_distribution"], n_completed=n_completed, seed=seed
        )
    return sets
