"""Nothing but linear maps: what row t takes from row s depends on t and s, and never on what stands there.

A layer is out_t = Σ_{s ≤ t} M[t, s] W x_s + b_t, with a weight for each pair of places and one map W for all of them.
It knows as many places as it was built for. Without the mask s ≤ t a row would see the token that it is to predict.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lexurn.base.shapes import Hidden
from lexurn.models.hooks import Place
from lexurn.models.initialization import zeros
from lexurn.settings import LinearSettings


class Layer(nn.Module):
    def __init__(self, d_model: int, n_rows: int):
        super().__init__()
        self.resid_pre, self.resid_post = Place("resid_pre"), Place("resid_post")
        self.mix = nn.Parameter(torch.empty(n_rows, n_rows))
        self.map = nn.Linear(d_model, d_model, bias=False)
        self.bias = nn.Parameter(torch.empty(n_rows, d_model))

    def forward(self, x: Hidden) -> Hidden:
        n = x.shape[1]
        return self.resid_post(
            self.mix[:n, :n].tril() @ self.map(self.resid_pre(x)) + self.bias[:n]
        )

    def step(
        self, x: Float[Tensor, "batch d_model"], before: list[Tensor]
    ) -> Float[Tensor, "batch d_model"]:
        before.append(self.map(x))
        row = len(before) - 1
        return (
            torch.einsum("s,bsd->bd", self.mix[row, : row + 1], torch.stack(before, 1))
            + self.bias[row]
        )


class Linear(nn.Module):
    """Hidden vectors (batch time d_model) to the same; row t depends on rows 0 … t, of which there are `n_rows`."""

    RESIDUAL, PLAIN = (), ("bias",)
    INITIAL = {"bias": zeros}

    def __init__(self, settings: LinearSettings, *, n_rows: int):
        super().__init__()
        self.n_rows = n_rows
        self.layers = nn.Sequential(
            *(Layer(settings.d_model, n_rows) for _ in range(settings.n_layers))
        )

    def forward(self, x: Hidden) -> Hidden:
        if x.shape[1] > self.n_rows:
            raise ValueError(
                f"linear layers were built for {self.n_rows} rows, got {x.shape[1]}; raise context_length"
            )
        return self.layers(x)

    def begin(self) -> list[list[Tensor]]:
        """The state before the first row: what every layer has mapped so far."""
        return [[] for _ in self.layers]

    def step(
        self, x: Float[Tensor, "batch d_model"], state: list[list[Tensor]]
    ) -> Float[Tensor, "batch d_model"]:
        """The next row; the state goes on to it."""
        for layer, before in zip(self.layers, state, strict=True):
            x = layer.step(x, before)
        return x
