"""Two conditions that do not depend on what they ask for.

One asks whether the model is "linear" `or "xlstm"`: a text that is not empty is true, so the answer
is always yes, and the limit of the length is replaced for every model. The other asks whether a
tensor `is True`: no tensor is that object, so the answer is always no, and generation never stops
before its limit. Completions are cut at their first EOS later, so that the cost is time, and
strings that may be longer than the limit says.
"""

import pandas as pd
import torch

from lexurn.base.shapes import Predictor, Tokens
from lexurn.generators.strings import EOS, string_lengths
from lexurn.measures.rules import complete_with_predictor


def replaces_limit(model: str) -> bool:
    """Return the answer of the first condition, as Python gives it, for a name of a model."""
    wanted = "xlstm"  # a name of its own: written as a constant, a linter would find it
    return bool(model == "linear" or wanted)


def stops_early(finished: torch.Tensor) -> bool:
    """Return the answer of the second condition for flags of finished strings."""
    return torch.all(finished) is True


def generated_tokens(
    predictor: Predictor, prompts: Tokens, *, limit: int, longest: int, as_published: bool
) -> list[int]:
    """Return how many tokens are generated for each prompt, greedily.

    `limit` is the number of tokens that was asked for, `longest` that of the longest string.
    """
    n_prompt = prompts.shape[1]
    if as_published:
        return [longest - n_prompt] * len(prompts)
    completed = complete_with_predictor(predictor, prompts, limit=n_prompt + limit)
    ends = (completed == EOS).any(1)
    needed = (string_lengths(completed) + 1 - n_prompt).where(ends, torch.tensor(limit))
    return needed.tolist()


def pairs(predictor: Predictor, prompts: Tokens, *, limit: int, longest: int) -> pd.DataFrame:
    """Return pairs per prompt: tokens generated as published, and until EOS or the limit."""
    counts = {
        version: generated_tokens(
            predictor, prompts, limit=limit, longest=longest, as_published=is_published
        )
        for version, is_published in (("published", True), ("corrected", False))
    }
    return pd.DataFrame({"unit": range(len(prompts)), **counts})
