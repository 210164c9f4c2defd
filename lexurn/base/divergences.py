"""Divergences between predictors, computed from log-probabilities, in nats.

Inputs are log-probabilities over the last axis and broadcast; results drop it. Computed in float64
with 0 ln 0 = 0 and no epsilon: where q is 0 and p is not, KL is infinite. Symmetrized KL is no
metric. No result is negative: where rounding leaves a sum at about -1e-17, the result is 0.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

LogP = Float[Tensor, "*#any vocab"]


def kl(log_p: LogP, log_q: LogP) -> Float[Tensor, "*#any"]:
    """KL(p ‖ q) = Σ p (ln p − ln q)."""
    return _sum_terms(log_p, log_q).clamp_min(0)


def _sum_terms(log_p: LogP, log_q: LogP) -> Float[Tensor, "*#any"]:
    """Return Σ p (ln p − ln q), which rounding can make slightly negative.

    Probabilities in single precision add up to 1 ± 1e-7, which moves this sum by the same amount,
    but not the sum over both directions. Symmetrized KL therefore clamps the latter, not each
    direction.
    """
    log_p, log_q = as_double(log_p), as_double(log_q)
    terms = log_p.exp() * (log_p - log_q)
    return torch.where(log_p == -torch.inf, 0.0, terms).sum(-1)


def symmetrized_kl(log_p: LogP, log_q: LogP) -> Float[Tensor, "*#any"]:
    """½ KL(p ‖ q) + ½ KL(q ‖ p)."""
    return ((_sum_terms(log_p, log_q) + _sum_terms(log_q, log_p)) / 2).clamp_min(0)


def entropy(log_p: LogP) -> Float[Tensor, "*#any"]:
    """−Σ p ln p."""
    return (-torch.special.xlogy(p := as_double(log_p).exp(), p).sum(-1)).clamp_min(0)


def negative_log_likelihood(
    log_probs: Float[Tensor, "batch time vocab"], tokens: Int64[Tensor, "batch time"]
) -> Float[Tensor, "batch time"]:
    """Return −ln p(x_t | x_<t) at every row, in the precision of `log_probs`."""
    return -log_probs.gather(-1, tokens[..., None]).squeeze(-1)


def as_double(log_p: Tensor) -> Tensor:
    """Return a tensor as float64; it moves to the CPU if its device has no float64."""
    return log_p.cpu().double() if log_p.device.type == "mps" else log_p.double()
