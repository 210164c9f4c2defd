"""A linear backbone: the weight of row s in row t depends on t and s, never on the tokens.

A layer is out_t = Σ_{s ≤ t} M[t, s] W x_s + b_t, with one weight for every pair of positions and
one map W for all of them. The number of positions is fixed when the model is built. Without the
mask s ≤ t, a row would see the token that it has to predict.
"""

import torch
from torch import nn

from lexurn.base.shapes import Hidden
from lexurn.models.backbone import HookPoint, Stack, State, fill_zeros
from lexurn.settings import LinearSettings


class Layer(nn.Module):
    def __init__(self, d_model: int, n_rows: int):
        super().__init__()
        self.resid_pre = HookPoint("resid_pre")
        self.resid_post = HookPoint("resid_post")
        self.mix = nn.Parameter(torch.empty(n_rows, n_rows))
        self.map = nn.Linear(d_model, d_model, bias=False)
        self.bias = nn.Parameter(torch.empty(n_rows, d_model))

    def forward(self, x: Hidden, state: State | None = None) -> Hidden:
        """Map all rows or, with a state, the next row; `state["mapped"]` keeps W x_s so far."""
        mapped = self.map(self.resid_pre(x))
        if state is None:
            n = x.shape[1]
            return self.resid_post(self.mix[:n, :n].tril() @ mapped + self.bias[:n])
        state["mapped"] = torch.cat([state.get("mapped", mapped[:, :0]), mapped], 1)
        row = state["mapped"].shape[1] - 1
        mixed = torch.einsum("s,bsd->bd", self.mix[row, : row + 1], state["mapped"])
        return self.resid_post((mixed + self.bias[row])[:, None])


class Linear(Stack):
    """A stack of linear layers over at most `n_rows` rows, without a norm."""

    NO_WEIGHT_DECAY = ("bias",)
    INITIALIZERS = {"bias": fill_zeros}

    def __init__(self, settings: LinearSettings, *, n_rows: int):
        super().__init__()
        self.n_rows = n_rows
        self.layers = nn.Sequential(
            *(Layer(settings.d_model, n_rows) for _ in range(settings.n_layers))
        )
        self.norm = nn.Identity()

    def forward(self, x: Hidden) -> Hidden:
        if x.shape[1] > self.n_rows:
            raise ValueError(
                f"linear layers were built for {self.n_rows} rows, got {x.shape[1]}; "
                "raise context_length"
            )
        return super().forward(x)
