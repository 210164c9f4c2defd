"""Whether a predictor returns what evaluation needs: log-probabilities, and no look ahead."""

from collections.abc import Mapping
from math import inf
from typing import Any

import torch
from torch import Tensor

from lexurn.base.shapes import LogProbs, Predictor, Tokens


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
