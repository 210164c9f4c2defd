"""Exact predictors for urns: p(x_t | x_<t) under different priors. All depend on prefix counts n_v alone.

    Generalizing   integrates over a Dirichlet prior        (n_v + α_v) / (t + Σ α)
    Memorizing     sums over a finite pool of urns          Σ_d w_d θ_d,   w_d ∝ Π_v θ_dv^n_v
    Uniform        has seen nothing and never will          1 / V
    Empirical      repeats what it has seen                 n_v / t

Row t has seen tokens[:, :t]; row 0 is the prior predictive. Results are float64 on the tokens' device (CPU for mps).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from lexurn.base.shapes import Counts, LogProbs, Pool, Tokens, check_tokens
from lexurn.generators.urns import Urns

CHUNK = 2**18
"""Most float64 numbers in a temporary: 2 MiB, reused and in the cache (fresh memory for every chunk is slower)."""


def prefix_counts(tokens: Tokens, n_colors: int) -> Counts:
    """How often each colour stands before each row: (batch, time, colors) in float64; row 0 is zero."""
    check_tokens(tokens, n_colors)
    tokens = tokens.cpu() if tokens.device.type == "mps" else tokens
    counts = torch.zeros(*tokens.shape, n_colors, dtype=torch.float64, device=tokens.device)
    counts[:, 1:].scatter_(-1, tokens[:, :-1, None], 1.0)
    return counts.cumsum_(1)


class Generalizing:
    """Bayes under the Dirichlet prior that urns are drawn from: the optimum where every sequence has a fresh urn."""

    def __init__(self, n_colors: int, alpha: float | Sequence[float] = 1.0):
        self.n_colors = n_colors
        self.alpha = torch.tensor(Urns(n_colors, alpha).alphas, dtype=torch.float64)

    def __call__(self, tokens: Tokens) -> LogProbs:
        mass = prefix_counts(tokens, self.n_colors)
        mass += self.alpha.to(mass.device)
        return (mass / mass.sum(-1, keepdim=True)).log_()


class Memorizing:
    """Bayes under the uniform prior over a pool of urns: the optimum of a model trained on that pool."""

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
    """1/V whatever has been seen."""

    def __init__(self, n_colors: int):
        self.n_colors = n_colors

    def __call__(self, tokens: Tokens) -> LogProbs:
        return -prefix_counts(tokens, self.n_colors).fill_(self.n_colors).log_()


class Empirical:
    """Frequencies of what has been seen: row 0 is uniform, a colour not seen has log-probability −inf."""

    def __init__(self, n_colors: int):
        self.n_colors = n_colors

    def __call__(self, tokens: Tokens) -> LogProbs:
        counts = prefix_counts(tokens, self.n_colors)
        counts[:, 0] = 1.0
        return (counts / counts.sum(-1, keepdim=True)).log_()


def floored_log(probs: Tensor) -> Tensor:
    """ln p, with p below 1e-300 taken as 1e-300, so that 0 · ln 0 = 0 in products of counts with logs.

    What changes: an urn that cannot give a seen ball keeps a likelihood of about e^−690 per such ball, which decides
    only where every urn of the pool is impossible.
    """
    return probs.clamp_min(1e-300).log()


def check_urns(urns: Pool) -> None:
    if urns.ndim != 2 or urns.dtype != torch.float64:
        raise ValueError(
            f"urns must be float64 of the shape (tasks, colors), got {urns.dtype} {tuple(urns.shape)}; "
            "use .double(), and [None] for a single urn"
        )
    if not ((urns >= 0).all() and (urns.sum(-1) - 1).abs().max() < 1e-9):
        raise ValueError("urns must be non-negative and sum to 1 along the last axis (float64)")
