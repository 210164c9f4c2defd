"""The mixture of exact predictors that is nearest to a model.

Mixtures are fitted to rows 1 … C of all sequences, by the mean KL(model ‖ mixture) in nats.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from lexurn.base import divergences
from lexurn.base.shapes import Predictor, Tokens


def mixture_weights(
    predictor: Predictor, references: Mapping[str, Predictor], tokens: Tokens
) -> dict[str, float]:
    """Return the weights of `nearest_mixture` without errors: fast enough to use in training."""
    weights = divergences.mixture_weights(*stack_log_probs(predictor, references, tokens))
    return dict(zip(references, weights.tolist(), strict=True))


def stack_log_probs(
    predictor: Predictor, references: Mapping[str, Predictor], tokens: Tokens
) -> tuple[Tensor, Tensor]:
    """Return log-probabilities of rows 1 … C: the predictor's and the references', stacked."""
    log_references = [
        divergences.as_double(reference(tokens))[:, 1:] for reference in references.values()
    ]
    return divergences.as_double(predictor(tokens))[:, 1:], torch.stack(log_references)
