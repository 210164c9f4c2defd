"""The mixture of exact predictors that is nearest to a model.

Mixtures are fitted to rows 1 … C of all sequences, by the mean KL(model ‖ mixture) in nats.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from lexurn.base import divergences
from lexurn.base.shapes import Predictor, Tokens

MAX_NEWTON_STEPS = 100
"""About 15 are enough."""


def mixture_weights(
    predictor: Predictor, references: Mapping[str, Predictor], tokens: Tokens
) -> dict[str, float]:
    """Return the weights of the references in the mixture nearest to a predictor, by their name.

    They have no errors, which makes them fast enough to use in training.
    """
    weights = fit_weights(*stack_log_probs(predictor, references, tokens))
    return dict(zip(references, weights.tolist(), strict=True))


def stack_log_probs(
    predictor: Predictor, references: Mapping[str, Predictor], tokens: Tokens
) -> tuple[Tensor, Tensor]:
    """Return log-probabilities of rows 1 … C: the predictor's and the references', stacked."""
    log_references = [
        divergences.as_double(reference(tokens))[:, 1:] for reference in references.values()
    ]
    return divergences.as_double(predictor(tokens))[:, 1:], torch.stack(log_references)


def fit_weights(
    log_model: Float[Tensor, "*rows vocab"], log_references: Float[Tensor, "references *rows vocab"]
) -> Float[Tensor, "references"]:
    """Return the weights w on the simplex that minimize the mean KL(model ‖ Σ w_i reference_i).

    The problem is convex. Because rows of the model add up to 1, minimizing the cross-entropy plus
    Σ w over w ≥ 0 gives weights that add up to 1. A primal-dual interior-point method with Newton
    steps solves it in float64 (Nocedal and Wright 2006, chapter 19). A weight of 0 is returned as
    1e-5 or less. Where a reference is 0 it counts as e^−700, so that derivatives stay finite.
    """
    model = log_model.cpu().double().exp().flatten()  # rows · vocab
    references = log_references.cpu().double().clamp_min(-700).exp().flatten(1)
    model = model / log_model.shape[:-1].numel()
    n = len(references)
    weights = torch.full((n,), 1 / n, dtype=torch.float64)
    slacks = torch.ones(n, dtype=torch.float64)  # multipliers of w ≥ 0
    for _ in range(MAX_NEWTON_STEPS):
        ratios = references / (weights @ references)
        gradient = 1 - ratios @ model
        barrier = 0.1 * (weights @ slacks) / n
        if barrier < 1e-11 and (gradient - slacks).abs().max() < 1e-9:
            break
        hessian = (ratios * model) @ ratios.T + torch.diag(slacks / weights)
        step = torch.linalg.solve(hessian, barrier / weights - gradient)
        slack_step = barrier / weights - slacks - slacks / weights * step
        weights = weights + _fraction(weights, step) * step
        slacks = slacks + _fraction(slacks, slack_step) * slack_step
    return weights / weights.sum()


def _fraction(values: Tensor, step: Tensor) -> float:
    """Return the largest fraction of a step up to 1 after which values keep 5 % of their size."""
    return min(1.0, 0.95 / (-step / values).max().clamp_min(1e-300).item())
