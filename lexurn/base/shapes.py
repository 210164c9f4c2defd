"""Shapes of the tensors that modules hand to each other. Tests execute these annotations, runs do not.

Axes: batch (sequences), time (rows; row t has seen the tokens before t), vocab, words (of the vocab, those that are
no special tokens), tasks, colors.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

Tokens = Int64[Tensor, "batch time"]
LogProbs = Float[Tensor, "batch time vocab"]
Counts = Float64[Tensor, "batch time vocab"]
Pool = Float64[Tensor, "tasks colors"]
Table = Float[Tensor, "words d_model"] | Float[Tensor, "#batch words d_model"]
Hidden = Float[Tensor, "batch time d_model"]


State = dict[str, Tensor]
"""Everything that a training needs to go on as if it had never stopped."""


def check_tokens(tokens: Tensor, vocab_size: int) -> None:
    """Raise TypeError or ValueError, saying what to do, unless a predictor over `vocab_size` tokens can take these."""
    if not isinstance(tokens, Tensor) or tokens.dtype != torch.int64:
        came = str(tokens.dtype) if isinstance(tokens, Tensor) else type(tokens).__name__
        raise TypeError(
            f"tokens must be a torch tensor of int64, got {came}; use torch.as_tensor(tokens).long()"
        )
    if tokens.ndim != 2 or tokens.shape[1] == 0:
        raise ValueError(
            f"tokens must have the shape (batch, time), got {tuple(tokens.shape)}; use tokens[None] for one"
        )
    if tokens.numel() and not 0 <= int(tokens.min()) <= int(tokens.max()) < vocab_size:
        raise ValueError(
            f"tokens must lie in 0 … {vocab_size - 1}, got {int(tokens.min())} … {int(tokens.max())}; "
            "was the predictor made for another vocabulary?"
        )


Predictor = Callable[[Tokens], LogProbs]
"""Anything that maps tokens to log-probabilities (nats); row t has seen `tokens[:, :t]` and nothing later."""
