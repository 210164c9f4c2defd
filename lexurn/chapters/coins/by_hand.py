"""A head that counts, built by hand in the shape of the tiny model.

Its query is zero, so attention is the plain mean over the flips. Heads and tails have the values +1
and −1, so z = m = (2H − N) / N. Their embeddings are ± `STEP` in the first coordinate, too small to
matter, and z is added there: the stream before the MLP is (m, ln N). Log odds are odd in m,

    ln((H + 1) / (T + 1)) = softplus(ln H) − softplus(ln T),

so ReLUs come in pairs that differ in the sign of m:

    log odds ≈ a m + Σ_k b_k [relu(m + u_k ln N + c_k) − relu(−m + u_k ln N + c_k)].

The pairs are chosen one after the other from a list of slopes u and offsets c, each the one that
helps most. Given the pairs, a and b are the solution of a logistic regression, a convex problem.
"""

from itertools import product

import numpy as np

from lexurn.chapters.coins.contexts import Array

STEP = 1e-4
SLOPES = np.arange(-10, 11) / 10
OFFSETS = np.arange(-30, 31) / 10
N_NEWTON = 20


def counts(max_flips: int) -> tuple[Array, Array, Array]:
    """Return N, H and the probability of all counts of 1 … max_flips flips, uniform over N."""
    pairs = np.array([(n, h) for n in range(1, max_flips + 1) for h in range(n + 1)], float)
    return pairs[:, 0], pairs[:, 1], 1 / (pairs[:, 0] + 1) / max_flips


def hinge_pair(m: Array, log_n: Array, slope: float, offset: float) -> Array:
    """Return relu(m + slope · log_n + offset) minus the same at −m."""
    inner = slope * log_n + offset
    return np.maximum(m + inner, 0) - np.maximum(-m + inner, 0)


def choose(n_pairs: int, *, max_flips: int) -> tuple[list[tuple[float, float]], Array]:
    """Return the slopes and offsets of the pairs, and the coefficients a, b_1, …"""
    n, heads, probability = counts(max_flips)
    m, log_n, p = 2 * heads / n - 1, np.log(n), (heads + 1) / (n + 2)
    options = list(product(SLOPES, OFFSETS))
    columns = np.stack([hinge_pair(m, log_n, *option) for option in options])
    root = np.sqrt(probability * p * (1 - p))  # of the weights near the exact log odds
    target = root * np.log(p / (1 - p))
    chosen: list[int] = []
    used = [root * m]
    for _ in range(n_pairs):
        basis, _ = np.linalg.qr(np.stack(used, -1))
        rest = target - basis @ (basis.T @ target)
        inner = root * columns
        inner = inner - (inner @ basis) @ basis.T
        sizes = np.linalg.norm(inner, axis=1)
        gain = np.where(sizes > 1e-6, np.abs(inner @ rest) / np.maximum(sizes, 1e-6), 0)
        chosen.append(int(gain.argmax()))
        used.append(root * columns[chosen[-1]])
    features = np.stack([m, *columns[chosen]], -1)
    return [options[at] for at in chosen], logistic_regression(features, p, probability)


def logistic_regression(features: Array, p: Array, weights: Array) -> Array:
    """Return the coefficients with the least expected loss, by Newton's method from zero."""
    solution = np.zeros(features.shape[1])
    for _ in range(N_NEWTON):
        q = 1 / (1 + np.exp(-features @ solution))
        gradient = features.T @ (weights * (q - p))
        curvature = (features.T * (weights * q * (1 - q))) @ features
        solution = solution - np.linalg.solve(curvature + 1e-12 * np.eye(len(solution)), gradient)
    return solution


def build(n_pairs: int, *, context_length: int) -> dict[str, Array]:
    """Return the weights of the head, by part (`tiny_loops.PARTS`), with 2 · n_pairs ReLUs."""
    pairs, solution = choose(n_pairs, max_flips=context_length)
    signs = np.tile([1.0, -1.0], n_pairs)
    slopes, offsets = np.repeat(np.array(pairs), 2, axis=0).T
    down = np.stack([signs * np.repeat(solution[1:], 2), np.zeros(2 * n_pairs)])
    line = solution[0]  # the stream itself is read out with this factor, and the MLP without it
    positions = np.stack([np.zeros(context_length), np.log1p(np.arange(context_length))], -1)
    return {
        "start": np.zeros(2),
        "embedding": np.array([[-STEP, 0.0], [STEP, 0.0]]),
        "positions": positions,
        "qkv": np.array([[0.0, 0.0], [0.0, 0.0], [1 / STEP, 0.0]]),
        "qkv_bias": np.zeros(3),
        "out": np.array([[1.0], [0.0]]),
        "out_bias": np.zeros(2),
        "up": np.stack([signs, slopes]),
        "up_bias": offsets,
        "down": down / line,
        "down_bias": np.zeros(2),
        "readout": np.array([[-line / 2, 0.0], [line / 2, 0.0]]),
        "readout_bias": np.zeros(2),
    }
