"""The recurrence of a selective state space, row by row, and its gradient:

    h_t = exp(Δ_t A) h_{t−1} + Δ_t u_t B_t        y_t = C_t · h_t

Each channel has a state of its own, of d_state numbers. All states of all rows would be a large tensor (batch time
d_state inner): they are never held together. Going forward, one row's states are kept in every √time rows; going back,
the rows from there on are computed once more. With inner last, what is multiplied lies side by side.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

Channels = Float[Tensor, "batch time inner"]
Vectors = Float[Tensor, "batch time d_state"]
States = Float[Tensor, "batch d_state inner"]
Rates = Float[Tensor, "inner d_state"]


def scan(u: Channels, delta: Channels, A: Rates, B: Vectors, C: Vectors) -> Channels:
    """y, in the precision of A, whatever autocast asks for."""
    with torch.autocast(u.device.type, enabled=False):
        return Scan.apply(u.to(A.dtype), delta.to(A.dtype), A, B.to(A.dtype), C.to(A.dtype))


class Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, u: Channels, delta: Channels, A: Rates, B: Vectors, C: Vectors) -> Channels:
        rates, taken = A.mT.contiguous(), delta * u
        h, y, kept = u.new_zeros(len(u), *rates.shape), torch.empty_like(u), []
        for t in range(u.shape[1]):
            if t % _chunk(u) == 0:
                kept.append(h.clone())
            h.mul_((delta[:, t, None] * rates).exp_()).addcmul_(B[:, t, :, None], taken[:, t, None])
            y[:, t] = (C[:, t, None] @ h)[:, 0]
        ctx.save_for_backward(u, delta, A, B, C, *kept)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad_y: Channels) -> tuple[Tensor, ...]:
        u, delta, A, B, C, *kept = ctx.saved_tensors
        rates, taken = A.mT.contiguous(), delta * u
        grad_taken, grad_delta = torch.empty_like(u), torch.empty_like(u)
        grad_rates, grad_B, grad_C = torch.zeros_like(rates), torch.empty_like(B), torch.empty_like(C)
        grad_h: States = torch.zeros_like(kept[0])
        for chunk in reversed(range(len(kept))):
            first = chunk * _chunk(u)
            rows, h, decays = range(first, min(first + _chunk(u), u.shape[1])), [kept[chunk]], []
            for t in rows:
                decays.append((delta[:, t, None] * rates).exp_())
                h.append((decays[-1] * h[-1]).addcmul_(B[:, t, :, None], taken[:, t, None]))
            for t in reversed(rows):
                after, before, decay = h.pop(), h[-1], decays.pop()
                grad_C[:, t] = (after @ grad_y[:, t, :, None])[..., 0]
                grad_h.addcmul_(C[:, t, :, None], grad_y[:, t, None])
                grad_B[:, t] = (grad_h @ taken[:, t, :, None])[..., 0]
                grad_taken[:, t] = (B[:, t, None] @ grad_h)[:, 0]
                grad_h.mul_(decay)
                grad_exponent = grad_h * before  # of Δ_t A
                grad_delta[:, t] = (grad_exponent * rates).sum(1)
                grad_rates += grad_exponent.mul_(delta[:, t, None]).sum(0)
        return grad_taken * delta, grad_delta + grad_taken * u, grad_rates.mT, grad_B, grad_C


def _chunk(u: Channels) -> int:
    return max(int(u.shape[1] ** 0.5), 1)
