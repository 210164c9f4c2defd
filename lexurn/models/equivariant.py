"""A network that is equivariant by construction: one small MLP that all channels share.

    n_c      the sum of channel c over the rows so far, without the start vector's row
    out_c  = f(n_c, sorted n)

With one-hot tables n_c counts the token whose name is c, and names enter nowhere else. Whatever the
weights are, renaming the tokens renames the prediction. Because S depends on n_c and the sorted
counts alone, a wide enough f represents S for every pool: a positive control for models that have
to learn this symmetry. The sums enter as ln(1 + |n|) and as shares of the rows so far.
"""

import torch
from torch import nn

from lexurn.base.shapes import Hidden
from lexurn.models.backbone import Backbone, State, running_sums
from lexurn.settings import EquivariantSettings


class Equivariant(Backbone):
    """An MLP with `n_layers` hidden layers and GELU, applied to every channel by itself."""

    def __init__(self, settings: EquivariantSettings, *, n_rows: int):
        super().__init__()
        widths = [2 * (1 + settings.d_model), *[settings.mlp_width] * settings.n_layers]
        self.layers = nn.ModuleList(
            nn.Linear(first, second) for first, second in zip(widths, widths[1:], strict=False)
        )
        self.last = nn.Linear(widths[-1], 1)

    def forward(self, x: Hidden, state: State | None = None) -> Hidden:
        is_start = state is None or not state
        if is_start:  # the start vector's row counts nothing
            x = torch.cat([torch.zeros_like(x[:, :1]), x[:, 1:]], 1)
        sums, numbers = running_sums(x, state)
        own = sums[..., None]
        others = sums.sort(-1, descending=True).values[..., None, :].expand(*sums.shape, -1)
        features = torch.cat([own, others], -1)  # batch time d_model 1+d_model
        shares = features / (numbers - 1).clamp_min(1)[:, None, None]
        hidden = torch.cat([features.abs().log1p(), shares], -1)
        for layer in self.layers:
            hidden = nn.functional.gelu(layer(hidden))
        return self.last(hidden)[..., 0]
