"""The mixture of exact predictors that is nearest to a model, with the KL that remains.

Mixtures are fitted to rows 1 … C of all sequences, by the mean KL(model ‖ mixture) in nats.
"""

from collections.abc import Mapping

import pandas as pd
import torch
from torch import Tensor

from lexurn.base import divergences
from lexurn.base.shapes import Predictor, Tokens

N_BLOCKS = 10
"""Number of blocks of sequences that the jackknife leaves out in turn."""

BOUNDARY = 1e-3
"""A smaller mixture weight counts as lying at the boundary of the simplex."""


def nearest_mixture(
    predictor: Predictor, references: Mapping[str, Predictor], tokens: Tokens
) -> pd.DataFrame:
    """Return reference, weight, sem and n of the mixture nearest to a predictor on rows 1 … C.

    The mixture has the smallest mean KL(predictor ‖ mixture). The standard error comes from a
    jackknife over `N_BLOCKS` blocks of sequences. It is NaN for a weight at the boundary (below
    `BOUNDARY`), where the jackknife is not valid.
    """
    log_model, log_references = _log_probs(predictor, references, tokens)
    weights = divergences.mixture_weights(log_model, log_references)
    blocks = torch.arange(len(tokens)) % min(N_BLOCKS, len(tokens))
    leave_one_out = []
    for block in blocks.unique():
        keep = blocks != block
        leave_one_out.append(divergences.mixture_weights(log_model[keep], log_references[:, keep]))
    sem = ((len(leave_one_out) - 1) * torch.stack(leave_one_out).var(0, correction=0)).sqrt()
    sem[weights < BOUNDARY] = torch.nan
    columns = {"reference": list(references), "weight": weights.tolist(), "sem": sem.tolist()}
    return pd.DataFrame({**columns, "n": len(tokens)})


def mixture_weights(
    predictor: Predictor, references: Mapping[str, Predictor], tokens: Tokens
) -> dict[str, float]:
    """Return the weights of `nearest_mixture` without errors: fast enough to use in training."""
    weights = divergences.mixture_weights(*_log_probs(predictor, references, tokens))
    return dict(zip(references, weights.tolist(), strict=True))


def kl_from_mixture(
    predictor: Predictor,
    references: Mapping[str, Predictor],
    tokens: Tokens,
    *,
    weights: Mapping[str, float],
) -> float:
    """Return the mean KL(predictor ‖ mixture with `weights`) over rows 1 … C, in nats."""
    log_model, log_references = _log_probs(predictor, references, tokens)
    ordered = torch.tensor([weights[name] for name in references], dtype=log_references.dtype)
    mixed = (log_references.cpu() + ordered.log()[:, None, None, None]).logsumexp(0)
    return divergences.kl(log_model.cpu(), mixed).mean().item()


def _log_probs(
    predictor: Predictor, references: Mapping[str, Predictor], tokens: Tokens
) -> tuple[Tensor, Tensor]:
    """Return log-probabilities of rows 1 … C: the predictor's and the references', stacked."""
    log_references = [
        divergences.as_double(reference(tokens))[:, 1:] for reference in references.values()
    ]
    return divergences.as_double(predictor(tokens))[:, 1:], torch.stack(log_references)
