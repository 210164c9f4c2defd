"""The recurrence of a selective state space, and its gradient:

    h_t = exp(Δ_t A) h_{t−1} + Δ_t u_t B_t        y_t = C_t · h_t

Each channel has a state of its own, of d_state numbers. The states of all rows (batch time d_state inner) would be a
large tensor, and is never built. Going forward, the states before each chunk of √time rows are kept; going back, those
within a chunk are computed once more. Within a chunk all is done at once, but for the recurrence itself, which is a
loop over rows.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

Channels = Float[Tensor, "batch time inner"]
Vectors = Float[Tensor, "batch time d_state"]
States = Float[Tensor, "batch d_state inner"]
Chunk = Float[Tensor, "rows batch d_state inner"]
Rates = Float[Tensor, "inner d_state"]


def scan(u: Channels, delta: Channels, A: Rates, B: Vectors, C: Vectors) -> Channels:
    """y, in the precision of A, whatever autocast asks for."""
    with torch.autocast(u.device.type, enabled=False):
        return Scan.apply(u.to(A.dtype), delta.to(A.dtype), A, B.to(A.dtype), C.to(A.dtype))


class Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx, u: Channels, delta: Channels, A: Rates, B: Vectors, C: Vectors
    ) -> Channels:
        before, y = [u.new_zeros(len(u), *A.mT.shape)], []
        for chunk in _chunks(u, delta, A, B, C):
            _, states = _states(before[-1], *chunk[:-1])
            before.append(states[-1].clone())
            y.append((chunk[-1].mT @ states)[:, :, 0])  # rows batch inner
        ctx.save_for_backward(u, delta, A, B, C, *before[:-1])
        return torch.cat(y).transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad_y: Channels) -> tuple[Tensor, ...]:
        u, delta, A, B, C, *before = ctx.saved_tensors
        chunks, grad_rows = _chunks(u, delta, A, B, C), _rows_first(grad_y)[:, :, None]
        grad_h, grad_A, grads = torch.zeros_like(before[0]), torch.zeros_like(A.mT), []
        for chunk, h in zip(reversed(chunks), reversed(before), strict=True):
            rates, steps, taken, b, c = chunk
            grad_y, grad_rows = grad_rows[-len(steps) :], grad_rows[: -len(steps)]
            decay, states = _states(h, *chunk[:-1])
            grad_states = c * grad_y
            for t in reversed(range(len(decay))):  # what row t + 1 has kept of row t
                grad_states[t] += grad_h
                grad_h = decay[t] * grad_states[t]
            grad_c, grad_b = states @ grad_y.mT, grad_states @ taken.mT
            grad_taken = b.mT @ grad_states
            grad_exponent = grad_states.mul_(decay)
            grad_exponent[0] *= h
            grad_exponent[1:] *= states[:-1]
            grad_A += (grad_exponent * steps).sum((0, 1))
            grad_steps = (grad_exponent * rates).sum(-2)
            grads.append((grad_taken[:, :, 0], grad_steps, grad_b[..., 0], grad_c[..., 0]))
        grad_taken, grad_steps, grad_B, grad_C = (
            torch.cat(each[::-1]).transpose(0, 1) for each in zip(*grads, strict=False)
        )
        return grad_taken * delta, grad_steps + grad_taken * u, grad_A.mT, grad_B, grad_C


def _states(
    before: States, rates: Tensor, steps: Tensor, taken: Tensor, b: Tensor
) -> tuple[Chunk, Chunk]:
    """By how much each row of a chunk lets the states decay, and the states behind it."""
    decay, states = (steps * rates).exp_(), b * taken
    for t in range(len(states)):
        states[t].addcmul_(decay[t], before)
        before = states[t]
    return decay, states


def _chunks(
    u: Channels, delta: Channels, A: Rates, B: Vectors, C: Vectors
) -> list[tuple[Tensor, ...]]:
    """A (d_state inner), and for some rows Δ and Δ u (rows batch 1 inner), B and C (rows batch d_state 1)."""
    wide = [_rows_first(each)[:, :, None] for each in (delta, delta * u)]
    tall = [_rows_first(each)[..., None] for each in (B, C)]
    size = max(int(u.shape[1] ** 0.5), 1)
    return [
        (A.mT.contiguous(), *parts)
        for parts in zip(*(each.split(size) for each in wide + tall), strict=True)
    ]


def _rows_first(x: Float[Tensor, "batch time d"]) -> Float[Tensor, "time batch d"]:
    return x.transpose(0, 1).contiguous()
