"""Predictors that have counted a text: every token by how often it came, or by how often behind the one before it.

Unigram   p(b) = (n(b) + 1) / (n + V)
Bigram    p(b | a) = (n(a b) + s p(b)) / (n(a) + s); in row 0, p(b)

The strength s, how many tokens the counts of single tokens are worth, is what predicts another text best.
"""

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from lexurn.base.shapes import LogProbs, Tokens, check_tokens

STRENGTHS = (1, 3, 10, 30, 100, 300, 1000)


class Unigram:
    """How often tokens come, one added to each."""

    def __init__(self, tokens: np.ndarray, vocab_size: int):
        counts = torch.from_numpy(np.bincount(tokens, minlength=vocab_size)).double() + 1
        self.log_probs: Float64[Tensor, vocab] = (counts / counts.sum()).log()

    def __call__(self, tokens: Tokens) -> LogProbs:
        check_tokens(tokens, len(self.log_probs))
        return self.log_probs.to(tokens.device).expand(*tokens.shape, -1)


class Bigram:
    """How often tokens come behind each other, mixed with how often they come at all.

    `other` is the text by which the strength is chosen, among `STRENGTHS`; None: the first of them.
    """

    def __init__(self, tokens: np.ndarray, vocab_size: int, *, other: np.ndarray | None = None):
        self.first = Unigram(tokens, vocab_size).log_probs
        counts = _pairs(tokens, vocab_size)
        tables = (
            (counts + s * self.first.exp()) / (counts.sum(-1, keepdim=True) + s) for s in STRENGTHS
        )
        asked = 0 if other is None else _pairs(other, vocab_size)
        found = max(tables, key=lambda table: float((asked * table.log()).sum()))
        self.log_probs: Float64[Tensor, "vocab vocab"] = found.log()

    def __call__(self, tokens: Tokens) -> LogProbs:
        check_tokens(tokens, len(self.first))
        device = tokens.device
        first = self.first.to(device).expand(len(tokens), 1, -1)
        return torch.cat([first, self.log_probs.to(device)[tokens[:, :-1]]], 1)


def _pairs(tokens: np.ndarray, vocab_size: int) -> Float64[Tensor, "vocab vocab"]:
    pairs = tokens[:-1].astype(np.int64) * vocab_size + tokens[1:]
    return (
        torch.from_numpy(np.bincount(pairs, minlength=vocab_size**2))
        .double()
        .view(vocab_size, vocab_size)
    )
