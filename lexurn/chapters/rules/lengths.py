"""Length generalization: words of which a model is given more than half, shorter and longer than any it was trained on.

The prompt is the first ⌈(l + 1) / 2⌉ of a word's l letters: of aⁿbⁿ one b, after which all is told. The completion is
right where it ends and the whole is a word of the language.
"""

import pandas as pd
import torch

from lexurn.base.seeding import generator
from lexurn.base.shapes import Tokens
from lexurn.generators.languages import LANGUAGES, Language
from lexurn.generators.strings import EOS, string_lengths
from lexurn.models.generation import complete
from lexurn.runs.run import Run

N_WORDS = 50
"""Words of each length, at most; different ones, drawn as the language draws them."""

N_DRAWN = 20_000


def followed(run: Run) -> pd.DataFrame:
    """Greedy completions of words by their length, with the best weights: length, trained, value, n."""
    settings = run.settings
    language, longest = LANGUAGES[settings.task.language], settings.task.context_length
    lines = []
    for length, words in of_each_length(language, longest).items():
        given = words[:, : -(-(length + 1) // 2)]
        table = run.model.vocabulary.draw(
            len(given), generator=generator(settings.training.seed, "completions")
        )
        found = complete(run.model, given, limit=longest + 1, table=table)
        right = language.contains(found) & (found == EOS).any(-1)
        lines.append(
            (length, length <= settings.task.longest, right.double().mean().item(), len(right))
        )
    return pd.DataFrame(lines, columns=["length", "trained", "value", "n"])


def of_each_length(language: Language, longest: int) -> dict[int, Tokens]:
    """Some different words of each length that there is, up to `longest`."""
    tokens = language.sample(
        N_DRAWN, max_length=longest, generator=generator(0, "words of each length")
    )
    sizes = string_lengths(tokens)
    found = {}
    for length in sizes.unique().tolist():
        words = tokens[sizes == length].unique(dim=0)
        order = torch.randperm(len(words), generator=generator(0, "which words", length))
        found[length] = words[order[:N_WORDS]]
    return found
