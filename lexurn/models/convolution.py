"""A causal convolution over time, one filter per channel, followed by SiLU.

The layer is a module without padding: row t sees the last `kernel_size` rows up to itself.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad, silu

from lexurn.base.shapes import Hidden


def convolve(layer: nn.Conv1d, x: Hidden) -> Hidden:
    """Return all rows of the convolution."""
    return silu(layer(pad(x.mT, (layer.kernel_size[0] - 1, 0)))).mT


def convolve_step(
    layer: nn.Conv1d, x: Float[Tensor, "batch d"], state: dict[str, Tensor]
) -> Float[Tensor, "batch d"]:
    """Return the next row of the convolution; `state["rows"]` keeps the last rows of the input."""
    rows = state.get("rows", x.new_zeros(*x.shape, layer.kernel_size[0]))
    state["rows"] = torch.cat([rows[..., 1:], x[..., None]], -1)
    return silu(layer(state["rows"])[..., 0])
