"""The recurrences of Mamba and xLSTM against plain loops and finite differences."""

import pytest
import torch
from torch.autograd import gradcheck

from lexurn.base.seeding import generator
from lexurn.models import mamba
from lexurn.models.mamba import scan
from lexurn.models.xlstm import mlstm, slstm_step


def drawn(*shape, stream, of=torch.randn):
    return of(*shape, generator=stream, dtype=torch.float64).requires_grad_()


def selected(batch=2, time=7, inner=3, d_state=4):
    stream = generator(0, "scan")
    u, delta = (
        drawn(batch, time, inner, stream=stream),
        drawn(batch, time, inner, stream=stream, of=torch.rand),
    )
    A = (-drawn(inner, d_state, stream=stream, of=torch.rand)).detach().requires_grad_()
    return u, delta, A, *(drawn(batch, time, d_state, stream=stream) for _ in range(2))


def plain(u, delta, A, B, C):
    """As the formula stands, for one sequence and channel at a time."""
    y = torch.zeros_like(u)
    for b in range(len(u)):
        for d in range(u.shape[2]):
            h = torch.zeros(A.shape[1], dtype=u.dtype)
            for t in range(u.shape[1]):
                h = (delta[b, t, d] * A[d]).exp() * h + delta[b, t, d] * u[b, t, d] * B[b, t]
                y[b, t, d] = C[b, t] @ h
    return y


@pytest.mark.parametrize("time", [1, 2, 7, 16])
def test_a_scan_is_its_formula_and_so_is_its_gradient(time):
    given = selected(time=time)
    found, wanted = scan(*given), plain(*given)
    assert torch.allclose(found, wanted)
    weights = torch.randn(found.shape, generator=generator(1, "weights"), dtype=torch.float64)
    for mine, right in zip(
        *(torch.autograd.grad((y * weights).sum(), given) for y in (found, wanted)), strict=True
    ):
        assert torch.allclose(mine, right)
    assert gradcheck(scan, given)


def test_a_gradient_that_forgets_a_row_is_found(monkeypatch):
    """The negative control: chunks that begin with the states of none before them."""
    given = selected(time=16)
    right, found = torch.autograd.grad(scan(*given).sum(), given), scan(*given)
    real = mamba._recur
    monkeypatch.setattr(
        mamba, "_recur", lambda before, *chunk: real(torch.zeros_like(before), *chunk)
    )
    wrong = torch.autograd.grad(found.sum(), given)
    assert not torch.allclose(wrong[1], right[1])


def test_a_scan_keeps_few_states():
    """√64 of the 64 rows' states."""
    given, kept = selected(batch=10, time=64, inner=48, d_state=16), []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor
    ):
        scan(*given)
    assert sum(tensor.shape == (10, 16, 48) for tensor in kept) == 8
    assert sum(tensor.numel() for tensor in kept) < 64 * 10 * 16 * 48 / 3


def heads(time=6):
    stream = generator(2, "heads")
    q, k, v = (drawn(2, 3, time, 4, stream=stream) for _ in range(3))
    return q, k, v, *(drawn(2, 3, time, stream=stream) for _ in range(2))


def test_all_rows_of_mlstm_are_its_recurrence_unscaled():
    """C_t = f C + i k vᵀ and n_t, with sigmoid and exp as they are: where nothing overflows."""
    q, k, v, i, f = (each.detach() for each in heads())
    C, n = torch.zeros(2, 3, 4, 4, dtype=torch.float64), torch.zeros(2, 3, 4, dtype=torch.float64)
    found = mlstm(q, k, v, i, f)
    for t in range(q.shape[2]):
        forget, take = f[..., t].sigmoid()[..., None], i[..., t].exp()[..., None]
        C = forget[..., None] * C + (take * k[:, :, t] / 2)[..., None] * v[:, :, t, None]
        n = forget * n + take * k[:, :, t] / 2
        h = (q[:, :, t, None] @ C)[:, :, 0] / (q[:, :, t] * n).sum(
            -1, keepdim=True
        ).abs().clamp_min(1)
        assert torch.allclose(found[:, :, t], h, atol=1e-5)
        end = t + 1
        last = mlstm(q[:, :, t:end], *(part[:, :, :end] for part in (k, v, i, f)))
        assert torch.allclose(found[:, :, t:end], last, atol=1e-12)


def test_gates_that_would_overflow_do_not():
    for shift in (1000, -1000):  # a closed input gate once gave gradients that were no numbers
        q, k, v, i, f = (each.detach().float().requires_grad_() for each in heads())
        h = mlstm(q, k, v, i + shift, f - 1000)
        assert all(each.isfinite().all() for each in torch.autograd.grad(h.sum(), (q, k, v, i, f)))
        assert h.isfinite().all() and (h.abs().max() < 1e-10) == (shift < 0)
    state = {}
    for _ in range(3):
        assert (
            slstm_step(torch.full((1, 1, 4), 1000.0), torch.ones(1, 1, 4), state).isfinite().all()
        )


def slstm(read, recurrent):
    state = {}
    return torch.stack([slstm_step(row, recurrent, state) for row in read.unbind(2)], 2)


def test_slstm_is_its_recurrence_unscaled():
    stream = generator(3, "slstm")
    read, recurrent = (
        drawn(3, 2, 5, 8, stream=stream).detach(),
        drawn(3, 2, 8, stream=stream).detach(),
    )
    h = c = n = torch.zeros(3, 2, 2, dtype=torch.float64)
    found = slstm(read, recurrent)
    for t in range(5):
        i, f, z, o = (read[:, :, t] + h @ recurrent).split(2, -1)
        c, n = f.sigmoid() * c + i.exp() * z.tanh(), f.sigmoid() * n + i.exp()
        h = o.sigmoid() * c / n
        assert torch.allclose(found[:, :, t], h)


def test_gradients_of_xlstm_cells_are_those_of_finite_differences():
    assert gradcheck(mlstm, heads())
    stream = generator(4, "slstm")
    assert gradcheck(slstm, (drawn(3, 2, 4, 8, stream=stream), drawn(3, 2, 8, stream=stream)))
