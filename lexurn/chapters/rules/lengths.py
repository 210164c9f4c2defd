"""Length generalization: completing strings that are shorter or longer than those of training.

The prompt is the first ⌈(l + 1) / 2⌉ of a string's l letters; for aⁿbⁿ it includes one b, which
determines the rest. A completion is right if it ends and the whole string is in the language.
"""

import pandas as pd
import torch

from lexurn.base.seeding import generator
from lexurn.base.shapes import Tokens
from lexurn.chapters.rules.completion import complete
from lexurn.generators.languages import LANGUAGES, Language
from lexurn.generators.strings import EOS, string_lengths
from lexurn.runs.run import Run

MAX_STRINGS = 50
"""The largest number of different strings of one length."""

N_SAMPLES = 20_000
"""The number of strings that are sampled from the language."""


def completion_accuracy(run: Run) -> pd.DataFrame:
    """Return the share of right greedy completions by length, with the best weights.

    Columns: length, trained (whether training had this length), value, n (strings).
    """
    settings = run.settings
    language = LANGUAGES[settings.task.language]
    max_length = settings.task.context_length
    rows = []
    for length, strings in strings_by_length(language, max_length).items():
        prompts = strings[:, : -(-(length + 1) // 2)]
        stream = generator(settings.training.seed, "completions")
        table = run.model.vocabulary.draw(len(prompts), generator=stream)
        completed = complete(run.model, prompts, limit=max_length + 1, table=table)
        is_right = language.contains(completed) & (completed == EOS).any(-1)
        is_trained = length <= settings.task.longest
        rows.append((length, is_trained, is_right.double().mean().item(), len(strings)))
    return pd.DataFrame(rows, columns=["length", "trained", "value", "n"])


def strings_by_length(language: Language, max_length: int) -> dict[int, Tokens]:
    """Sample different strings of each length up to `max_length` that the language has."""
    stream = generator(0, "words of each length")
    tokens = language.sample(N_SAMPLES, max_length=max_length, generator=stream)
    sizes = string_lengths(tokens)
    strings = {}
    for length in sizes.unique().tolist():
        distinct = tokens[sizes == length].unique(dim=0)
        order = torch.randperm(len(distinct), generator=generator(0, "which words", length))
        strings[length] = distinct[order[:MAX_STRINGS]]
    return strings
