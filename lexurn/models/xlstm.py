"""xLSTM (Beck et al. 2024, arXiv 2405.04517): LSTM cells with exponential gates in residual blocks.

The blocks whose numbers (from 0) are in `slstm_at` have an sLSTM cell followed by an MLP. The other
blocks have an mLSTM cell, which widens its input to `inner` channels. `lexurn.models.xlstm_cells`
has the recurrences. Positional encodings are not needed, because the state summarizes the past.
Parameters are those of the package `xlstm` 2.0, except that norms start at 1 here.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm, silu

from lexurn.base.shapes import Hidden
from lexurn.models.backbone import Backbone
from lexurn.models.convolution import convolve, convolve_step
from lexurn.models.hooks import HookPoint
from lexurn.models.initialization import (
    fill_forget_bias,
    fill_normal,
    fill_zeros,
    keep_constructed,
)
from lexurn.models.xlstm_cells import Gates, Heads, State, mlstm, mlstm_step, slstm_step
from lexurn.settings import XLSTMSettings

Row = Float[Tensor, "batch d"]


class Convolution(nn.Module):
    """A causal convolution of every channel over its last `d_conv` rows, followed by SiLU."""

    def __init__(self, width: int, d_conv: int):
        super().__init__()
        self.conv1d = nn.Conv1d(width, width, d_conv, groups=width)

    def forward(self, x: Hidden) -> Hidden:
        return convolve(self.conv1d, x)

    def step(self, x: Row, state: State) -> Row:
        return convolve_step(self.conv1d, x, state)


class Headwise(nn.Module):
    """A block-diagonal linear map: each of `n_groups` groups of channels is mapped to itself."""

    def __init__(self, width: int, n_groups: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_groups, width // n_groups, width // n_groups))

    def forward(self, x: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows width"]:
        groups = x.unflatten(-1, (len(self.weight), -1))
        return torch.einsum("...hi,hoi->...ho", groups, self.weight).flatten(-2)


class HeadNorm(nn.Module):
    """A LayerNorm over every head of every row, with a learned factor per channel."""

    def __init__(self, width: int, n_heads: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.n_heads = n_heads

    def forward(self, x: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows width"]:
        heads = x.unflatten(-1, (self.n_heads, -1))
        return layer_norm(heads, heads.shape[-1:]).flatten(-2) * self.weight


class MLSTM(nn.Module):
    def __init__(self, settings: XLSTMSettings):
        super().__init__()
        inner, self.n_heads = settings.inner, settings.n_heads
        self.up = nn.Linear(settings.d_model, 2 * inner, bias=False)
        self.convolution = Convolution(inner, settings.d_conv)
        self.q, self.k, self.v = (Headwise(inner, inner // settings.BLOCK) for _ in range(3))
        self.input_gate, self.forget_gate = (nn.Linear(3 * inner, self.n_heads) for _ in range(2))
        self.head_norm = HeadNorm(inner, self.n_heads)
        self.skip = nn.Parameter(torch.ones(inner))
        self.down = nn.Linear(inner, settings.d_model, bias=False)

    def forward(self, x: Hidden) -> Hidden:
        x, gate = self.up(x).chunk(2, -1)
        convolved = self.convolution(x)
        h = mlstm(*self.cell_inputs(x, convolved)).transpose(1, 2).flatten(2)
        return self.output(h, convolved, gate)

    def step(self, x: Row, state: State) -> Row:
        x, gate = self.up(x).chunk(2, -1)
        convolved = self.convolution.step(x, state)
        inputs = self.cell_inputs(x[:, None], convolved[:, None])
        h = mlstm_step(*(tensor.squeeze(2) for tensor in inputs), state).flatten(1)
        return self.output(h, convolved, gate)

    def cell_inputs(self, x: Hidden, convolved: Hidden) -> tuple[Heads, Heads, Heads, Gates, Gates]:
        """Return q, k, v, and the input and forget gates before exp and sigmoid."""
        qkv = (self.q(convolved), self.k(convolved), self.v(x))
        heads = (part.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for part in qkv)
        gate_inputs = torch.cat(qkv, -1)
        return *heads, self.input_gate(gate_inputs).mT, self.forget_gate(gate_inputs).mT

    def output(self, h: Tensor, convolved: Tensor, gate: Tensor) -> Tensor:
        return self.down((self.head_norm(h) + self.skip * convolved) * silu(gate))


class SLSTM(nn.Module):
    def __init__(self, settings: XLSTMSettings, block: int):
        super().__init__()
        width, self.n_heads = settings.d_model, settings.n_heads
        d_head = width // self.n_heads
        self.convolution = Convolution(width, settings.d_conv)
        self.i, self.f, self.z, self.o = (Headwise(width, self.n_heads) for _ in range(4))
        self.recurrent = nn.Parameter(torch.empty(self.n_heads, d_head, 4 * d_head))
        self.bias = nn.Parameter(torch.zeros(self.n_heads, 4 * d_head))
        depth = block / max(settings.n_layers - 1, 1)
        channels = torch.linspace(0, 1, d_head) ** (0.3 + 1.3 * depth)
        self.bias.data[:, d_head : 2 * d_head] = 5 - 12 * channels  # forget gates from 1 to 0
        self.head_norm = HeadNorm(width, self.n_heads)

    def forward(self, x: Hidden) -> Hidden:
        inputs = self.gate_inputs(x, self.convolution(x))
        state = {}
        rows = [slstm_step(row, self.recurrent, state) for row in inputs.unbind(2)]
        return self.output(torch.stack(rows, 2))

    def step(self, x: Row, state: State) -> Row:
        convolved = self.convolution.step(x, state)
        inputs = self.gate_inputs(x[:, None], convolved[:, None])[:, :, 0]
        return self.output(slstm_step(inputs, self.recurrent, state))

    def gate_inputs(self, x: Hidden, convolved: Hidden) -> Float[Tensor, "heads batch time gates"]:
        """Return the part of the gates i, f, z, o that does not depend on the state."""
        gates = (self.i(convolved), self.f(convolved), self.z(x), self.o(x))
        heads = torch.cat([gate.unflatten(-1, (self.n_heads, -1)) for gate in gates], -1)
        return (heads + self.bias).movedim(-2, 0)

    def output(self, h: Float[Tensor, "heads *rows d_head"]) -> Float[Tensor, "*rows d_model"]:
        return self.head_norm(h.movedim(0, -2).flatten(-2))


class MLP(nn.Module):
    def __init__(self, d_model: int, d_mlp: int):
        super().__init__()
        self.up = nn.Linear(d_model, 2 * d_mlp, bias=False)
        self.down = nn.Linear(d_mlp, d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.up(x).chunk(2, -1)
        return self.down(gelu(gate) * up)


class Block(nn.Module):
    def __init__(self, settings: XLSTMSettings, number: int):
        super().__init__()
        self.resid_pre = HookPoint("resid_pre")
        self.resid_mid = HookPoint("resid_mid")
        self.resid_post = HookPoint("resid_post")
        self.is_slstm = number in settings.slstm_at
        self.cell_norm = nn.LayerNorm(settings.d_model, bias=False)
        self.cell = SLSTM(settings, number) if self.is_slstm else MLSTM(settings)
        if self.is_slstm:
            self.mlp_norm = nn.LayerNorm(settings.d_model, bias=False)
            self.mlp = MLP(settings.d_model, settings.mlp_width)

    def forward(self, x: Hidden) -> Hidden:
        x = self.resid_pre(x)
        x = self.resid_mid(x + self.cell(self.cell_norm(x)))
        return self.resid_post(self.add_mlp(x))

    def step(self, x: Row, state: State) -> Row:
        return self.add_mlp(x + self.cell.step(self.cell_norm(x), state))

    def add_mlp(self, x: Tensor) -> Tensor:
        return x + self.mlp(self.mlp_norm(x)) if self.is_slstm else x


class XLSTM(Backbone):
    """A stack of mLSTM and sLSTM blocks and a last norm; d_out is d_model."""

    RESIDUAL_WRITERS = ("down.weight",)
    NO_WEIGHT_DECAY = ("cell.bias",)
    INITIALIZERS = {
        "input_gate.weight": fill_zeros,
        "input_gate.bias": fill_normal,
        "forget_gate.weight": fill_zeros,
        "forget_gate.bias": fill_forget_bias,
        "skip": keep_constructed,
        "recurrent": fill_zeros,
        "cell.bias": keep_constructed,
    }

    def __init__(self, settings: XLSTMSettings, *, n_rows: int | None = None):
        super().__init__()
        self.blocks = nn.Sequential(
            *(Block(settings, number) for number in range(settings.n_layers))
        )
        self.norm = nn.LayerNorm(settings.d_model, bias=False)

    def forward(self, x: Hidden) -> Hidden:
        return self.norm(self.blocks(x))

    def initial_state(self) -> list[State]:
        """Return an empty dict per block; `step` keeps in it the last rows and the cell's state."""
        return [{} for _ in self.blocks]

    def step(self, x: Row, state: list[State]) -> Row:
        for block, block_state in zip(self.blocks, state, strict=True):
            x = block.step(x, block_state)
        return self.norm(x)
