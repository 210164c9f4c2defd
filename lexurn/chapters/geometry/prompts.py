"""Texts of one's own, for models of text."""

import hashlib
from collections.abc import Sequence

import torch

from lexurn.base.shapes import Tokens
from lexurn.generators import text
from lexurn.settings import Settings
from lexurn.settings.resolver import ParameterError

PROMPTS = (
    "Friends, Romans, countrymen, lend me your ears",
    "to be, or not to be, to be, or not to be, to be, or not",
)
"""A line of the test text, and one that repeats itself."""


def ours(settings: Settings) -> list[str]:
    """Ours, or if the tokenizer lacks their characters, or they are too long, a line of the test text."""
    try:
        tokens_of(settings, PROMPTS)
        return list(PROMPTS)
    except ParameterError:
        found, most = text.load(settings.task), min(24, settings.task.context_length)
        middle = len(found.tokens("test")) // 2
        return [found.tokenizer.decode(found.tokens("test")[middle : middle + most])]


def tokens_of(settings: Settings, prompts: Sequence[str]) -> list[Tokens]:
    """Each prompt as a sequence (1 time), with a token behind it that nothing is asked of.

    Raises ParameterError for a prompt without two tokens, with more than the context, or with foreign characters.
    """
    tokenizer, most = text.load(settings.task).tokenizer, settings.task.context_length
    found = []
    for number, prompt in enumerate(prompts, 1):
        try:
            tokens = list(tokenizer.encode(prompt))
        except ValueError as error:
            raise ParameterError(f"prompt {number} of prompts: {error}") from None
        if not 2 <= len(tokens) <= most:
            raise ParameterError(
                f"prompt {number} of prompts must have 2 to context_length={most} tokens, got {len(tokens)}; "
                f"{'make it longer' if len(tokens) < 2 else 'cut it, or raise context_length'}"
            )
        found.append(torch.tensor([[*tokens, tokens[-1]]]))
    return found


def pieces(settings: Settings, prompt: str) -> list[str]:
    """The tokens of a prompt as text, spaces and ends of lines seen."""
    tokenizer = text.load(settings.task).tokenizer
    seen = str.maketrans({" ": "·", "\n": "⏎"})
    return [tokenizer.decode([token]).translate(seen) for token in tokenizer.encode(prompt)]


def fingerprint(prompts: Sequence[str]) -> str:
    """Eight digits that tell prompts from others."""
    return hashlib.sha256("\0".join(prompts).encode()).hexdigest()[:8]
