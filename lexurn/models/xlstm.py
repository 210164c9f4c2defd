"""xLSTM (Beck et al. 2024, arXiv 2405.04517): LSTM cells with exponential gates in residual blocks.

The blocks whose numbers (from 0) are in `slstm_at` have an sLSTM cell followed by an MLP. The other
blocks have an mLSTM cell, which widens its input to `inner` channels. Positional encodings are not
needed, because the state summarizes the past. Parameters are those of the package `xlstm` 2.0,
except that norms start at 1 here. Convolutions stand in a `ModuleDict`, so that their weights have
the names that stored runs have. The recurrences:

    mLSTM   a head stores a matrix: C_t = f_t C_{t−1} + i_t k_t v_tᵀ, n_t = f_t n_{t−1} + i_t k_t,
            and is read by a query: h_t = qᵀC_t / max(|qᵀn_t|, 1). Its gates do not depend on its
            state, so all rows can be computed at once.
    sLSTM   a channel stores a number: c_t = f_t c_{t−1} + i_t z_t, n_t = f_t n_{t−1} + i_t,
            h_t = o_t c_t / n_t. Its gates depend on h_{t−1} of its head, so rows are computed one
            after the other.

The gates are f = sigmoid and i = exp. With m_t, the largest log gate so far, numerator and
denominator are scaled down by the same factor, so that nothing overflows.
"""

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn.functional import gelu, layer_norm, logsigmoid, silu

from lexurn.base.shapes import Hidden
from lexurn.models.backbone import (
    Convolution,
    HookPoint,
    Stack,
    State,
    append_rows,
    fill_zeros,
    keep_constructed,
)
from lexurn.settings import XLSTMSettings

EPSILON = 1e-6
"""Added to the denominators of mLSTM, as in the package `xlstm`."""

MAX_LOG_SCALE = 60.0
"""The scaled 1 in the denominator of mLSTM is exp(min(−m, this)): a larger one would overflow, and
dividing by this one already gives 0."""

Heads = Float[Tensor, "batch heads time d_head"]
Gates = Float[Tensor, "batch heads time"]


def fill_normal(weight: Tensor, generator: Generator) -> None:
    """Draw from a normal distribution with standard deviation 0.1."""
    weight.normal_(std=0.1, generator=generator)


def fill_forget_bias(bias: Tensor, generator: Generator) -> None:
    """Space the forget-gate biases of the heads evenly from 3 to 6.

    All heads start by forgetting slowly, each at its own rate.
    """
    bias.copy_(torch.linspace(3.0, 6.0, len(bias)))


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
        self.convolution = nn.ModuleDict({"conv1d": Convolution(inner, settings.d_conv)})
        self.q, self.k, self.v = (Headwise(inner, inner // settings.BLOCK) for _ in range(3))
        self.input_gate, self.forget_gate = (nn.Linear(3 * inner, self.n_heads) for _ in range(2))
        self.head_norm = HeadNorm(inner, self.n_heads)
        self.skip = nn.Parameter(torch.ones(inner))
        self.down = nn.Linear(inner, settings.d_model, bias=False)

    def forward(self, x: Hidden, state: State | None = None) -> Hidden:
        x, gate = self.up(x).chunk(2, -1)
        convolved = self.convolution["conv1d"](x, state)
        qkv = (self.q(convolved), self.k(convolved), self.v(x))
        q, k, v = (part.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for part in qkv)
        gate_inputs = torch.cat(qkv, -1)
        parts = {"k": k, "v": v}
        parts |= {"i": self.input_gate(gate_inputs).mT, "f": self.forget_gate(gate_inputs).mT}
        so_far = [append_rows(state, name, part, axis=2) for name, part in parts.items()]
        h = mlstm(q, *so_far)  # batch heads time d_head
        h = self.head_norm(h.transpose(1, 2).flatten(2))
        return self.down((h + self.skip * convolved) * silu(gate))


class SLSTM(nn.Module):
    def __init__(self, settings: XLSTMSettings, block: int):
        super().__init__()
        width, self.n_heads = settings.d_model, settings.n_heads
        d_head = width // self.n_heads
        self.convolution = nn.ModuleDict({"conv1d": Convolution(width, settings.d_conv)})
        self.i, self.f, self.z, self.o = (Headwise(width, self.n_heads) for _ in range(4))
        self.recurrent = nn.Parameter(torch.empty(self.n_heads, d_head, 4 * d_head))
        self.bias = nn.Parameter(torch.zeros(self.n_heads, 4 * d_head))
        depth = block / max(settings.n_layers - 1, 1)
        channels = torch.linspace(0, 1, d_head) ** (0.3 + 1.3 * depth)
        self.bias.data[:, d_head : 2 * d_head] = 5 - 12 * channels  # forget gates from 1 to 0
        self.head_norm = HeadNorm(width, self.n_heads)

    def forward(self, x: Hidden, state: State | None = None) -> Hidden:
        state = {} if state is None else state
        convolved = self.convolution["conv1d"](x, state)
        gates = (self.i(convolved), self.f(convolved), self.z(x), self.o(x))
        heads = torch.cat([gate.unflatten(-1, (self.n_heads, -1)) for gate in gates], -1)
        inputs = (heads + self.bias).movedim(-2, 0)  # heads batch time gates, without h_{t−1}
        h = [slstm_step(row, self.recurrent, state) for row in inputs.unbind(2)]
        return self.head_norm(torch.stack(h, 2).movedim(0, -2).flatten(-2))


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

    def forward(self, x: Hidden, state: State | None = None) -> Hidden:
        x = self.resid_pre(x)
        x = self.resid_mid(x + self.cell(self.cell_norm(x), state))
        if self.is_slstm:
            x = x + self.mlp(self.mlp_norm(x))
        return self.resid_post(x)


class XLSTM(Stack):
    """A stack of mLSTM and sLSTM blocks and a last norm."""

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


def mlstm(
    q: Float[Tensor, "batch heads rows d_head"], k: Heads, v: Heads, i: Gates, f: Gates
) -> Float[Tensor, "batch heads rows d_head"]:
    """Return h of the last rows, those with queries; i and f are the gates before exp and sigmoid.

    Without a state, all rows have queries.
    """
    n_rows, n_so_far = q.shape[2], k.shape[2]
    log_forget = logsigmoid(f).cumsum(-1)
    future = torch.ones(n_rows, n_so_far, dtype=torch.bool, device=q.device)
    future = future.triu(n_so_far - n_rows + 1)
    log_gates = log_forget[..., -n_rows:, None] - log_forget[..., None, :] + i[..., None, :]
    log_gates = log_gates.masked_fill(future, -torch.inf)  # batch heads rows time
    m = log_gates.amax(-1, keepdim=True)
    weights = (q @ k.mT) / q.shape[-1] ** 0.5 * (log_gates - m).exp()
    scale = (-m).clamp(max=MAX_LOG_SCALE).exp()
    return weights @ v / (torch.maximum(weights.sum(-1, keepdim=True).abs(), scale) + EPSILON)


def slstm_step(
    inputs: Float[Tensor, "heads batch gates"],
    recurrent: Float[Tensor, "heads d_head gates"],
    state: State,
) -> Float[Tensor, "heads batch d_head"]:
    """Return h of the next row from the inputs of the gates i, f, z, o; update the state."""
    if "h" not in state:
        zeros = inputs.new_zeros(*inputs.shape[:2], recurrent.shape[1])
        state.update(h=zeros, c=zeros.clone(), n=zeros.clone(), m=zeros - torch.inf)
    i, f, z, o = (inputs + state["h"] @ recurrent).chunk(4, -1)
    log_forget = logsigmoid(f) + state["m"]
    state["m"] = torch.maximum(log_forget, i)
    forget_gate = (log_forget - state["m"]).exp()
    input_gate = (i - state["m"]).exp()
    state["c"] = forget_gate * state["c"] + input_gate * z.tanh()
    state["n"] = forget_gate * state["n"] + input_gate
    state["h"] = o.sigmoid() * state["c"] / state["n"]
    return state["h"]
