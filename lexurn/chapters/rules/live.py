"""What the explorable of prompts computes with (`prompt.js`): four models of a^n b^n."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lexurn.chapters.rules.extrapolation import complete_prompts
from lexurn.figures import explorables, packed_models
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import EOS
from lexurn.runs.run import Run

LANGUAGE = LANGUAGES["aNbN"]

PROMPTS = ("ab", "aab", "ba", "abab", "abba", "bbaa", "abaab", "aaab")
"""The prompts that readers can try with one click."""

HINT = (
    "Try ba, and compare where rotary and learned positions end. Then try abaab, where one b is "
    "missing."
)

ALT = "Greedy completions of eight prompts by four networks, and whether each keeps rule 1."

TITLES = {
    "rotary": "rotary positions",
    "transformer": "learned positions",
    "lstm": "LSTM",
    "mamba": "Mamba",
}
"""The titles of the models that run in the page, by their kinds in the grids."""

N_SAMPLES = 4
"""Sampled completions that are shown at once for each model."""

TOKEN_LOOKS = {"EOS": "exact", "a": "tails", "b": "heads"}
VERDICT_LOOKS = {"kept": "generalizing", "broken": "red", "not ended": "uniform"}


def live_prompt(runs: Mapping[str, Run], *, prompt: str = PROMPTS[2]) -> dict[str, Any]:
    """Return the data of the explorable, which begins with a prompt, from one run of each kind."""
    models = [
        {"title": TITLES[kind], **packed_models.pack(run.model, run.settings, n_tables=1)}
        for kind, run in runs.items()
    ]
    looks = {TITLES[kind]: kind for kind in runs} | TOKEN_LOOKS | VERDICT_LOOKS
    return {
        "prompt": prompt,
        "prompts": PROMPTS,
        "hint": HINT,
        "n_samples": N_SAMPLES,
        "seed": 1,
        "looks": explorables.looks(looks),
        "models": models,
    }


def greedy_completions(runs: Mapping[str, Run], prompts: Sequence[str] = PROMPTS) -> pd.DataFrame:
    """Return the greedy completions of prompts: model (its title), prompt, completion, verdict.

    A completion is what the model writes after the prompt, up to EOS. The verdict is what becomes
    of rule 1 in the whole string: kept, broken or not ended.
    """
    rows = []
    for kind, run in runs.items():
        for prompt in prompts:
            tokens = LANGUAGE.encode([prompt], length=len(prompt) + 1)[:, :-1]
            string = complete_prompts(run.model, tokens, seed=0)
            verdict = "kept" if LANGUAGE.obeys_rules(string)[0, 0] else "broken"
            verdict = verdict if (string == EOS).any() else "not ended"
            written = LANGUAGE.decode(string)[0][len(prompt) : run.model.context_length]
            rows.append((TITLES[kind], prompt, written, verdict))
    return pd.DataFrame(rows, columns=["model", "prompt", "completion", "verdict"])


def count_kept(completions: pd.DataFrame) -> str:
    """Return in words on how many prompts each model keeps rule 1: "8 (rotary positions), …"."""
    n_kept = completions["verdict"].eq("kept").groupby(completions["model"], sort=False).sum()
    return ", ".join(f"{n} ({model})" for model, n in n_kept.items())


def rate_ranges(rates: pd.DataFrame) -> str:
    """Return in words the range over seeds of the greedy rate of rule 1 of each kind of model.

    `rates` is the table of `extrapolation.rates_by_seed`.
    """
    is_greedy = (rates["language"] == LANGUAGE.name) & (rates["what"] == "greedy")
    by_kind = rates[is_greedy].groupby("model")["value"]
    lowest, highest = by_kind.min(), by_kind.max()
    return ", ".join(
        f"{lowest[kind]:.2f} to {highest[kind]:.2f} ({title})" for kind, title in TITLES.items()
    )
