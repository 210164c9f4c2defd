"""Divergences between predictors, computed from log-probabilities, in nats.

Inputs are log-probabilities over the last axis and broadcast; results drop it. Computed in float64
with 0 ln 0 = 0 and no epsilon: where q is 0 and p is not, KL is infinite. Symmetrized KL is no
metric. No result is negative: where rounding leaves a sum at about -1e-17, the result is 0.
"""

from math import log

import torch
from jaxtyping import Float, Int64
from scipy.optimize import minimize
from torch import Tensor

LogP = Float[Tensor, "*#any vocab"]


def kl(log_p: LogP, log_q: LogP) -> Float[Tensor, "*#any"]:
    """KL(p ‖ q) = Σ p (ln p − ln q)."""
    return _sum_terms(log_p, log_q).clamp_min(0)


def _sum_terms(log_p: LogP, log_q: LogP) -> Float[Tensor, "*#any"]:
    """Return Σ p (ln p − ln q), which rounding can make slightly negative.

    Probabilities in single precision add up to 1 ± 1e-7, which moves this sum by the same amount,
    but not the sum over both directions. Symmetric divergences therefore clamp the latter, not
    each direction.
    """
    log_p, log_q = as_double(log_p), as_double(log_q)
    terms = log_p.exp() * (log_p - log_q)
    return torch.where(log_p == -torch.inf, 0.0, terms).sum(-1)


def symmetrized_kl(log_p: LogP, log_q: LogP) -> Float[Tensor, "*#any"]:
    """½ KL(p ‖ q) + ½ KL(q ‖ p)."""
    return ((_sum_terms(log_p, log_q) + _sum_terms(log_q, log_p)) / 2).clamp_min(0)


def jensen_shannon(log_p: LogP, log_q: LogP) -> Float[Tensor, "*#any"]:
    """Return ½ KL(p ‖ m) + ½ KL(q ‖ m) with m = (p + q) / 2; it lies between 0 and ln 2."""
    log_p, log_q = torch.broadcast_tensors(as_double(log_p), as_double(log_q))
    log_m = torch.stack([log_p, log_q]).logsumexp(0) - log(2)
    return ((_sum_terms(log_p, log_m) + _sum_terms(log_q, log_m)) / 2).clamp(0, log(2))


def total_variation(log_p: LogP, log_q: LogP) -> Float[Tensor, "*#any"]:
    """Return ½ Σ |p − q|; it lies between 0 and 1."""
    return (as_double(log_p).exp() - as_double(log_q).exp()).abs().sum(-1) / 2


def entropy(log_p: LogP) -> Float[Tensor, "*#any"]:
    """−Σ p ln p."""
    return (-torch.special.xlogy(p := as_double(log_p).exp(), p).sum(-1)).clamp_min(0)


def mixture_weights(
    log_model: Float[Tensor, "*rows vocab"], log_references: Float[Tensor, "references *rows vocab"]
) -> Float[Tensor, "references"]:
    """Return the weights w on the simplex that minimize the mean KL(model ‖ Σ w_i reference_i).

    The problem is convex in w and is solved over softmax logits by L-BFGS in float64. A vertex of
    the simplex lies at infinite logits, so a weight of 0 is returned as about 1e-6. Where a
    reference is 0 it counts as e^−700, so that gradients stay finite.
    """
    model = log_model.cpu().double().exp().flatten()  # rows · vocab
    references = log_references.cpu().double().clamp_min(-700).exp().flatten(1)
    n_rows = log_model.shape[:-1].numel()

    def loss_and_gradient(logits):
        """Return the cross-entropy, which is the KL plus the model's entropy, and its gradient."""
        weights = torch.tensor(logits, dtype=torch.float64).softmax(0)
        mixed = weights @ references
        slopes = references @ (model / mixed) / n_rows  # −∂loss/∂w
        loss = -torch.xlogy(model, mixed).sum() / n_rows
        return loss.item(), (weights * (weights @ slopes - slopes)).numpy()

    start = torch.zeros(len(log_references), dtype=torch.float64).numpy()
    best = minimize(
        loss_and_gradient,
        start,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 1000, "ftol": 0.0, "gtol": 1e-9},
    )
    return torch.tensor(best.x).softmax(0)


def negative_log_likelihood(
    log_probs: Float[Tensor, "batch time vocab"], tokens: Int64[Tensor, "batch time"]
) -> Float[Tensor, "batch time"]:
    """Return −ln p(x_t | x_<t) at every row, in the precision of `log_probs`."""
    return -log_probs.gather(-1, tokens[..., None]).squeeze(-1)


def as_double(log_p: Tensor) -> Tensor:
    """Return a tensor as float64; it moves to the CPU if its device has no float64."""
    return log_p.cpu().double() if log_p.device.type == "mps" else log_p.double()
