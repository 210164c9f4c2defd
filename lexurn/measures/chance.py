"""What chance alone does: letters and EOS all alike, from a prompt to the end or to the limit. Exact, by automata.

A word goes through few states, so all completions are followed at once: the probability of each state, letter by
letter. No completion is left out.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from math import log, nan

import pandas as pd
import torch

from lexurn.base.shapes import LogProbs, Predictor, Tokens
from lexurn.generators.automata import Automaton
from lexurn.generators.languages import LANGUAGES, Language
from lexurn.generators.strings import FIRST_LETTER, force_padding, mask_special_tokens


def chance(language: Language | str, prompts: Tokens, *, limit: int) -> pd.DataFrame:
    """How often rule 1 is obeyed by completions of uniform letters and EOS up to `limit` tokens: a line a measure.

    Columns: measure (`rule_1`, `rule_1_and_finished`, `rule_1_of_finished`, `finished`), value, n: the prompts.
    """
    language = LANGUAGES[language] if isinstance(language, str) else language
    automaton, n_letters = language.rules[0].automaton, len(language.letters)
    states = Counter(_state(automaton, row) for row in (prompts - FIRST_LETTER).tolist())
    totals = Counter()
    for state, n in states.items():
        finished, obeyed, unfinished = _followed(
            automaton, state, limit - prompts.shape[1], n_letters
        )
        totals.update({"finished": n * finished, "joint": n * obeyed, "unfinished": n * unfinished})
    n = len(prompts)
    values = {
        "rule_1": (totals["joint"] + totals["unfinished"]) / n,
        "rule_1_and_finished": totals["joint"] / n,
        "rule_1_of_finished": totals["joint"] / totals["finished"] if totals["finished"] else nan,
        "finished": totals["finished"] / n,
    }
    return pd.DataFrame({"measure": list(values), "value": list(values.values()), "n": n})


def by_chance(language: Language) -> Predictor:
    """Letters and EOS all alike, as a predictor."""

    def predict(tokens: Tokens) -> LogProbs:
        alike = torch.full(
            (*tokens.shape, language.vocab_size),
            -log(len(language.letters) + 1),
            dtype=torch.float64,
        )
        return force_padding(mask_special_tokens(alike), tokens)

    return predict


def _followed(
    automaton: Automaton, state: Hashable, n: int, n_letters: int
) -> tuple[float, float, float]:
    """Of n tokens more: the probabilities to end, to end and be accepted, and not to end and be accepted."""
    at, each, finished, accepted = {state: 1.0}, 1 / (n_letters + 1), 0.0, 0.0
    for _ in range(n):
        after: dict[Hashable, float] = {}
        for state, p in at.items():
            finished += p * each
            accepted += p * each * automaton.accepts(state)
            for letter in range(n_letters):
                to = automaton.step(state, letter)
                after[to] = after.get(to, 0.0) + p * each
        at = after
    return finished, accepted, sum((p for state, p in at.items() if automaton.accepts(state)), 0.0)


def _state(automaton: Automaton, word: Sequence[int]) -> Hashable:
    state = automaton.start
    for letter in word:
        state = automaton.step(state, letter)
    return state
