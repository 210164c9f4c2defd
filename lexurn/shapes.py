"""Shapes of the tensors that modules hand to each other. Tests execute these annotations, runs do not.

Axes: batch (sequences), time (rows; row t has seen the tokens before t), vocab, tasks, colors.
"""

from collections.abc import Callable

from jaxtyping import Float, Float64, Int64
from torch import Tensor

Tokens = Int64[Tensor, "batch time"]
LogProbs = Float[Tensor, "batch time vocab"]
Counts = Float64[Tensor, "batch time vocab"]
Pool = Float64[Tensor, "tasks colors"]
Table = Float[Tensor, "vocab d_model"] | Float[Tensor, "#batch vocab d_model"]
Hidden = Float[Tensor, "batch time d_model"]

Predictor = Callable[[Tokens], LogProbs]
"""Anything that maps tokens to log-probabilities (nats); row t has seen `tokens[:, :t]` and nothing later."""
