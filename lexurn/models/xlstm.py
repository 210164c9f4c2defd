"""xLSTM (Beck et al. 2024, arXiv 2405.04517): LSTM cells with exponential gates, in residual blocks.

    mLSTM   a head remembers a matrix: C_t = f_t C_{t−1} + i_t k_t v_tᵀ, n_t = f_t n_{t−1} + i_t k_t, and is asked by q:
            h_t = qᵀC_t / max(|qᵀn_t|, 1). It sees no state of its own, so all rows can be computed at once.
    sLSTM   a channel remembers a number: c_t = f_t c_{t−1} + i_t z_t, n_t = f_t n_{t−1} + i_t, h_t = o_t c_t / n_t.
            Its gates see h_{t−1} of its head, so rows come one after the other.

Gates are f = sigmoid, i = exp; with m_t, the largest log gate so far, both are scaled down so that nothing overflows:
numerator and denominator alike. Blocks named in `slstm_at` (from 0) are sLSTM, followed by an MLP; the others mLSTM,
which widens its input to `inner`. Positions are not told. Parameters are those of the package `xlstm` 2.0, here with
norms that begin at 1.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm, logsigmoid, pad, silu

from lexurn.base.shapes import Hidden
from lexurn.models.hooks import Place
from lexurn.models.initialization import as_built, small, spread, zeros
from lexurn.settings import XLSTMSettings

EPSILON = 1e-6
"""Added to the denominators of mLSTM, as in the package."""

LARGEST = 60.0
"""Where 1 is scaled up to exp(−m), −m counts up to this: what is divided by more is nothing, and would overflow."""

State = dict[str, Tensor]
Row = Float[Tensor, "batch d"]
Heads = Float[Tensor, "batch heads time d_head"]


class Convolution(nn.Module):
    """silu of what every channel sees of its last `d_conv` rows."""

    def __init__(self, width: int, d_conv: int):
        super().__init__()
        self.conv1d = nn.Conv1d(width, width, d_conv, groups=width)

    def forward(self, x: Hidden) -> Hidden:
        return silu(self.conv1d(pad(x.mT, (self.conv1d.kernel_size[0] - 1, 0)))).mT

    def step(self, x: Row, state: State) -> Row:
        before = state.get("rows", x.new_zeros(*x.shape, self.conv1d.kernel_size[0]))
        state["rows"] = torch.cat([before[..., 1:], x[..., None]], -1)
        return silu(self.conv1d(state["rows"])[..., 0])


class Headwise(nn.Module):
    """A linear map of each of `n` groups of channels to itself."""

    def __init__(self, width: int, n: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n, width // n, width // n))

    def forward(self, x: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows width"]:
        return torch.einsum(
            "...hi,hoi->...ho", x.unflatten(-1, (len(self.weight), -1)), self.weight
        ).flatten(-2)


class HeadNorm(nn.Module):
    """Every head of every row to mean 0 and variance 1, with a factor for each channel."""

    def __init__(self, width: int, n_heads: int):
        super().__init__()
        self.weight, self.n_heads = nn.Parameter(torch.ones(width)), n_heads

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
        h = mlstm(*self.read(x, convolved)).transpose(1, 2).flatten(2)
        return self.out(h, convolved, gate)

    def step(self, x: Row, state: State) -> Row:
        x, gate = self.up(x).chunk(2, -1)
        convolved = self.convolution.step(x, state)
        q, k, v, i, f = (each.squeeze(2) for each in self.read(x[:, None], convolved[:, None]))
        return self.out(mlstm_step(q, k, v, i, f, state).flatten(1), convolved, gate)

    def read(self, x: Hidden, convolved: Hidden) -> tuple[Heads, Heads, Heads, Tensor, Tensor]:
        """q, k, v (batch heads time d_head) and the gates before their functions (batch heads time)."""
        q, k, v = self.q(convolved), self.k(convolved), self.v(x)
        every = torch.cat([q, k, v], -1)
        heads = (each.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for each in (q, k, v))
        return *heads, self.input_gate(every).mT, self.forget_gate(every).mT

    def out(self, h: Tensor, convolved: Tensor, gate: Tensor) -> Tensor:
        return self.down((self.head_norm(h) + self.skip * convolved) * silu(gate))


class SLSTM(nn.Module):
    def __init__(self, settings: XLSTMSettings, block: int):
        super().__init__()
        width, self.n_heads = settings.d_model, settings.n_heads
        self.convolution = Convolution(width, settings.d_conv)
        self.i, self.f, self.z, self.o = (Headwise(width, self.n_heads) for _ in range(4))
        d_head = width // self.n_heads
        self.recurrent = nn.Parameter(torch.empty(self.n_heads, d_head, 4 * d_head))
        self.bias = nn.Parameter(torch.zeros(self.n_heads, 4 * d_head))
        depth = block / max(settings.n_layers - 1, 1)
        channels = torch.linspace(0, 1, d_head) ** (0.3 + 1.3 * depth)
        self.bias.data[:, d_head : 2 * d_head] = (
            5 - 12 * channels
        )  # forget gates from nearly 1 to nearly 0
        self.head_norm = HeadNorm(width, self.n_heads)

    def forward(self, x: Hidden) -> Hidden:
        read, state = self.read(x, self.convolution(x)), {}
        rows = [slstm_step(row, self.recurrent, state) for row in read.unbind(2)]
        return self.out(torch.stack(rows, 2))

    def step(self, x: Row, state: State) -> Row:
        read = self.read(x[:, None], self.convolution.step(x, state)[:, None])[:, :, 0]
        return self.out(slstm_step(read, self.recurrent, state))

    def read(self, x: Hidden, convolved: Hidden) -> Float[Tensor, "heads batch time gates"]:
        """What i, f, z and o see of the input."""
        gates = self.i(convolved), self.f(convolved), self.z(x), self.o(x)
        heads = (
            torch.cat([each.unflatten(-1, (self.n_heads, -1)) for each in gates], -1) + self.bias
        )
        return heads.movedim(-2, 0)

    def out(self, h: Float[Tensor, "heads *rows d_head"]) -> Float[Tensor, "*rows d_model"]:
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
        self.resid_pre, self.resid_mid, self.resid_post = map(
            Place, ("resid_pre", "resid_mid", "resid_post")
        )
        self.is_slstm = number in settings.slstm_at
        self.cell_norm = nn.LayerNorm(settings.d_model, bias=False)
        self.cell = SLSTM(settings, number) if self.is_slstm else MLSTM(settings)
        if self.is_slstm:
            self.mlp_norm = nn.LayerNorm(settings.d_model, bias=False)
            self.mlp = MLP(settings.d_model, settings.mlp_width)

    def forward(self, x: Hidden) -> Hidden:
        x = self.resid_pre(x)
        return self.resid_post(self.rest(self.resid_mid(x + self.cell(self.cell_norm(x)))))

    def step(self, x: Row, state: State) -> Row:
        return self.rest(x + self.cell.step(self.cell_norm(x), state))

    def rest(self, x: Tensor) -> Tensor:
        return x + self.mlp(self.mlp_norm(x)) if self.is_slstm else x


class XLSTM(nn.Module):
    """Hidden vectors (batch time d_model) to the same; row t depends on rows 0 … t."""

    RESIDUAL, PLAIN = ("down.weight",), ("cell.bias",)
    INITIAL = {
        "input_gate.weight": zeros,
        "input_gate.bias": small,
        "forget_gate.weight": zeros,
        "forget_gate.bias": spread,
        "skip": as_built,
        "recurrent": zeros,
        "cell.bias": as_built,
    }

    def __init__(self, settings: XLSTMSettings, *, n_rows: int | None = None):
        super().__init__()
        self.blocks = nn.Sequential(
            *(Block(settings, number) for number in range(settings.n_layers))
        )
        self.norm = nn.LayerNorm(settings.d_model, bias=False)

    def forward(self, x: Hidden) -> Hidden:
        return self.norm(self.blocks(x))

    def begin(self) -> list[State]:
        """The state before the first row: of every block its last rows and what its cells remember."""
        return [{} for _ in self.blocks]

    def step(self, x: Row, state: list[State]) -> Row:
        """The next row; the state goes on to it."""
        for block, each in zip(self.blocks, state, strict=True):
            x = block.step(x, each)
        return self.norm(x)


def mlstm(
    q: Heads,
    k: Heads,
    v: Heads,
    i: Float[Tensor, "batch heads time"],
    f: Float[Tensor, "batch heads time"],
) -> Heads:
    """All rows at once: what row t keeps of row s has gone through the forget gates between them."""
    forgotten = logsigmoid(f).cumsum(-1)
    future = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool, device=q.device).triu(1)
    gates = (
        forgotten[..., :, None] - forgotten[..., None, :] + i[..., None, :]
    )  # batch heads time time, logs
    gates = gates.masked_fill(future, -torch.inf)
    m = gates.amax(-1, keepdim=True)
    kept = (q @ k.mT) / q.shape[-1] ** 0.5 * (gates - m).exp()
    return (
        kept
        @ v
        / (torch.maximum(kept.sum(-1, keepdim=True).abs(), (-m).clamp(max=LARGEST).exp()) + EPSILON)
    )


def mlstm_step(q: Tensor, k: Tensor, v: Tensor, i: Tensor, f: Tensor, state: State) -> Tensor:
    """The next row (batch heads d_head), gates (batch heads)."""
    if "C" not in state:
        state["C"], state["n"] = q.new_zeros(*q.shape, q.shape[-1]), torch.zeros_like(q)
        state["m"] = torch.full_like(i, -torch.inf)
    m = torch.maximum(logsigmoid(f) + state["m"], i)
    forget, take = (logsigmoid(f) + state["m"] - m).exp()[..., None], (i - m).exp()[..., None]
    k = k / q.shape[-1] ** 0.5
    state["C"] = forget[..., None] * state["C"] + (take * k)[..., None] * v[..., None, :]
    state["n"], state["m"] = forget * state["n"] + take * k, m
    asked = (q[..., None, :] @ state["C"])[..., 0, :]
    return (
        asked
        / (torch.maximum((q * state["n"]).sum(-1).abs(), (-m).clamp(max=LARGEST).exp()) + EPSILON)[
            ..., None
        ]
    )


def slstm_step(
    read: Float[Tensor, "heads batch gates"],
    recurrent: Float[Tensor, "heads d_head gates"],
    state: State,
) -> Float[Tensor, "heads batch d_head"]:
    """The next row from what its gates see of the input."""
    if "h" not in state:
        state["h"], state["c"], state["n"] = (
            read.new_zeros(*read.shape[:2], read.shape[2] // 4) for _ in range(3)
        )
        state["m"] = torch.full_like(state["h"], -torch.inf)
    i, f, z, o = (read + state["h"] @ recurrent).chunk(4, -1)
    kept = logsigmoid(f) + state["m"]
    m = torch.maximum(kept, i)
    forget, take = (kept - m).exp(), (i - m).exp()
    state["c"] = forget * state["c"] + take * z.tanh()
    state["n"], state["m"] = forget * state["n"] + take, m
    state["h"] = o.sigmoid() * state["c"] / state["n"]
    return state["h"]
