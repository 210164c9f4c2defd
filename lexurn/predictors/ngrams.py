"""Unigram and bigram predictors, from the token counts of a text.

Unigram   p(b) = (n(b) + 1) / (n + V)
Bigram    p(b | a) = (n(a b) + s p(b)) / (n(a) + s); in row 0, p(b)

The strength s is the number of tokens that the unigram prior is worth, chosen to predict another
text best.
"""

import numpy as np
import torch
from jaxtyping import Float64

from lexurn.base.shapes import LogProbs, Tokens, check_tokens

STRENGTHS = (1, 3, 10, 30, 100, 300, 1000)


class Unigram:
    """Predict every token by its frequency, with one added to each count."""

    def __init__(self, tokens: np.ndarray, vocab_size: int):
        counts = torch.from_numpy(np.bincount(tokens, minlength=vocab_size)).double() + 1
        self.log_probs: Float64[torch.Tensor, vocab] = (counts / counts.sum()).log()

    def __call__(self, tokens: Tokens) -> LogProbs:
        check_tokens(tokens, len(self.log_probs))
        return self.log_probs.to(tokens.device).expand(*tokens.shape, -1)


class Bigram:
    """Predict every token by its frequency after the last token, smoothed by the unigram.

    `validation` is the text that chooses the strength among `STRENGTHS`.
    """

    def __init__(self, tokens: np.ndarray, vocab_size: int, *, validation: np.ndarray):
        self.unigram = Unigram(tokens, vocab_size).log_probs
        counts = _count_pairs(tokens, vocab_size)
        totals = counts.sum(-1, keepdim=True)
        tables = ((counts + s * self.unigram.exp()) / (totals + s) for s in STRENGTHS)
        weights = _count_pairs(validation, vocab_size)
        best = max(tables, key=lambda table: float((weights * table.log()).sum()))
        self.log_probs: Float64[torch.Tensor, "vocab vocab"] = best.log()

    def __call__(self, tokens: Tokens) -> LogProbs:
        check_tokens(tokens, len(self.unigram))
        first_row = self.unigram.to(tokens.device).expand(len(tokens), 1, -1)
        return torch.cat([first_row, self.log_probs.to(tokens.device)[tokens[:, :-1]]], 1)


def _count_pairs(tokens: np.ndarray, vocab_size: int) -> Float64[torch.Tensor, "vocab vocab"]:
    pairs = tokens[:-1].astype(np.int64) * vocab_size + tokens[1:]
    counts = np.bincount(pairs, minlength=vocab_size**2).reshape(vocab_size, vocab_size)
    return torch.from_numpy(counts).double()
