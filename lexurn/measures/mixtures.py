"""The mixture of exact predictors that is nearest to a model.

Mixtures are fitted to rows 1 … C of all sequences, by the mean KL(model ‖ mixture) in nats.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from scipy.optimize import minimize
from torch import Tensor

from lexurn.base import divergences
from lexurn.base.shapes import Predictor, Tokens


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

    best = minimize(
        loss_and_gradient,
        [0.0] * len(log_references),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 1000, "ftol": 0.0, "gtol": 1e-9},
    )
    return torch.tensor(best.x).softmax(0)
