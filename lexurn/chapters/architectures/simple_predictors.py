"""Predictors that know less than the optimum: linear logits, and the row with the last letter.

Each is the best of its kind for a task given by its rows (`histories.Row`), and has the excess that
`floors` computes.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lexurn.base.shapes import LogProbs, Tokens
from lexurn.chapters.architectures import floors, histories
from lexurn.generators.strings import EOS, FIRST_LETTER, force_padding
from lexurn.predictors.counting import prefix_counts


class LinearCounts:
    """The best predictor of exchangeable tokens whose logits are linear: softmax(a_t · counts)."""

    def __init__(self, rows: Sequence[histories.Row]):
        fits = floors.linear_fits(rows, "symmetric", "Newton")
        self.n_tokens = rows[0].targets.shape[1]
        self.slopes = torch.tensor([0.0, *(fit.item() for fit in fits)], dtype=torch.float64)

    def __call__(self, tokens: Tokens) -> LogProbs:
        counts = prefix_counts(tokens, self.n_tokens)
        return (self.slopes[: tokens.shape[1], None] * counts).log_softmax(-1)


class LinearStrings:
    """The best predictor of strings without names whose logits are linear.

    A letter's logit is a sum of weights, by position, of the inputs that are this letter; the logit
    of EOS depends on the row alone.
    """

    def __init__(self, rows: Sequence[histories.Row]):
        self.weights = torch.zeros(len(rows), len(rows), dtype=torch.float64)  # row position
        self.ends = torch.zeros(len(rows), dtype=torch.float64)
        fits = floors.linear_fits(rows, "symmetric", "Newton")
        for number, fit in enumerate(map(torch.from_numpy, fits)):
            self.weights[number, :number], self.ends[number] = fit[:-1], fit[-1]

    def __call__(self, tokens: Tokens) -> LogProbs:
        n = tokens.shape[1]
        letters = torch.stack([tokens == FIRST_LETTER, tokens == FIRST_LETTER + 1], -1).double()
        sums = torch.einsum("ts,bsv->btv", self.weights[:n, :n], letters)
        ends = self.ends[:n, None].expand(len(tokens), n, 1)
        return _as_strings(torch.cat([ends, sums], -1).log_softmax(-1), tokens)


class LastLetter:
    """The best predictor of strings that knows the row and the last letter alone."""

    def __init__(self, rows: Sequence[histories.Row]):
        probs = torch.full((len(rows), 3, 3), 1 / 3, dtype=torch.float64)  # row last token
        for number, row in enumerate(rows):
            for last in np.unique(row.memories["last letter"]):
                weights = row.probs * (row.memories["last letter"] == last)
                mean = weights @ row.targets / weights.sum()
                probs[number, int(last)] = torch.from_numpy(mean)
        self.log_probs = probs.log()

    def __call__(self, tokens: Tokens) -> LogProbs:
        last = torch.zeros_like(tokens)
        last[:, 1:] = (tokens[:, :-1] - FIRST_LETTER + 1).clamp(0, 2)
        rows = torch.arange(tokens.shape[1])
        return _as_strings(self.log_probs[rows, last], tokens)


def _as_strings(log_probs: Float[Tensor, "batch time 3"], tokens: Tokens) -> LogProbs:
    """Return log-probabilities of EOS and two letters as those of all tokens of strings."""
    full = torch.full((*tokens.shape, FIRST_LETTER + 2), -torch.inf, dtype=torch.float64)
    full[..., [EOS, FIRST_LETTER, FIRST_LETTER + 1]] = log_probs
    return force_padding(full, tokens)
