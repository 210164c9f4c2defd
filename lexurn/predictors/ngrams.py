"""Predictors that have counted a text: every token by how often it came, or by how often behind the one before it.

Unigram   p(b) = (n(b) + 1) / (n + V)
Bigram    p(b | a) = (n(a b) + s p(b)) / (n(a) + s), with s = V; in row 0, p(b)
"""

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from lexurn.shapes import LogProbs, Tokens, check_tokens


class Unigram:
    """How often tokens come, one added to each."""

    def __init__(self, tokens: np.ndarray, vocab_size: int):
        counts = torch.from_numpy(np.bincount(tokens, minlength=vocab_size)).double() + 1
        self.log_probs: Float64[Tensor, vocab] = (counts / counts.sum()).log()

    def __call__(self, tokens: Tokens) -> LogProbs:
        check_tokens(tokens, len(self.log_probs))
        return self.log_probs.to(tokens.device).expand(*tokens.shape, -1)


class Bigram:
    """How often tokens come behind each other, as many more as there are tokens spread as they come at all."""

    def __init__(self, tokens: np.ndarray, vocab_size: int):
        self.first = Unigram(tokens, vocab_size).log_probs
        pairs = tokens[:-1].astype(np.int64) * vocab_size + tokens[1:]
        counts = torch.from_numpy(np.bincount(pairs, minlength=vocab_size**2)).double().view(vocab_size, vocab_size)
        counts += vocab_size * self.first.exp()
        self.log_probs: Float64[Tensor, "vocab vocab"] = (counts / counts.sum(-1, keepdim=True)).log()

    def __call__(self, tokens: Tokens) -> LogProbs:
        check_tokens(tokens, len(self.first))
        device = tokens.device
        first = self.first.to(device).expand(len(tokens), 1, -1)
        return torch.cat([first, self.log_probs.to(device)[tokens[:, :-1]]], 1)
