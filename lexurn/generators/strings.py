"""Strings as sequences of tokens: the letters of a string, EOS, and PAD up to the end.

SOS is the start vector that a model's row 0 sees; it never stands in a sequence. The letters follow
from `FIRST_LETTER` on. After EOS every predictor gives PAD probability 1. So the rows of a sequence
add up to the log-probability of its string, and padding costs nothing.
"""

from collections.abc import Sequence
from itertools import chain

import numpy as np
import torch

from lexurn.base.shapes import LogProbs, Tokens
from lexurn.generators.rules import Letters

SOS, EOS, PAD, FIRST_LETTER = 0, 1, 2, 3


def to_sequences(strings: Sequence[Sequence[int]], *, length: int) -> Tokens:
    """Return strings, given as letter numbers, as sequences (strings, length) with EOS and PAD.

    Raises ValueError if a string with its EOS is longer than `length`.
    """
    longest = max(map(len, strings), default=0)
    if longest >= length:
        raise ValueError(
            f"a string of {longest} letters and its EOS do not fit into {length} tokens; "
            f"use length {longest + 1} or more"
        )
    tokens = np.full((len(strings), length), PAD)
    n_letters = np.fromiter(map(len, strings), int, len(strings))
    letters = np.fromiter(chain.from_iterable(strings), int, n_letters.sum())
    tokens[np.arange(length) < n_letters[:, None]] = FIRST_LETTER + letters
    tokens[np.arange(len(strings)), n_letters] = EOS
    return torch.from_numpy(tokens)


def to_letters(tokens: Tokens, *, n_letters: int) -> Letters:
    """Return the letter numbers of each string: −1 from EOS on, −2 for what is no letter."""
    is_over = (tokens == EOS).cumsum(-1) > 0
    is_letter = (tokens >= FIRST_LETTER) & (tokens < FIRST_LETTER + n_letters)
    return torch.where(is_letter, tokens - FIRST_LETTER, -2).masked_fill(is_over, -1)


def string_lengths(tokens: Tokens) -> torch.Tensor:
    """Return the number of tokens before EOS in each sequence (batch); all without an EOS."""
    return ((tokens == EOS).cumsum(-1) == 0).sum(-1)


def mask_special_tokens(logits: LogProbs) -> LogProbs:
    """Return the logits with −inf for SOS and PAD, which no string contains."""
    ids = torch.arange(logits.shape[-1], device=logits.device)
    return logits.masked_fill((ids == SOS) | (ids == PAD), -torch.inf)


def force_padding(log_probs: LogProbs, tokens: Tokens) -> LogProbs:
    """Return the log-probabilities with probability 1 for PAD in every row that has seen EOS."""
    is_over = torch.nn.functional.pad((tokens[:, :-1] == EOS).cumsum(-1) > 0, (1, 0))
    ids = torch.arange(log_probs.shape[-1], device=log_probs.device)
    certain_pad = torch.where(ids == PAD, 0.0, -torch.inf).to(log_probs.dtype)
    return torch.where(is_over[..., None], certain_pad, log_probs)
