"""A bag of embeddings: each row sees the mean of the embedded tokens so far, in no order.

    h_t = mean(x_0, …, x_t),      out_t = h_t + MLP_L( … MLP_1(h_t))

This is a baseline of the original urns repository (alexkstern/Lexurn, f157c87): the counts are all
that an urn's optimal predictors need.
"""

from torch import Tensor, nn

from lexurn.base.shapes import Hidden
from lexurn.models.backbone import Backbone, State, running_sums
from lexurn.settings import BagSettings


class Bag(Backbone):
    """Running means, then residual MLPs with GELU."""

    RESIDUAL_WRITERS = ("down.weight",)

    def __init__(self, settings: BagSettings, *, n_rows: int):
        super().__init__()
        self.layers = nn.Sequential(
            *(MLP(settings.d_model, settings.mlp_width) for _ in range(settings.n_layers))
        )
        self.norm = nn.LayerNorm(settings.d_model)

    def forward(self, x: Hidden, state: State | None = None) -> Hidden:
        sums, numbers = running_sums(x, state)
        return self.norm(self.layers(sums / numbers[:, None]))


class MLP(nn.Module):
    """x + down(GELU(up(norm x)))."""

    def __init__(self, d_model: int, d_mlp: int):
        super().__init__()
        self.norm = nn.LayerNorm(d_model)
        self.up = nn.Linear(d_model, d_mlp)
        self.down = nn.Linear(d_mlp, d_model)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(nn.functional.gelu(self.up(self.norm(x))))
