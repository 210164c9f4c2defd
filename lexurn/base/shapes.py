"""Shapes of the tensors that modules exchange, and checks of what predictors take and return.

Tests check the annotations, runs do not.

Axes: batch (sequences), time (rows; row t has seen the tokens before t), vocab (all tokens),
symbols (the tokens of the vocabulary that are not special), tasks (urns), colors.
"""

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

Tokens = Int64[Tensor, "batch time"]
LogProbs = Float[Tensor, "batch time vocab"]
Counts = Float64[Tensor, "batch time vocab"]
Pool = Float64[Tensor, "tasks colors"]
Table = Float[Tensor, "symbols d_model"] | Float[Tensor, "#batch symbols d_model"]
Hidden = Float[Tensor, "batch time d_model"]

State = dict[str, Tensor]
"""Tensors by name: the weights of a model, or everything that a training needs to resume."""

Predictor = Callable[[Tokens], LogProbs]
"""A map from tokens to log-probabilities in nats; row t has seen `tokens[:, :t]` and no more."""


def check_tokens(tokens: Tensor, vocab_size: int) -> None:
    """Raise TypeError or ValueError if a predictor of `vocab_size` tokens cannot take `tokens`."""
    if not isinstance(tokens, Tensor) or tokens.dtype != torch.int64:
        kind = str(tokens.dtype) if isinstance(tokens, Tensor) else type(tokens).__name__
        raise TypeError(
            f"tokens must be a torch tensor of int64, got {kind}; "
            "use torch.as_tensor(tokens).long()"
        )
    if tokens.ndim != 2 or tokens.shape[1] == 0:
        raise ValueError(
            f"tokens must have the shape (batch, time), got {tuple(tokens.shape)}; "
            "use tokens[None] for a single sequence"
        )
    if tokens.numel() and not 0 <= int(tokens.min()) <= int(tokens.max()) < vocab_size:
        raise ValueError(
            f"tokens must lie in 0 … {vocab_size - 1}, got {int(tokens.min())} … "
            f"{int(tokens.max())}; was the predictor made for another vocabulary?"
        )


def check_log_probs(log_probs: Any, log_references: Mapping[str, LogProbs]) -> None:
    """Raise TypeError or ValueError if these are no log-probabilities, or of another shape."""
    if not isinstance(log_probs, Tensor):
        raise TypeError(
            "a predictor must return a torch tensor of log-probabilities, "
            f"got {type(log_probs).__name__}; use torch.as_tensor(...)"
        )
    for reference in log_references.values():
        if log_probs.shape != reference.shape:
            raise ValueError(
                "a predictor must return (batch, time, vocab) = "
                f"{tuple(reference.shape)} here, got {tuple(log_probs.shape)}"
            )
    if log_probs.isnan().any():
        raise ValueError(
            "a predictor must return log-probabilities, got nan; a probability of 0 is -inf"
        )
    sums = log_probs.double().exp().sum(-1).flatten()
    deviations = (sums - 1).abs().nan_to_num(inf)
    if deviations.max() > 1e-3:
        raise ValueError(
            "a predictor must return log-probabilities whose exponentials add up to 1, but one row "
            f"adds up to {sums[deviations.argmax()].item():.4g}; use .log_softmax(-1)"
        )


def check_causal(predictor: Predictor, tokens: Tokens, *, vocab_size: int) -> None:
    """Raise ValueError if row t has seen token t, which makes any predictor look good.

    The check changes the second half of a few sequences.
    """
    sample, half = tokens[:4], tokens.shape[1] // 2
    changed = torch.cat([sample[:, :half], (sample[:, half:] + 1) % vocab_size], 1)
    probs, changed_probs = (predictor(batch)[:, : half + 1].exp() for batch in (sample, changed))
    depends = (probs - changed_probs).abs().amax((0, 2)) > 1e-3
    if depends.any():
        raise ValueError(
            "a predictor must be a function of the tokens before each row, but row "
            f"{int(depends.nonzero()[0])} changes when only tokens[:, {half}:] change; "
            "row t may use only tokens[:, :t]"
        )
