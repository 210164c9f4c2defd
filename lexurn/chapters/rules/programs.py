"""Programs: deterministic rules by which a model of a^n b^n or a^n b^n c^n may complete prompts.

Every string of these languages is written in phases: first a's, then b's, then c's. A program says
in which phase a prefix is, and when the phase ends:

- `phase`. With `last letter`, a prefix is in the phase of its last letter, whatever came before.
  With `latest letter`, a phase never returns: one b, and only b's can follow.
- `turn`. With `letters`, the a's end when half (a third) of the longest string is written, whatever
  the letters were. With `surplus`, they end when there are as many more a's than b's.
- The other phases end when their letters have caught up with the letters of the phase before: b's
  as soon as #b ≥ #a, wherever they stand. After the last phase comes EOS.

On prefixes of strings of the language all programs give the same token, the most probable one of
the oracle. So no training data can distinguish them; only other prompts do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import pandas as pd
import torch

from lexurn.base.shapes import LogProbs, Tokens
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import EOS, FIRST_LETTER, force_padding
from lexurn.measures.rules import complete_with_predictor, prompt_sets


@dataclass(frozen=True)
class Program:
    """A program as a predictor of tokens (batch time): it gives one token probability 1.

    `n_letters` is the number of letters of the language, 2 or 3, and `max_length` is the number of
    letters of its longest string.
    """

    n_letters: int
    max_length: int
    phase: Literal["last letter", "latest letter"] = "last letter"
    turn: Literal["letters", "surplus"] = "letters"

    def __call__(self, tokens: Tokens) -> LogProbs:
        letters = torch.arange(FIRST_LETTER, FIRST_LETTER + self.n_letters)
        before = torch.nn.functional.pad(tokens[:, :-1], (1, 0), value=FIRST_LETTER)
        is_letter = before[..., None] == letters  # batch time letters
        is_letter[:, 0] = False  # row 0 has seen nothing
        counts = is_letter.cumsum(1)
        phase = (before - FIRST_LETTER).clamp(0, self.n_letters - 1)
        if self.phase == "latest letter":
            phase = phase.cummax(1).values
        surplus = counts[..., 0] - counts[..., 1]
        written = counts.sum(-1) if self.turn == "letters" else surplus
        first_is_over = written >= self.max_length // self.n_letters
        caught_up = counts[..., 1:] >= counts[..., :-1]
        is_over = torch.cat([first_is_over[..., None], caught_up], -1)
        next_letter = phase + is_over.gather(-1, phase[..., None])[..., 0]
        chosen = torch.where(next_letter == self.n_letters, EOS, FIRST_LETTER + next_letter)
        is_chosen = torch.nn.functional.one_hot(chosen, FIRST_LETTER + self.n_letters)
        return force_padding(is_chosen.double().log(), tokens)


PROGRAMS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "by last letter, by letters": {"phase": "last letter", "turn": "letters"},
        "by last letter, by surplus": {"phase": "last letter", "turn": "surplus"},
        "by latest letter": {"phase": "latest letter"},
    }
)
"""Settings of the programs that the book compares, by name."""

IMMEDIATE_EOS = "EOS at once"


def program_outcomes(language: str, max_length: int) -> pd.DataFrame:
    """Return which out-of-distribution prompts each program completes so that rule 1 is kept.

    Columns: program (a key of `PROGRAMS`, or `IMMEDIATE_EOS`), prompt (its letters), kept (1.0 or
    0.0, for `MAIN_MEASURE`). Completions have at most `max_length` letters. Nothing is sampled.
    """
    grammar = LANGUAGES[language]
    prompts = prompt_sets(language)["out_of_distribution"]
    completed = {
        name: complete_with_predictor(
            Program(len(grammar.letters), max_length, **settings), prompts, limit=max_length + 1
        )
        for name, settings in PROGRAMS.items()
    }
    completed[IMMEDIATE_EOS] = torch.nn.functional.pad(prompts, (0, 1), value=EOS)
    tables = []
    for name, strings in completed.items():
        is_kept = grammar.obeys_rules(strings)[:, 0] & (strings == EOS).any(-1)
        columns = {
            "program": name,
            "prompt": grammar.decode(prompts),
            "kept": is_kept.double().tolist(),
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def agreement(by_prompt: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return the share of prompts for which a model and a program agree on whether rule 1 is kept.

    `by_prompt` is a grid's table of `rates_by_prompt`, `outcomes` a table of `program_outcomes`.
    Columns: model, seed, program, value, n (prompts). Completions are greedy.
    """
    greedy = by_prompt[by_prompt["decoding"] == "greedy"]
    pairs = greedy.merge(outcomes, on="prompt", validate="many_to_many")
    pairs["value"] = 1 - (pairs["value"] - pairs["kept"]).abs()
    groups = pairs.groupby(["model", "seed", "program"], sort=False)["value"]
    return groups.agg(value="mean", n="size").reset_index()
