"""Predictors from counts: exact ones for urns, from prefix counts n_v alone, and n-grams of a text.

    Generalizing   integrates over a Dirichlet prior        (n_v + α_v) / (t + Σ α)
    Memorizing     sums over a finite pool of urns          Σ_d w_d θ_d,   w_d ∝ Π_v θ_dv^n_v
    Uniform        ignores the sequence                     1 / V
    Empirical      repeats the observed frequencies         n_v / t

Row t has seen tokens[:, :t]; row 0 is the prior predictive. Results are float64 on the tokens'
device (CPU for mps).

    Unigram        p(b) = (n(b) + 1) / (n + V), from the counts of a text
    Bigram         p(b | a) = (n(a b) + s p(b)) / (n(a) + s); in row 0, p(b)

The strength s is the number of tokens that the unigram prior is worth, chosen to predict another
text best.

The strategies chapter compresses the source of these classes to measure their complexity. Renaming
anything inside `Generalizing`, `Memorizing` or `Uniform` changes published numbers.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float64

from lexurn.base.shapes import Counts, LogProbs, Pool, Tokens, check_tokens
from lexurn.generators.urns import Urns

CHUNK = 2**18  # float64 values in a temporary at most: 2 MiB stay in the cache and are reused
STRENGTHS = (1, 3, 10, 30, 100, 300, 1000)


def prefix_counts(tokens: Tokens, n_colors: int) -> Counts:
    """Count each colour before each row: (batch, time, colors) in float64; row 0 is zero."""
    check_tokens(tokens, n_colors)
    tokens = tokens.cpu() if tokens.device.type == "mps" else tokens
    counts = torch.zeros(*tokens.shape, n_colors, dtype=torch.float64, device=tokens.device)
    counts[:, 1:].scatter_(-1, tokens[:, :-1, None], 1.0)
    return counts.cumsum_(1)


class Generalizing:
    """G: Bayes under the Dirichlet prior of urns, the optimum for training on fresh urns."""

    def __init__(self, n_colors: int, alpha: float | Sequence[float] = 1.0):
        self.n_colors = n_colors
        self.alpha = torch.tensor(Urns(n_colors, alpha).alphas, dtype=torch.float64)

    def __call__(self, tokens: Tokens) -> LogProbs:
        mass = prefix_counts(tokens, self.n_colors)
        mass += self.alpha.to(mass.device)
        return (mass / mass.sum(-1, keepdim=True)).log_()


class Memorizing:
    """M: Bayes under the uniform prior over a pool of urns, the optimum of training on it."""

    def __init__(self, urns: Pool):
        check_urns(urns)
        self.urns = urns

    def __call__(self, tokens: Tokens) -> LogProbs:
        n_tasks, n_colors = self.urns.shape
        counts = prefix_counts(tokens, n_colors)
        urns = self.urns.to(counts.device)
        log_urns = floored_log(urns)
        size = max(CHUNK // n_tasks, 1)
        buffer, probs = counts.new_empty(size, n_tasks), torch.empty_like(counts)
        for seen, out in zip(
            counts.view(-1, n_colors).split(size), probs.view(-1, n_colors).split(size), strict=True
        ):
            log_likelihood = torch.matmul(seen, log_urns.T, out=buffer[: len(seen)])  # rows tasks
            weights = log_likelihood.sub_(log_likelihood.amax(-1, keepdim=True)).exp_()
            torch.matmul(weights, urns, out=out).div_(weights.sum(-1, keepdim=True))
        return probs.log_()


class Uniform:
    """The predictor that gives every colour probability 1/V in every row."""

    def __init__(self, n_colors: int):
        self.n_colors = n_colors

    def __call__(self, tokens: Tokens) -> LogProbs:
        return -prefix_counts(tokens, self.n_colors).fill_(self.n_colors).log_()


class Empirical:
    """The predictor that repeats observed frequencies.

    Row 0 is uniform; a colour that has not been seen has log-probability −inf.
    """

    def __init__(self, n_colors: int):
        self.n_colors = n_colors

    def __call__(self, tokens: Tokens) -> LogProbs:
        counts = prefix_counts(tokens, self.n_colors)
        counts[:, 0] = 1.0
        return (counts / counts.sum(-1, keepdim=True)).log_()


def floored_log(probs: torch.Tensor) -> torch.Tensor:
    """Return ln max(p, 1e-300), so that 0 · ln 0 = 0 in products of counts with logs.

    An urn that cannot give an observed ball keeps a likelihood of about e^−690 per such ball. This
    changes the result only if every urn of the pool is impossible.
    """
    return probs.clamp_min(1e-300).log()


def check_urns(urns: Pool) -> None:
    """Raise ValueError unless `urns` are distributions over colours: (tasks, colors) in float64."""
    if urns.ndim != 2 or urns.dtype != torch.float64:
        raise ValueError(
            f"urns must be float64 of the shape (tasks, colors), got {urns.dtype} "
            f"{tuple(urns.shape)}; use urns.double(), and urns[None] for a single urn"
        )
    if not ((urns >= 0).all() and (urns.sum(-1) - 1).abs().max() < 1e-9):
        raise ValueError(
            f"urns must be non-negative and sum to 1 along the last axis, got a minimum of "
            f"{urns.min():.3g} and sums of {urns.sum(-1).min():.3g} … {urns.sum(-1).max():.3g}; "
            "divide urns by urns.sum(-1, keepdim=True)"
        )


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
