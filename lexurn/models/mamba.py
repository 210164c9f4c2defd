"""Mamba (Gu & Dao 2023, arXiv 2312.00752): a state-space model with input-dependent parameters.

A layer is x + mixer(norm x). The mixer widens its input to `inner` channels and a gate, convolves
every channel over its last rows, and then every channel keeps a state h of `d_state` numbers:

    h_t = exp(Δ_t A) h_{t−1} + Δ_t B_t u_t        y_t = C_t · h_t + D u_t

A < 0 and D are weights of the channel. The step size Δ (one per channel) and the vectors B and C
(shared by all channels) are computed from u_t, which makes the model selective. Positional
encodings are not needed, because the state summarizes the past. Parameters have the names and
shapes of `transformers.MambaModel`, so that weights of its layers and last norm load in both
directions.
"""

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn.functional import silu, softplus

from lexurn.base.shapes import Hidden
from lexurn.models.backbone import Convolution, HookPoint, Stack, State, keep_constructed
from lexurn.models.scan import scan
from lexurn.settings import MambaSettings

MIN_STEP_SIZE = 1e-3
MAX_STEP_SIZE = 1e-1
"""Initial step sizes Δ lie between these two, uniformly on a log scale."""


def fill_step_bias(bias: Tensor, generator: Generator) -> None:
    """Draw biases such that the step sizes Δ = softplus(bias) are log-uniform."""
    uniform = torch.rand(bias.shape, generator=generator)
    delta = MIN_STEP_SIZE * (MAX_STEP_SIZE / MIN_STEP_SIZE) ** uniform
    bias.copy_(delta + (-torch.expm1(-delta)).log())  # the inverse of softplus


def fill_uniform(weight: Tensor, generator: Generator) -> None:
    """Draw weights uniformly between ± 1/√rank."""
    weight.uniform_(-1, 1, generator=generator).mul_(weight.shape[-1] ** -0.5)


class Mixer(nn.Module):
    def __init__(self, settings: MambaSettings):
        super().__init__()
        inner, d_state, rank = settings.inner, settings.d_state, settings.step_rank
        self.split_sizes = [rank, d_state, d_state]
        self.in_proj = nn.Linear(settings.d_model, 2 * inner, bias=False)
        self.conv1d = Convolution(inner, settings.d_conv)
        self.x_proj = nn.Linear(inner, sum(self.split_sizes), bias=False)
        self.dt_proj = nn.Linear(rank, inner)
        self.A_log = nn.Parameter(torch.arange(1.0, d_state + 1).log().repeat(inner, 1))
        self.D = nn.Parameter(torch.ones(inner))
        self.out_proj = nn.Linear(inner, settings.d_model, bias=False)

    def forward(self, x: Hidden, state: State | None = None) -> Hidden:
        u, gate = self.in_proj(x).chunk(2, -1)  # batch time inner
        u = self.conv1d(u, state)
        if state is None:
            y = scan(u, *self.selective_parameters(u))
        else:
            delta, A, B, C = self.selective_parameters(u[:, 0])
            inputs = (delta * u[:, 0])[..., None] * B[:, None]  # batch inner d_state
            state["h"] = (delta[..., None] * A).exp() * state.get("h", 0.0) + inputs
            y = (state["h"] @ C[..., None]).mT
        return self.out_proj((y + self.D * u) * silu(gate))

    def selective_parameters(
        self, u: Float[Tensor, "*rows inner"]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return Δ (*rows inner), A (inner d_state), B and C (*rows d_state)."""
        delta, B, C = self.x_proj(u).split(self.split_sizes, -1)
        return softplus(self.dt_proj(delta)), -self.A_log.exp(), B, C


class Layer(nn.Module):
    def __init__(self, settings: MambaSettings):
        super().__init__()
        self.resid_pre = HookPoint("resid_pre")
        self.resid_post = HookPoint("resid_post")
        self.norm = nn.RMSNorm(settings.d_model, eps=1e-5)
        self.mixer = Mixer(settings)

    def forward(self, x: Hidden, state: State | None = None) -> Hidden:
        x = self.resid_pre(x)
        return self.resid_post(x + self.mixer(self.norm(x), state))


class Mamba(Stack):
    """A stack of Mamba layers and a last norm."""

    RESIDUAL_WRITERS = ("out_proj.weight",)
    NO_WEIGHT_DECAY = ("A_log",)
    INITIALIZERS = {
        "A_log": keep_constructed,
        ".D": keep_constructed,
        "dt_proj.weight": fill_uniform,
        "dt_proj.bias": fill_step_bias,
        "norm_f.weight": keep_constructed,
    }

    def __init__(self, settings: MambaSettings, *, n_rows: int | None = None):
        super().__init__()
        self.layers = nn.Sequential(*(Layer(settings) for _ in range(settings.n_layers)))
        self.norm_f = nn.RMSNorm(settings.d_model, eps=1e-5)
