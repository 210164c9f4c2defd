"""Shapes of the tensors that modules exchange. Tests check the annotations, runs do not.

Axes: batch (sequences), time (rows; row t has seen the tokens before t), vocab (all tokens),
symbols (the tokens of the vocabulary that are not special), tasks (urns), colors.
"""

from collections.abc import Callable

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
