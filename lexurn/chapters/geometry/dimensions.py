"""The dimension of the surface that points lie on, from the distances to nearest neighbours.

    TwoNN (Facco et al. 2017)   μ = r_2 / r_1 of each point; F(μ) = 1 − μ^−d, so d is the slope of
                                −ln(1 − F) over ln μ through the origin, without the largest tenth
    MLE (Levina and Bickel 2004)   1/d = mean over points and over j < k of ln(r_k / r_j)

Both assume that the density is constant around a point, and that noise and repetitions are smaller
or larger than the distance to a neighbour. Points that are equal count once.
"""

from collections.abc import Callable

import torch

from lexurn.chapters.geometry.vector_geometry import Points

MIN_POINTS = 50
"""The smallest number of different points that a dimension is estimated from."""

KEPT_SHARE = 0.9
"""The share of points that TwoNN fits: the largest ratios are noisy."""

N_NEIGHBOURS = 20


def twonn(x: Points) -> float:
    """Return the dimension by the two nearest neighbours; ValueError for fewer than `MIN_POINTS`.

    It is infinite where every point has two neighbours at the same distance.
    """
    first, second = _neighbour_distances(x, 2).T
    log_ratios = (second / first).log().sort().values
    n = len(log_ratios)
    kept = int(n * KEPT_SHARE)
    shares = torch.arange(1, n + 1, dtype=torch.float64) / n
    slopes = -(1 - shares[:kept]).log()
    log_ratios = log_ratios[:kept]
    return float((slopes @ log_ratios) / log_ratios.square().sum())


def mle(x: Points, *, k: int = N_NEIGHBOURS) -> float:
    """Return the maximum-likelihood dimension from `k` neighbours (ValueError as for `twonn`).

    The inverses of the local estimates are averaged (MacKay and Ghahramani 2005).
    """
    distances = _neighbour_distances(x, k).log()
    inverse = (distances[:, -1:] - distances[:, :-1]).mean()
    return float(1 / inverse)


ESTIMATORS: dict[str, Callable[[Points], float]] = {"twonn": twonn, "mle": mle}


def _neighbour_distances(x: Points, k: int) -> torch.Tensor:
    """Return the distances to the `k` nearest neighbours (points k) of the different points."""
    points = x.double() - x.double().mean(0)  # cdist subtracts squares
    distances = torch.cdist(points, points).fill_diagonal_(torch.inf)
    if not distances.all():
        points = torch.unique(points, dim=0)  # slow, and rarely needed
        distances = torch.cdist(points, points).fill_diagonal_(torch.inf)
    n_min = max(MIN_POINTS, k + 1)
    if len(points) < n_min:
        raise ValueError(
            f"an intrinsic dimension needs at least {n_min} different points, got {len(points)}; "
            "use more points"
        )
    return distances.topk(k, largest=False).values
