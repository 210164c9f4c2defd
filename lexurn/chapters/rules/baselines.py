"""How often baselines without a model obey rule 1: uniform chance and immediate EOS.

Chance completes prompts with uniformly random letters and EOS, and is computed exactly. An
automaton has few states, so we propagate the probability of each state letter by letter. The sum
covers every completion up to the limit.
"""

from collections import Counter
from collections.abc import Hashable
from functools import reduce
from math import nan

import pandas as pd

from lexurn.base.shapes import Tokens
from lexurn.generators.languages import LANGUAGES, Language
from lexurn.generators.prompts import prompts
from lexurn.generators.strings import FIRST_LETTER, Rule
from lexurn.measures.rules import MAIN_MEASURE, immediate_eos


def baseline_levels(names: list[str], limit: int) -> pd.DataFrame:
    """Return the `MAIN_MEASURE` of two baselines without a model, out of distribution.

    Columns: language, what (`chance`, `immediate EOS`), value, n (prompts).
    """
    rows = []
    for name in names:
        given = prompts(name)["out_of_distribution"]
        baselines = {
            "chance": chance(name, given, limit=limit),
            "immediate EOS": immediate_eos(LANGUAGES[name], given),
        }
        for what, table in baselines.items():
            value = table.set_index("measure").loc[MAIN_MEASURE, "value"]
            rows.append((name, what, value, len(given)))
    return pd.DataFrame(rows, columns=["language", "what", "value", "n"])


def chance(language: Language | str, prompts: Tokens, *, limit: int) -> pd.DataFrame:
    """Return how often uniform completions obey rule 1 up to `limit` tokens, one row per measure.

    Columns: measure (`rule_1`, `rule_1_and_finished`, `rule_1_of_finished`, `finished`), value,
    n (prompts).
    """
    language = LANGUAGES[language] if isinstance(language, str) else language
    automaton = language.rules[0]
    states = Counter(
        reduce(automaton.step, letters, automaton.start)
        for letters in (prompts - FIRST_LETTER).tolist()
    )
    totals = Counter()
    for state, count in states.items():
        finished, obeyed, unfinished = _complete_uniformly(
            automaton, state, limit - prompts.shape[1], len(language.letters)
        )
        totals["finished"] += count * finished
        totals["joint"] += count * obeyed
        totals["unfinished"] += count * unfinished
    n = len(prompts)
    values = {
        "rule_1": (totals["joint"] + totals["unfinished"]) / n,
        "rule_1_and_finished": totals["joint"] / n,
        "rule_1_of_finished": totals["joint"] / totals["finished"] if totals["finished"] else nan,
        "finished": totals["finished"] / n,
    }
    return pd.DataFrame({"measure": list(values), "value": list(values.values()), "n": n})


def _complete_uniformly(
    automaton: Rule, state: Hashable, n_tokens: int, n_letters: int
) -> tuple[float, float, float]:
    """Return three probabilities within `n_tokens` uniform tokens after `state`.

    They are: EOS comes; EOS comes in an accepting state; no EOS comes and the last state is
    accepting.
    """
    token_prob = 1 / (n_letters + 1)
    state_probs = {state: 1.0}
    finished, accepted = 0.0, 0.0
    for _ in range(n_tokens):
        next_probs: dict[Hashable, float] = {}
        for state, prob in state_probs.items():
            finished += prob * token_prob
            accepted += prob * token_prob * automaton.accepts(state)
            for letter in range(n_letters):
                successor = automaton.step(state, letter)
                next_probs[successor] = next_probs.get(successor, 0.0) + prob * token_prob
        state_probs = next_probs
    unfinished = (prob for state, prob in state_probs.items() if automaton.accepts(state))
    return finished, accepted, sum(unfinished, 0.0)
