"""A linear backbone: the weight of row s in row t depends on t and s, never on the tokens.

A layer is out_t = Σ_{s ≤ t} M[t, s] W x_s + b_t, with one weight for every pair of positions and
one map W for all of them. The number of positions is fixed when the model is built. Without the
mask s ≤ t, a row would see the token that it has to predict.
"""

import torch
from torch import nn

from lexurn.base.shapes import Hidden
from lexurn.models.backbone import HookPoint, Stack, State, append_rows, fill_zeros
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
        mapped = append_rows(state, "mapped", self.map(self.resid_pre(x)))
        n = mapped.shape[1]
        rows = slice(n - x.shape[1], n)  # all, or the next one
        return self.resid_post(self.mix[:n, :n].tril()[rows] @ mapped + self.bias[rows])


class Linear(Stack):
    """A stack of linear layers over at most `n_rows` rows, without a norm."""

    NO_WEIGHT_DECAY = ("bias",)
    INITIALIZERS = {"bias": fill_zeros}

    def __init__(self, settings: LinearSettings, *, n_rows: int):
        super().__init__()
        self.layers = nn.Sequential(
            *(Layer(settings.d_model, n_rows) for _ in range(settings.n_layers))
        )
        self.norm = nn.Identity()
