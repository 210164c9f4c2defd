"""The sums of S over relabelings in compiled loops, which numba makes from the functions below.

Colours of an urn θ, and the counts n of a context, must be in falling order. As in `symmetrized`,
the sums over relabelings are permanents of A'[i, k] = θ_k^n_i / (u_i w_k), scaled such that the
diagonal is 1. With the ratios q_j = θ_{j+1} / θ_j ≤ 1, every other element is a product of powers:

    A'[i, k] = Π_{i ≤ j < k} q_j^(n_i − n_j)        A'[i, k] = Π_{k ≤ j < i} q_j^(n_j − n_i)

For a subset m of the columns, `ahead` sums over all matchings of the first |m| rows with m, and
`behind` over all matchings of the other rows with the other columns:

    ahead(m)  = Σ_{k ∈ m} A'[|m| − 1, k] ahead(m − k)        perm A' = ahead(all columns)
    behind(m) = Σ_{k ∉ m} A'[|m|, k] behind(m + k)

    Σ_π θ_{π(i)} Π_j A'[j, π(j)] = Σ_{|m| = i} ahead(m) Σ_{k ∉ m} θ_k A'[i, k] behind(m + k)

This takes 3 V 2^(V−1) products per urn and context. Contexts are handled `LANES` at a time: their
numbers lie side by side, so the innermost loops use the processor's vector instructions.
"""

from collections.abc import Callable
from typing import no_type_check  # annotations cannot be checked inside compiled code

import numpy as np
from numba import njit

LANES = 64


def compiled(function: Callable) -> Callable:
    """Compile a function when it is first called, and keep the result on disk for other processes.

    It is kept beside this file or in the user's cache folder, or nowhere if both are read-only.
    """
    try:
        return njit(function, nogil=True, cache=True)
    except RuntimeError:
        return njit(function, nogil=True)


@compiled
@no_type_check
def sum_relabelings(counts, urn, powers, permanents, sums):
    """Write perm A' to `permanents` (contexts) and Σ_π θ_{π(i)} Π_j A'[j, π(j)] to `sums` (colors
    contexts), for integer counts (colors contexts), and `powers[j, n]`, which is q_j^n."""
    n_colors, n_contexts = counts.shape
    n_subsets = 1 << n_colors
    factors = np.zeros((n_colors, n_colors, LANES))  # A'
    subsets = np.zeros((n_subsets, LANES))  # ahead, and afterwards behind
    behind, weighted = np.zeros(LANES), np.zeros(LANES)
    sizes = np.zeros(n_subsets, np.int64)
    for start in range(0, n_contexts, LANES):
        n_lanes = min(LANES, n_contexts - start)
        for i in range(n_colors):
            for lane in range(n_lanes):
                n_i = counts[i, start + lane]
                factors[i, i, lane] = 1.0
                for k in range(i + 1, n_colors):
                    power = powers[k - 1, n_i - counts[k - 1, start + lane]]
                    factors[i, k, lane] = factors[i, k - 1, lane] * power
                for k in range(i - 1, -1, -1):
                    power = powers[k, counts[k, start + lane] - n_i]
                    factors[i, k, lane] = factors[i, k + 1, lane] * power

        for m in range(n_subsets):
            sizes[m] = sizes[m >> 1] + (m & 1)
            row = sizes[m] - 1
            for lane in range(n_lanes):
                subsets[m, lane] = m == 0
            for k in range(n_colors):
                if m >> k & 1:
                    for lane in range(n_lanes):
                        subsets[m, lane] += factors[row, k, lane] * subsets[m ^ 1 << k, lane]

        for lane in range(n_lanes):
            permanents[start + lane] = subsets[n_subsets - 1, lane]
            subsets[n_subsets - 1, lane] = 1.0
        for m in range(n_subsets - 2, -1, -1):
            row = sizes[m]
            for lane in range(n_lanes):
                behind[lane] = 0.0
                weighted[lane] = 0.0
            for k in range(n_colors):
                if not m >> k & 1:
                    for lane in range(n_lanes):
                        term = factors[row, k, lane] * subsets[m | 1 << k, lane]
                        behind[lane] += term
                        weighted[lane] += urn[k] * term
            for lane in range(n_lanes):
                sums[row, start + lane] += subsets[m, lane] * weighted[lane]
                subsets[m, lane] = behind[lane]
