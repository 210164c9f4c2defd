"""Smoothed n-grams of a text: what a text model has to beat.

Modified Kneser–Ney, the better smoothing:

    p(w | h) = (c(h w) − D(c(h w))) / c(h) + γ(h) p(w | h'),    γ(h) = Σ_w D(c(h w)) / c(h)

h' is the context h without its first token. Below the longest context, counts are *continuation
counts*: c(h w) is the number of different tokens that precede h w in the text. The last step mixes
with the uniform distribution. Each order has three discounts D, for counts of 1, 2, and 3 or more,
from its numbers of n-grams with the counts 1 … 4.

Witten–Bell, the simpler one, with the counts of the text at every order:

    p(w | h) = (c(h w) + T(h) p(w | h')) / (c(h) + T(h)),    T(h) = number of different w after h

Source: Chen and Goodman 1999, "An empirical study of smoothing techniques for language modeling",
sections 2.5 and 3.2.
"""

import numpy as np
import torch
from jaxtyping import Float, Int64

from lexurn.base.shapes import LogProbs, Tokens, check_tokens

MAX_CODE = 2**62
"""The largest integer that stands for an n-gram."""


class KneserNey:
    """Predict every token from at most `order` − 1 tokens before it in its sequence.

    Row t of a sequence has t tokens of context, if these are fewer: it is then predicted by the
    n-grams of order t + 1. Raises ValueError if n-grams of this order have no integer code.
    """

    def __init__(self, tokens: np.ndarray, vocab_size: int, *, order: int):
        if vocab_size**order > MAX_CODE:
            raise ValueError(
                f"order must be lower for a vocabulary of {vocab_size} tokens, got {order}"
            )
        self.order = order
        self.vocab_size = vocab_size
        counts = [_count(tokens, vocab_size, n) for n in range(1, order + 1)]
        self.top = [_Level(grams, numbers, vocab_size) for grams, numbers in counts]
        self.continuation = [
            _Level(*np.unique(grams % vocab_size**n, return_counts=True), vocab_size)
            for n, (grams, _) in enumerate(counts[1:], 1)
        ]

    def __call__(self, tokens: Tokens) -> LogProbs:
        check_tokens(tokens, self.vocab_size)
        sequences = tokens.cpu().numpy()
        probs = torch.empty(*sequences.shape, self.vocab_size, dtype=torch.float64)
        for row in range(sequences.shape[1]):
            context = sequences[:, max(row - self.order + 1, 0) : row]
            probs[:, row] = torch.from_numpy(self._predict(context))
        return probs.log().to(tokens.device)

    def _predict(self, contexts: np.ndarray) -> np.ndarray:
        """Return the distributions (batch vocab) after contexts (batch n)."""
        n = contexts.shape[1]
        probs = np.full((len(contexts), self.vocab_size), 1 / self.vocab_size)
        for length in range(n + 1):
            level = self._level(length, n)
            codes = _encode(contexts[:, n - length :], self.vocab_size)
            probs = level.interpolate(codes, probs)
        return probs

    def _level(self, length: int, longest: int) -> "_Level":
        return self.top[longest] if length == longest else self.continuation[length]


class WittenBell(KneserNey):
    """The same with Witten–Bell smoothing."""

    def __init__(self, tokens: np.ndarray, vocab_size: int, *, order: int):
        super().__init__(tokens, vocab_size, order=order)
        for level in self.top:
            level.smooth_by_types()

    def _level(self, length: int, longest: int) -> "_Level":
        return self.top[length]


class _Level:
    """The discounted counts of n-grams of one order; `grams` are their sorted codes."""

    def __init__(self, grams: np.ndarray, counts: np.ndarray, vocab_size: int):
        self.grams = grams
        self.counts = counts.astype(float)
        self.discounts = _discounts(counts)[np.minimum(counts, 3) - 1]
        self.vocab_size = vocab_size

    def smooth_by_types(self) -> None:
        """Make each discount c T(h) / (c(h) + T(h)), which is Witten–Bell smoothing."""
        _, numbers, n_types = np.unique(
            self.grams // self.vocab_size, return_inverse=True, return_counts=True
        )
        totals = np.bincount(numbers, self.counts)
        self.discounts = self.counts * (n_types / (totals + n_types))[numbers]

    def interpolate(
        self, contexts: Int64[np.ndarray, "batch"], lower: Float[np.ndarray, "batch vocab"]
    ) -> Float[np.ndarray, "batch vocab"]:
        """Return the distribution after each context; a context that never occurs keeps `lower`."""
        first = np.searchsorted(self.grams, contexts * self.vocab_size)
        last = np.searchsorted(self.grams, (contexts + 1) * self.vocab_size)
        n_followers = last - first
        rows = np.repeat(np.arange(len(contexts)), n_followers)
        starts = np.repeat(first - n_followers.cumsum() + n_followers, n_followers)
        places = starts + np.arange(len(rows))
        totals = np.bincount(rows, self.counts[places], len(contexts))
        freed = np.bincount(rows, self.discounts[places], len(contexts))
        is_seen = n_followers > 0
        share = np.divide(freed, totals, out=np.ones(len(contexts)), where=is_seen)
        probs = share[:, None] * lower
        kept = (self.counts - self.discounts)[places] / totals[rows]
        probs[rows, self.grams[places] % self.vocab_size] += kept
        return probs


def _count(tokens: np.ndarray, vocab_size: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted codes of all n-grams of a text, and how often each occurs."""
    windows = np.lib.stride_tricks.sliding_window_view(tokens, n)
    return np.unique(_encode(windows, vocab_size), return_counts=True)


def _encode(grams: np.ndarray, vocab_size: int) -> np.ndarray:
    """Return one integer per row (batch n): its tokens as digits, the first one leading."""
    codes = np.zeros(len(grams), dtype=np.int64)
    for column in grams.T:
        codes = codes * vocab_size + column
    return codes


def _discounts(counts: np.ndarray) -> np.ndarray:
    """Return the discounts of the counts 1, 2, and 3 or more, between 0 and the count."""
    n = np.maximum(np.bincount(counts, minlength=5)[1:5], 1)  # a short text may lack one
    y = n[0] / (n[0] + 2 * n[1])
    discounts = [k - (k + 1) * y * n[k] / n[k - 1] for k in (1, 2, 3)]
    return np.clip(discounts, 0.05, [0.95, 1.95, 2.95])
