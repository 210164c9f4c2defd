"""The tiny model's loss, its gradient and AdamW, as compiled loops.

A step of torch costs a tiny model more for launching operations than for computing them, also if
many models are stacked. These loops are for one layer with one head, ReLU or no MLP, no norm, no
BOS and untied read-out. Their oracle is torch, in the tests.

All weights stand in one vector `w`, in the order of `layout`: matrices as (in, out) where the loop
runs over `out`, so that it is contiguous.
"""

from collections.abc import Callable
from typing import no_type_check  # annotations cannot be checked inside compiled code

import numpy as np
from numba import njit

PARTS = ("start", "embedding", "positions", "qkv", "qkv_bias", "out", "out_bias", "up", "up_bias",
         "down", "down_bias", "readout", "readout_bias")  # fmt: skip


def compiled(function: Callable) -> Callable:
    """Compile a function when it is first called, and keep the result on disk where that works."""
    try:
        return njit(function, nogil=True, cache=True, fastmath=True)
    except RuntimeError:
        return njit(function, nogil=True, fastmath=True)


def layout(n_positions: int, d_model: int, d_head: int, d_mlp: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of each part of the weights. Without an MLP, `d_mlp` is 0."""
    d, h, m = d_model, d_head, d_mlp
    shapes = ((d,), (2, d), (n_positions, d), (3 * h, d), (3 * h,), (d, h), (d,), (d, m), (m,))
    return dict(zip(PARTS, (*shapes, (d, m), (d,), (2, d), (2,)), strict=True))


@compiled
@no_type_check
def add_row(w, g, at, buffers, share_0, share_1, scale, d, m):
    """Add one row's part to the gradient `g`, from the residual before the MLP on.

    `share_0` and `share_1` are the shares of the two targets. Of the buffers, the first holds the
    residual `mid`, and the second gets the gradient of it. Returns the loss of the row.
    """
    mid, g_mid, hidden, g_hidden, post = buffers
    up, up_bias, down, down_bias, readout, readout_bias = at[7:13]
    for j in range(m):
        hidden[j] = w[up_bias + j]
        g_hidden[j] = 0
    for a in range(d):
        for j in range(m):
            hidden[j] += w[up + a * m + j] * mid[a]
    for j in range(m):
        hidden[j] = max(hidden[j], np.float32(0.0))
    for a in range(d):
        total = mid[a]
        if m:
            total += w[down_bias + a]
            for j in range(m):
                total += w[down + a * m + j] * hidden[j]
        post[a] = total
    tails, heads = w[readout_bias], w[readout_bias + 1]
    for a in range(d):
        tails += w[readout + a] * post[a]
        heads += w[readout + d + a] * post[a]
    largest = max(tails, heads)
    log_sum = largest + np.log(np.exp(tails - largest) + np.exp(heads - largest))
    g_tails = scale * (np.exp(tails - log_sum) - share_0)
    g_heads = scale * (np.exp(heads - log_sum) - share_1)
    g[readout_bias] += g_tails
    g[readout_bias + 1] += g_heads
    for a in range(d):
        g[readout + a] += g_tails * post[a]
        g[readout + d + a] += g_heads * post[a]
        g_post = g_tails * w[readout + a] + g_heads * w[readout + d + a]
        g_mid[a] = g_post
        if m:
            g[down_bias + a] += g_post
            for j in range(m):
                g[down + a * m + j] += g_post * hidden[j]
                g_hidden[j] += g_post * w[down + a * m + j]
    for j in range(m):
        g_hidden[j] = g_hidden[j] if hidden[j] > 0 else np.float32(0.0)
        g[up_bias + j] += g_hidden[j]
    for a in range(d):
        total = np.float32(0.0)
        for j in range(m):
            g[up + a * m + j] += g_hidden[j] * mid[a]
            total += w[up + a * m + j] * g_hidden[j]
        g_mid[a] += total
    return -(share_0 * (tails - log_sum) + share_1 * (heads - log_sum))


@compiled
@no_type_check
def attend(y, pattern, z, t, h):
    """Write the pattern of row `t` over rows 0 … t, and its mean of the values into `z`.

    The exponential of x ≤ 0 is that of x / 64 (six terms of its series), squared six times: without
    a call, so that the loop uses vector instructions.
    """
    root = np.float32(1.0 / np.sqrt(h))
    pattern[: t + 1] = 0
    for c in range(h):
        query = y[c, t] * root
        for i in range(t + 1):
            pattern[i] += query * y[h + c, i]
    largest = pattern[0]
    for i in range(t + 1):
        largest = max(largest, pattern[i])
    total = np.float32(0.0)
    for i in range(t + 1):
        x = max(pattern[i] - largest, np.float32(-80.0)) * np.float32(1 / 64)
        p = np.float32(1 / 120) + x * np.float32(1 / 720)
        p = np.float32(1 / 6) + x * (np.float32(1 / 24) + x * p)
        p = np.float32(1.0) + x * (np.float32(1.0) + x * (np.float32(0.5) + x * p))
        p = p * p
        p = p * p
        p = p * p
        p = p * p
        p = p * p
        p = p * p
        pattern[i] = p
        total += p
    inverse = np.float32(1.0) / total
    for c in range(h):
        mean = np.float32(0.0)
        for i in range(t + 1):
            mean += pattern[i] * y[2 * h + c, i]
        z[c] = mean * inverse
    for i in range(t + 1):
        pattern[i] *= inverse


@compiled
@no_type_check
def attend_backwards(y, g_y, pattern, z, g_z, slopes, t, h):
    """Add to the gradient of queries, keys and values (3h, row) what comes from row `t`."""
    root = np.float32(1.0 / np.sqrt(h))
    dot = np.float32(0.0)
    for c in range(h):
        dot += g_z[c] * z[c]
    for i in range(t + 1):
        slopes[i] = -dot
    for c in range(h):
        for i in range(t + 1):
            slopes[i] += g_z[c] * y[2 * h + c, i]
            g_y[2 * h + c, i] += pattern[i] * g_z[c]
    for i in range(t + 1):
        slopes[i] *= pattern[i] * root
    for c in range(h):
        query = y[c, t]
        total = np.float32(0.0)
        for i in range(t + 1):
            total += slopes[i] * y[h + c, i]
            g_y[h + c, i] += slopes[i] * query
        g_y[c, t] += total


@compiled
@no_type_check
def loss_and_gradient(w, g, at, tokens, d, h, m):
    """Return the mean loss (nats) of a batch, and write its gradient into `g`."""
    n_sequences, length = tokens.shape
    n_rows = length - 1
    scale = np.float32(1.0 / (n_sequences * length))
    start, embedding, positions, qkv, qkv_bias, out, out_bias = at[:7]
    g[:] = 0
    x, g_x = np.empty((n_rows, d), np.float32), np.empty((n_rows, d), np.float32)
    y, g_y = np.empty((3 * h, n_rows), np.float32), np.empty((3 * h, n_rows), np.float32)
    pattern, slopes = np.empty(n_rows, np.float32), np.empty(n_rows, np.float32)
    z, g_z = np.empty(h, np.float32), np.empty(h, np.float32)
    mid, g_mid, post = np.empty(d, np.float32), np.empty(d, np.float32), np.empty(d, np.float32)
    hidden, g_hidden = np.empty(m, np.float32), np.empty(m, np.float32)
    one, zero = np.float32(1.0), np.float32(0.0)
    total_loss = 0.0
    for b in range(-1, n_sequences):  # -1: the start vector, alone in front of all sequences
        rows = 1 if b < 0 else n_rows
        for t in range(rows):
            for a in range(d):
                if b < 0:
                    x[t, a] = w[start + a]
                else:
                    x[t, a] = w[embedding + tokens[b, t] * d + a] + w[positions + t * d + a]
        for j in range(3 * h):
            for t in range(rows):
                total = w[qkv_bias + j]
                for a in range(d):
                    total += w[qkv + j * d + a] * x[t, a]
                y[j, t] = total
                g_y[j, t] = zero
        for t in range(rows):
            attend(y, pattern, z, t, h)
            for a in range(d):
                mid[a] = x[t, a] + w[out_bias + a]
                for c in range(h):
                    mid[a] += w[out + a * h + c] * z[c]
            if b < 0:
                share = np.float32(tokens[:, 0].mean())
                n_equal = n_sequences
            else:
                share = one if tokens[b, t + 1] else zero
                n_equal = 1
            buffers = mid, g_mid, hidden, g_hidden, post
            loss = add_row(w, g, at, buffers, one - share, share, scale * n_equal, d, m)
            total_loss += loss * n_equal
            for c in range(h):
                g_z[c] = zero
                for a in range(d):
                    g_z[c] += g_mid[a] * w[out + a * h + c]
                    g[out + a * h + c] += g_mid[a] * z[c]
            for a in range(d):
                g[out_bias + a] += g_mid[a]
                g_x[t, a] = g_mid[a]
            attend_backwards(y, g_y, pattern, z, g_z, slopes, t, h)
        for j in range(3 * h):
            for t in range(rows):
                g[qkv_bias + j] += g_y[j, t]
                for a in range(d):
                    g[qkv + j * d + a] += g_y[j, t] * x[t, a]
                    g_x[t, a] += g_y[j, t] * w[qkv + j * d + a]
        for t in range(rows):
            for a in range(d):
                if b < 0:
                    g[start + a] += g_x[t, a]
                else:
                    g[embedding + tokens[b, t] * d + a] += g_x[t, a]
                    g[positions + t * d + a] += g_x[t, a]
    return total_loss * scale


@compiled
@no_type_check
def train_on(w, moments, decay, is_trained, at, batches, rates, first_step, clip, d, h, m):
    """Update the weights by AdamW once per batch (batch sequence flip), and return the losses.

    `moments` (2, weights) are its running means, `decay` (weights) its weight decay, `rates` the
    learning rate of each step, and `clip` the largest norm of the gradient of trained weights.
    """
    losses = np.empty(len(batches))
    g = np.empty_like(w)
    for step in range(len(batches)):
        losses[step] = loss_and_gradient(w, g, at, batches[step], d, h, m)
        square = 0.0
        for j in range(len(w)):
            g[j] = g[j] if is_trained[j] else np.float32(0.0)
            square += g[j] * g[j]
        factor = min(clip / (np.sqrt(square) + 1e-6), 1.0) if clip else 1.0
        first = 1 - 0.9 ** (first_step + step + 1)
        second = 1 - 0.999 ** (first_step + step + 1)
        rate = rates[step]
        for j in range(len(w)):
            if is_trained[j]:
                slope = factor * g[j]
                moments[0, j] = 0.9 * moments[0, j] + 0.1 * slope
                moments[1, j] = 0.999 * moments[1, j] + 0.001 * slope * slope
                root = np.sqrt(moments[1, j] / second) + 1e-8
                w[j] -= rate * (decay[j] * w[j] + moments[0, j] / first / root)
    return losses
