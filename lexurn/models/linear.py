"""A linear backbone: the weight of row s in row t depends on t and s, never on the tokens.

A layer is out_t = Σ_{s ≤ t} M[t, s] W x_s + b_t, with one weight for every pair of positions and
one map W for all of them. The number of positions is fixed when the model is built. Without the
mask s ≤ t, a row would see the token that it has to predict.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lexurn.base.shapes import Hidden
from lexurn.models.backbone import Backbone
from lexurn.models.hooks import HookPoint
from lexurn.models.initialization import fill_zeros
from lexurn.settings import LinearSettings

Row = Float[Tensor, "batch d_model"]


class Layer(nn.Module):
    def __init__(self, d_model: int, n_rows: int):
        super().__init__()
        self.resid_pre = HookPoint("resid_pre")
        self.resid_post = HookPoint("resid_post")
        self.mix = nn.Parameter(torch.empty(n_rows, n_rows))
        self.map = nn.Linear(d_model, d_model, bias=False)
        self.bias = nn.Parameter(torch.empty(n_rows, d_model))

    def forward(self, x: Hidden) -> Hidden:
        n = x.shape[1]
        mixed = self.mix[:n, :n].tril() @ self.map(self.resid_pre(x))
        return self.resid_post(mixed + self.bias[:n])

    def step(self, x: Row, mapped_rows: list[Row]) -> Row:
        mapped_rows.append(self.map(x))
        row = len(mapped_rows) - 1
        weights = self.mix[row, : row + 1]
        return torch.einsum("s,bsd->bd", weights, torch.stack(mapped_rows, 1)) + self.bias[row]


class Linear(Backbone):
    """A stack of linear layers over at most `n_rows` rows; d_out is d_model."""

    NO_WEIGHT_DECAY = ("bias",)
    INITIALIZERS = {"bias": fill_zeros}

    def __init__(self, settings: LinearSettings, *, n_rows: int):
        super().__init__()
        self.n_rows = n_rows
        self.layers = nn.Sequential(
            *(Layer(settings.d_model, n_rows) for _ in range(settings.n_layers))
        )

    def forward(self, x: Hidden) -> Hidden:
        if x.shape[1] > self.n_rows:
            raise ValueError(
                f"linear layers were built for {self.n_rows} rows, got {x.shape[1]}; "
                "raise context_length"
            )
        return self.layers(x)

    def initial_state(self) -> list[list[Row]]:
        """Return for every layer the list of rows that it has mapped so far."""
        return [[] for _ in self.layers]

    def step(self, x: Row, state: list[list[Row]]) -> Row:
        for layer, mapped_rows in zip(self.layers, state, strict=True):
            x = layer.step(x, mapped_rows)
        return x
