"""Mamba (Gu & Dao 2023, arXiv 2312.00752): a state that forgets and takes in as much as each token asks for.

A layer is x + mixer(norm x). The mixer widens its input to `inner` channels and a gate, lets every channel see its last
few rows by a convolution, and then every channel keeps a state h of `d_state` numbers:

    h_t = exp(Δ_t A) h_{t−1} + Δ_t B_t u_t        y_t = C_t · h_t + D u_t

A < 0 and D are weights of the channel; Δ (a step for each channel), B and C (one vector for all channels) are read from
u_t: that is what makes it selective. Positions are not told, the state itself tells the past. Parameters have the names
and shapes of `transformers.MambaModel`, whose layers and last norm can be loaded, and the other way round.
"""

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn.functional import pad, silu, softplus

from lexurn.base.shapes import Hidden
from lexurn.models.hooks import Place
from lexurn.models.initialization import as_built
from lexurn.models.scan import scan
from lexurn.settings import MambaSettings

SHORTEST, LONGEST = 1e-3, 1e-1
"""Steps Δ begin between these, evenly on a log scale."""


def begin_steps(bias: Tensor, generator: Generator) -> None:
    """Biases with which Δ = softplus(bias) lies between `SHORTEST` and `LONGEST`, evenly on a log scale."""
    delta = SHORTEST * (LONGEST / SHORTEST) ** torch.rand(bias.shape, generator=generator)
    bias.copy_(delta + (-torch.expm1(-delta)).log())  # the inverse of softplus


def evenly(weight: Tensor, generator: Generator) -> None:
    """Weights between ± 1/√rank, evenly."""
    weight.uniform_(-1, 1, generator=generator).mul_(weight.shape[-1] ** -0.5)


class Mixer(nn.Module):
    def __init__(self, settings: MambaSettings):
        super().__init__()
        inner, d_state, rank = settings.inner, settings.d_state, settings.step_rank
        self.parts = [rank, d_state, d_state]
        self.in_proj = nn.Linear(settings.d_model, 2 * inner, bias=False)
        self.conv1d = nn.Conv1d(inner, inner, settings.d_conv, groups=inner)
        self.x_proj = nn.Linear(inner, sum(self.parts), bias=False)
        self.dt_proj = nn.Linear(rank, inner)
        self.A_log = nn.Parameter(torch.arange(1.0, d_state + 1).log().repeat(inner, 1))
        self.D = nn.Parameter(torch.ones(inner))
        self.out_proj = nn.Linear(inner, settings.d_model, bias=False)

    def forward(self, x: Hidden) -> Hidden:
        u, gate = self.in_proj(x).chunk(2, -1)  # batch time inner
        u = pad(u.mT, (self.conv1d.kernel_size[0] - 1, 0))  # batch inner (before + time)
        u = silu(self.conv1d(u)).mT
        y = scan(u, *self.selected(u)) + self.D * u
        return self.out_proj(y * silu(gate))

    def step(
        self, x: Float[Tensor, "batch d_model"], state: dict[str, Tensor]
    ) -> Float[Tensor, "batch d_model"]:
        u, gate = self.in_proj(x).chunk(2, -1)
        if not state:
            state["rows"] = u.new_zeros(*u.shape, self.conv1d.kernel_size[0])
            state["h"] = u.new_zeros(*u.shape, self.parts[1])
        state["rows"] = torch.cat([state["rows"][..., 1:], u[..., None]], -1)
        u = silu(self.conv1d(state["rows"])[..., 0])
        delta, A, B, C = self.selected(u)
        state["h"] = (delta[..., None] * A).exp() * state["h"] + (delta * u)[..., None] * B[:, None]
        y = (state["h"] @ C[..., None])[..., 0] + self.D * u
        return self.out_proj(y * silu(gate))

    def selected(self, u: Float[Tensor, "*rows inner"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Δ (as u), A (inner d_state), and B and C (rows d_state)."""
        delta, B, C = self.x_proj(u).split(self.parts, -1)
        return softplus(self.dt_proj(delta)), -self.A_log.exp(), B, C


class Layer(nn.Module):
    def __init__(self, settings: MambaSettings):
        super().__init__()
        self.resid_pre, self.resid_post = Place("resid_pre"), Place("resid_post")
        self.norm = nn.RMSNorm(settings.d_model, eps=1e-5)
        self.mixer = Mixer(settings)

    def forward(self, x: Hidden) -> Hidden:
        x = self.resid_pre(x)
        return self.resid_post(x + self.mixer(self.norm(x)))


class Mamba(nn.Module):
    """Hidden vectors (batch time d_model) to the same; row t depends on rows 0 … t."""

    RESIDUAL, PLAIN = ("out_proj.weight",), ("A_log",)
    INITIAL = {
        "A_log": as_built,
        ".D": as_built,
        "dt_proj.weight": evenly,
        "dt_proj.bias": begin_steps,
        "norm_f.weight": as_built,
    }

    def __init__(self, settings: MambaSettings, *, n_rows: int | None = None):
        super().__init__()
        self.layers = nn.Sequential(*(Layer(settings) for _ in range(settings.n_layers)))
        self.norm_f = nn.RMSNorm(settings.d_model, eps=1e-5)

    def forward(self, x: Hidden) -> Hidden:
        return self.norm_f(self.layers(x))

    def begin(self) -> list[dict[str, Tensor]]:
        """The state before the first row: for every layer its last rows and its h, which the first step makes."""
        return [{} for _ in self.layers]

    def step(
        self, x: Float[Tensor, "batch d_model"], state: list[dict[str, Tensor]]
    ) -> Float[Tensor, "batch d_model"]:
        """The next row; the state goes on to it."""
        for layer, each in zip(self.layers, state, strict=True):
            x = x + layer.mixer.step(layer.norm(x), each)
        return self.norm_f(x)
