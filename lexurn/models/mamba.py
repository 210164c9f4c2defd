"""Mamba (Gu & Dao 2023, arXiv 2312.00752): a state-space model with input-dependent parameters.

A layer is x + mixer(norm x). The mixer widens its input to `inner` channels and a gate, convolves
every channel over its last rows, and then every channel keeps a state h of `d_state` numbers:

    h_t = exp(Δ_t A) h_{t−1} + Δ_t B_t u_t        y_t = C_t · h_t + D u_t

A < 0 and D are weights of the channel. The step size Δ (one per channel) and the vectors B and C
(shared by all channels) are computed from u_t, which makes the model selective. Positional
encodings are not needed, because the state summarizes the past. Parameters have the names and
shapes of `transformers.MambaModel`, so that weights of its layers and last norm load in both
directions.

The states of all rows (batch time d_state inner) would be a large tensor, which is never built: the
forward pass stores the state before each chunk of √time rows; the backward pass recomputes the
states within a chunk. All operations on a chunk are vectorized, except for the recurrence itself,
which is a loop over rows.
"""

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn.functional import silu, softplus

from lexurn.base.shapes import Hidden
from lexurn.models.backbone import Convolution, HookPoint, Stack, State, keep_constructed
from lexurn.settings import MambaSettings

Channels = Float[Tensor, "batch time inner"]
Vectors = Float[Tensor, "batch time d_state"]
Chunk = Float[Tensor, "rows batch d_state inner"]
Rates = Float[Tensor, "inner d_state"]

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
        steps, B, C = self.x_proj(u).split(
            self.split_sizes, -1
        )  # batch time rank, d_state, d_state
        delta = softplus(self.dt_proj(steps))  # batch time inner
        A = -self.A_log.exp()
        if state is None:
            y = scan(u, delta, A, B, C)
        else:  # the next row alone: batch inner d_state
            decay = (delta.mT * A).exp()
            state["h"] = decay * state.get("h", 0.0) + (delta * u).mT * B
            y = (state["h"] @ C.mT).mT
        return self.out_proj((y + self.D * u) * silu(gate))


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


def scan(u: Channels, delta: Channels, A: Rates, B: Vectors, C: Vectors) -> Channels:
    """Return y, in the precision of A even under autocast."""
    with torch.autocast(u.device.type, enabled=False):
        return Scan.apply(u.to(A.dtype), delta.to(A.dtype), A, B.to(A.dtype), C.to(A.dtype))


class Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx, u: Channels, delta: Channels, A: Rates, B: Vectors, C: Vectors
    ) -> Channels:
        states_before = [u.new_zeros(len(u), *A.mT.shape)]  # one per chunk
        y = []
        for chunk in _split_into_chunks(u, delta, A, B, C):
            _, states = _recur(states_before[-1], *chunk[:-1])
            states_before.append(states[-1].clone())
            y.append((chunk[-1].mT @ states)[:, :, 0])  # rows batch inner
        ctx.save_for_backward(u, delta, A, B, C, *states_before[:-1])
        return torch.cat(y).transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad_y: Channels) -> tuple[Tensor, ...]:
        u, delta, A, B, C, *states_before = ctx.saved_tensors
        chunks = _split_into_chunks(u, delta, A, B, C)
        grad_rows = _time_first(grad_y)[:, :, None]
        grad_h = torch.zeros_like(states_before[0])
        grad_A = torch.zeros_like(A.mT)
        grads = []
        for chunk, h in zip(reversed(chunks), reversed(states_before), strict=True):
            rates, steps, inputs, b, c = chunk
            grad_y, grad_rows = grad_rows[-len(steps) :], grad_rows[: -len(steps)]
            decay, states = _recur(h, *chunk[:-1])
            grad_states = c * grad_y
            for t in reversed(range(len(decay))):  # h_{t+1} depends on h_t
                grad_states[t] += grad_h
                grad_h = decay[t] * grad_states[t]
            grad_c = states @ grad_y.mT
            grad_b = grad_states @ inputs.mT
            grad_inputs = b.mT @ grad_states
            grad_exponent = grad_states.mul_(decay)
            grad_exponent[0] *= h
            grad_exponent[1:] *= states[:-1]
            grad_A += (grad_exponent * steps).sum((0, 1))
            grad_steps = (grad_exponent * rates).sum(-2)
            grads.append((grad_inputs[:, :, 0], grad_steps, grad_b[..., 0], grad_c[..., 0]))
        grad_inputs, grad_steps, grad_B, grad_C = (
            torch.cat(parts).transpose(0, 1) for parts in zip(*reversed(grads), strict=True)
        )
        return grad_inputs * delta, grad_steps + grad_inputs * u, grad_A.mT, grad_B, grad_C


def _recur(
    state_before: Float[Tensor, "batch d_state inner"],
    rates: Tensor,
    steps: Tensor,
    inputs: Tensor,
    b: Tensor,
) -> tuple[Chunk, Chunk]:
    """Return exp(Δ A) and h of every row of a chunk."""
    decay = (steps * rates).exp_()
    states = b * inputs
    for t in range(len(states)):
        states[t].addcmul_(decay[t], state_before)
        state_before = states[t]
    return decay, states


def _split_into_chunks(
    u: Channels, delta: Channels, A: Rates, B: Vectors, C: Vectors
) -> list[tuple[Tensor, ...]]:
    """Return for each chunk A (d_state inner), Δ and Δ u (rows batch 1 inner), and B and C (rows
    batch d_state 1)."""
    parts = [_time_first(x)[:, :, None] for x in (delta, delta * u)]
    parts += [_time_first(x)[..., None] for x in (B, C)]
    size = max(int(u.shape[1] ** 0.5), 1)
    A = A.mT.contiguous()
    return [(A, *chunk) for chunk in zip(*(part.split(size) for part in parts), strict=True)]


def _time_first(x: Float[Tensor, "batch time d"]) -> Float[Tensor, "time batch d"]:
    return x.transpose(0, 1).contiguous()
