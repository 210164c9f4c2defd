"""The recurrences of xLSTM (Beck et al. 2024, arXiv 2405.04517).

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
from torch import Tensor
from torch.nn.functional import logsigmoid

from lexurn.models.backbone import State

EPSILON = 1e-6
"""Added to the denominators of mLSTM, as in the package `xlstm`."""

MAX_LOG_SCALE = 60.0
"""The scaled 1 in the denominator of mLSTM is exp(min(−m, this)): a larger one would overflow, and
dividing by this one already gives 0."""

Heads = Float[Tensor, "batch heads time d_head"]
Gates = Float[Tensor, "batch heads time"]


def mlstm(q: Heads, k: Heads, v: Heads, i: Gates, f: Gates) -> Heads:
    """Return h of all rows; i and f are the gates before exp and sigmoid."""
    log_forget = logsigmoid(f).cumsum(-1)
    future = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool, device=q.device).triu(1)
    log_gates = log_forget[..., :, None] - log_forget[..., None, :] + i[..., None, :]
    log_gates = log_gates.masked_fill(future, -torch.inf)  # batch heads time time
    m = log_gates.amax(-1, keepdim=True)
    weights = (q @ k.mT) / q.shape[-1] ** 0.5 * (log_gates - m).exp()
    return weights @ v / _denominator(weights.sum(-1, keepdim=True), m)


def mlstm_step(q: Tensor, k: Tensor, v: Tensor, i: Tensor, f: Tensor, state: State) -> Tensor:
    """Return h of the next row (batch heads d_head), from gates (batch heads); update the state."""
    forget_gate, input_gate = _scaled_gates(f[..., None], i[..., None], state)
    gated_k = input_gate * (k / q.shape[-1] ** 0.5)
    state["C"] = forget_gate[..., None] * state.get("C", 0.0) + gated_k[..., None] * v[..., None, :]
    state["n"] = forget_gate * state.get("n", 0.0) + gated_k
    numerator = (q[..., None, :] @ state["C"])[..., 0, :]
    return numerator / _denominator((q * state["n"]).sum(-1, keepdim=True), state["m"])


def _scaled_gates(f: Tensor, i: Tensor, state: State) -> tuple[Tensor, Tensor]:
    """Return the forget and input gates of the next row, both divided by exp(m); update m."""
    log_forget = logsigmoid(f) + state.get("m", -torch.inf)
    state["m"] = torch.maximum(log_forget, i)
    return (log_forget - state["m"]).exp(), (i - state["m"]).exp()


def _denominator(weight: Tensor, m: Tensor) -> Tensor:
    return torch.maximum(weight.abs(), (-m).clamp(max=MAX_LOG_SCALE).exp()) + EPSILON


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
    forget_gate, input_gate = _scaled_gates(f, i, state)
    state["c"] = forget_gate * state["c"] + input_gate * z.tanh()
    state["n"] = forget_gate * state["n"] + input_gate
    state["h"] = o.sigmoid() * state["c"] / state["n"]
    return state["h"]
