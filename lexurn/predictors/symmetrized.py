"""The symmetrized predictor S: Bayes under the pool with its colours relabeled in every way.

    S(v | n) = Σ_d Σ_π [Π_i θ_{d,π(i)}^{n_i}] θ_{d,π(v)}  /  Σ_d Σ_π Π_i θ_{d,π(i)}^{n_i}

             = Memorizing(relabelings(urns))(v | n)

Here n_i counts colour i in the prefix, d runs over the urns θ_d of the pool, and π over all V!
relabelings of the colours. A lexically invariant model sees only which positions hold equal tokens;
if it is trained on a pool, S is its optimum.

For up to `ENUMERABLE` colours the second line is also the algorithm. For more colours, the sums
over π are permanents of the matrix A[i, k] = θ_k^{n_i}, which a dynamic programme over subsets of
columns computes in O(2^V V) steps instead of V!.

This is the torch form. `lexurn.predictors.Symmetrized` computes large problems by compiled loops
(`compiled`, `permanents`), and uses this form for all others and as its oracle.

The strategies chapter compresses the source of this module's functions to measure the complexity of
S. Renaming anything inside them changes published numbers.
"""

import itertools
from functools import cache
from math import comb

import torch
from jaxtyping import Float64
from torch import Tensor
from torch.nn.functional import pad

from lexurn.base.shapes import LogProbs, Pool, Tokens
from lexurn.predictors.counting import Memorizing, check_urns, floored_log, prefix_counts

ENUMERABLE = 4  # colours at most for which sums over V! relabelings are faster than subsets
CHUNK = 2**21  # sums over subsets that are held in memory at once, at most: 16 MiB

MAX_COLORS = 14
"""The largest number of colours for which sums over 2^V subsets take acceptable time."""


def relabelings(urns: Pool) -> Float64[Tensor, "relabelled colors"]:
    """Return the pool under every permutation of the colours: (tasks · V!, colors)."""
    orders = torch.tensor(list(itertools.permutations(range(urns.shape[1]))), device=urns.device)
    return urns[:, orders].flatten(0, 1)


class Symmetrized:
    """S: Bayes under the uniform prior over every relabeling of every urn of a pool.

    S depends on counts alone, and gives colours with equal counts equal probability. Raises
    ValueError for more than `MAX_COLORS` colours, where sums over 2^V subsets take too long.
    """

    def __init__(self, urns: Pool):
        check_urns(urns)
        if urns.shape[1] > MAX_COLORS:
            raise ValueError(f"Symmetrized takes at most {MAX_COLORS} colours, got {urns.shape[1]}")
        self.urns = urns

    def __call__(self, tokens: Tokens) -> LogProbs:
        n_tasks, n_colors = self.urns.shape
        if n_colors <= ENUMERABLE:
            return Memorizing(relabelings(self.urns))(tokens)
        counts = prefix_counts(tokens, n_colors)
        urns = self.urns.to(counts.device).sort(-1, descending=True).values
        falling, order = counts.flatten(0, 1).sort(-1, descending=True)  # rows colors
        chunks = falling.split(max(CHUNK // (2**n_colors * n_tasks), 1))
        # one buffer for all chunks: fresh memory for every chunk takes as long as the sums
        sums = falling.new_empty(2, 2**n_colors, n_tasks * len(chunks[0]))
        probs = torch.cat(
            [_mixture(urns, chunk, sums[..., : n_tasks * len(chunk)]) for chunk in chunks]
        )
        return torch.empty_like(falling).scatter_(-1, order, probs).log_().view_as(counts)


def _mixture(
    urns: Pool, counts: Float64[Tensor, "rows colors"], sums: Float64[Tensor, "2 subsets pairs"]
) -> Float64[Tensor, "rows colors"]:
    """Return Σ_d w_d S_d(v), where w_d ∝ the evidence of urn d up to relabeling.

    Urns and counts must be sorted in falling order. A is scaled by rows and columns,
    A'[i, k] = exp(n_i ln θ_k − u_i − w_k), with the potentials w of the optimal matching, which for
    sorted factors is the identity. So A' ≤ 1 with ones on the diagonal, perm A' lies between 1 and
    V!, and nothing over- or underflows for sequences of any length. The unscaled permanent is
    ln perm A = ln perm A' + Σ_i n_i ln θ_i.
    """
    n_colors = urns.shape[1]
    counts = counts.T.contiguous()[:, None]  # colors 1 rows, and below: colors tasks rows
    log_urns = floored_log(urns).T[..., None]
    drops = counts[:-1] * (log_urns[:-1] - log_urns[1:])
    # w_k = Σ_{j ≥ k} n_j (ln θ_j − ln θ_{j+1})
    potentials = pad(drops.flip(0).cumsum(0).flip(0), (0, 0, 0, 0, 0, 1))
    scaled = counts[:, None] * log_urns - potentials  # i k tasks rows
    scaled = (scaled - scaled.diagonal().movedim(-1, 0)[:, None]).exp_().flatten(2)

    # ahead[i][m] sums over matchings of the first i rows with the i columns of subset m;
    # behind[i][m] does the same for the last i rows
    sizes = [comb(n_colors, size) for size in range(n_colors + 1)]
    ahead, behind = (half.split(sizes) for half in sums.zero_())
    ahead[0].fill_(1.0), behind[0].fill_(1.0)
    for i in range(n_colors):
        _extend(ahead[i], scaled[i], ahead[i + 1], n_colors, i)
        _extend(behind[i], scaled[-1 - i], behind[i + 1], n_colors, i)
    permanent = ahead[-1][0].view(len(urns), -1)  # tasks rows

    weights = (permanent.log() + (counts * log_urns).sum(0)).softmax(0) / permanent
    probs = []
    for i in range(n_colors):
        minors = _join(ahead[i], behind[n_colors - 1 - i], n_colors, i) * scaled[i]
        probs.append(
            (minors.view(n_colors, *permanent.shape) * urns.T[..., None] * weights).sum((0, 1))
        )
    return torch.stack(probs, -1)


def _extend(matched: Tensor, row: Tensor, extended: Tensor, n_colors: int, size: int) -> None:
    """Match one more row: write the sums over subsets of `size + 1` columns to `extended`."""
    sources, columns, targets = matched.unbind(), row.unbind(), extended.unbind()
    for smaller, column, larger in _steps(n_colors, size):
        targets[larger].addcmul_(sources[smaller], columns[column])


def _join(ahead: Tensor, behind: Tensor, n_colors: int, size: int) -> Tensor:
    """Return the permanents without row `size` and without each single column: (colors, rows)."""
    minors = ahead.new_zeros(n_colors, ahead.shape[-1])
    before, after, targets = ahead.unbind(), behind.unbind(), minors.unbind()
    for smaller, column, larger in _steps(n_colors, size):
        targets[column].addcmul_(before[smaller], after[-1 - larger])  # the complement of `larger`
    return minors


@cache
def _subsets(n_colors: int, size: int) -> list[tuple[int, ...]]:
    """Return the subsets of `size` columns in lexicographic order.

    The complement of subset j is subset j from the end among the subsets of the other size.
    """
    return list(itertools.combinations(range(n_colors), size))


@cache
def _steps(n_colors: int, size: int) -> list[tuple[int, int, int]]:
    """Return all (subset of `size`, column outside it, their union); subsets are indices into
    `_subsets`."""
    place = {subset: j for j, subset in enumerate(_subsets(n_colors, size + 1))}
    return [
        (j, column, place[tuple(sorted((*subset, column)))])
        for j, subset in enumerate(_subsets(n_colors, size))
        for column in range(n_colors)
        if column not in subset
    ]
