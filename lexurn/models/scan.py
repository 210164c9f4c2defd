"""The recurrence of a selective state-space model, and its gradient:

    h_t = exp(Δ_t A) h_{t−1} + Δ_t u_t B_t        y_t = C_t · h_t

Every channel has a state of d_state numbers. The states of all rows (batch time d_state inner)
would be a large tensor, so it is never built. The forward pass stores the state before each chunk
of √time rows; the backward pass recomputes the states within a chunk. All operations on a chunk are
vectorized, except for the recurrence itself, which is a loop over rows.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

Channels = Float[Tensor, "batch time inner"]
Vectors = Float[Tensor, "batch time d_state"]
Chunk = Float[Tensor, "rows batch d_state inner"]
Rates = Float[Tensor, "inner d_state"]


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
