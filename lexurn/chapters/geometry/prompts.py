"""Prompts for models of text: default prompts, and texts of the user."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch

from lexurn.base.errors import ParameterError
from lexurn.base.shapes import Tokens
from lexurn.generators import text
from lexurn.settings import Settings

PROMPTS = (
    "Friends, Romans, countrymen, lend me your ears",
    "to be, or not to be, to be, or not to be",
)
"""A line of the test text, and a text that repeats itself."""

MAX_DEFAULT_LENGTH = 24
"""The largest number of tokens of a default prompt that is cut from the test text."""


def read_prompts(prompts: Sequence[str]) -> list[str]:
    """Return the prompts; one that names a text file stands for the lines of the file.

    Empty lines are left out. Raises ParameterError for a file without lines.
    """
    texts = []
    for prompt in prompts:
        if not prompt.endswith(".txt") or not Path(prompt).is_file():
            texts.append(prompt)
            continue
        lines = [line for line in Path(prompt).read_text("utf-8").splitlines() if line.strip()]
        if not lines:
            raise ParameterError(f"prompts: {prompt} has no lines; put one prompt into each line")
        texts += lines
    return texts


def default_prompts(settings: Settings) -> list[str]:
    """Return `PROMPTS`, or a passage of the test text if `PROMPTS` cannot be encoded."""
    try:
        encode_prompts(settings, PROMPTS)
        return list(PROMPTS)
    except ParameterError:
        corpus = text.load(settings.task)
        tokens = corpus.tokens("test")
        start = len(tokens) // 2
        stop = start + min(MAX_DEFAULT_LENGTH, settings.task.context_length)
        return [corpus.tokenizer.decode(tokens[start:stop])]


def encode_prompts(settings: Settings, prompts: Sequence[str]) -> list[Tokens]:
    """Return each prompt as a sequence (1 time) that ends in a placeholder target.

    A model does not see the last token, so it is repeated. Raises ParameterError for a prompt with
    fewer than two tokens, with more tokens than the context, or with characters that the tokenizer
    does not know.
    """
    tokenizer = text.load(settings.task).tokenizer
    max_length = settings.task.context_length
    sequences = []
    for number, prompt in enumerate(prompts, 1):
        try:
            tokens = list(tokenizer.encode(prompt))
        except ValueError as error:
            raise ParameterError(f"prompt {number} of prompts: {error}") from None
        if not 2 <= len(tokens) <= max_length:
            hint = "make it longer" if len(tokens) < 2 else "shorten it, or raise context_length"
            raise ParameterError(
                f"prompt {number} of prompts must have 2 to context_length={max_length} tokens, "
                f"got {len(tokens)}; {hint}"
            )
        sequences.append(torch.tensor([[*tokens, tokens[-1]]]))
    return sequences


def token_texts(settings: Settings, prompt: str) -> list[str]:
    """Return the text of each token of a prompt, with visible spaces and line breaks."""
    tokenizer = text.load(settings.task).tokenizer
    visible = str.maketrans({" ": "·", "\n": "⏎"})
    return [tokenizer.decode([token]).translate(visible) for token in tokenizer.encode(prompt)]


def fingerprint(prompts: Sequence[str]) -> str:
    """Return eight hexadecimal digits that identify these prompts."""
    return hashlib.sha256("\0".join(prompts).encode()).hexdigest()[:8]
