"""Words as sequences of tokens: a word, EOS, and PAD up to the end.

SOS stands for the start vector that a model's row 0 comes from, and is never in a sequence. Letters begin at `FIRST`.
Behind EOS nothing is left to predict: every predictor says PAD there, with certainty, and nowhere else. So the rows of
a sequence add up to the log-probability of its word, and padding costs nothing.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from lexurn.base.shapes import LogProbs, Tokens
from lexurn.generators.rules import Letters

SOS, EOS, PAD, FIRST = 0, 1, 2, 3


def sequences(words: Sequence[Sequence[int]], *, length: int) -> Tokens:
    """Words, as letters 0, 1, …, with their EOS and PAD. Raises ValueError for one that is too long."""
    longest = max(map(len, words), default=0)
    if longest >= length:
        raise ValueError(f"a word of {longest} letters and its EOS do not fit into {length} tokens")
    rows = torch.full((len(words), length), PAD)
    for row, word in zip(rows, words, strict=True):
        row[: len(word) + 1] = torch.tensor([*(FIRST + letter for letter in word), EOS])
    return rows


def letters_of(tokens: Tokens, *, n_letters: int) -> Letters:
    """The letters before the first EOS, or all if there is none."""
    ended = (tokens == EOS).cumsum(-1) > 0
    letters = torch.where((tokens >= FIRST) & (tokens < FIRST + n_letters), tokens - FIRST, -2)
    return torch.where(ended, -1, letters)


def lengths(tokens: Tokens) -> Tensor:
    """How many tokens of each sequence (batch) come before EOS, or all where there is none."""
    return ((tokens == EOS).cumsum(-1) == 0).sum(-1)


def without_specials(logits: LogProbs) -> LogProbs:
    """Logits or log-probabilities in which SOS and PAD, which no word holds, can not come."""
    ids = torch.arange(logits.shape[-1], device=logits.device)
    return logits.masked_fill((ids == SOS) | (ids == PAD), -torch.inf)


def padded(log_probs: LogProbs, tokens: Tokens) -> LogProbs:
    """Log-probabilities in which PAD is certain at every row that has seen EOS."""
    over = pad((tokens[:, :-1] == EOS).cumsum(-1) > 0, (1, 0))
    ids = torch.arange(log_probs.shape[-1], device=log_probs.device)
    certain = torch.where(ids == PAD, 0.0, -torch.inf).to(log_probs.dtype)
    return torch.where(over[..., None], certain, log_probs)
