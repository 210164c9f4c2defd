"""How the vectors of tokens lie to each other: in a layer, from layer to layer, and from model to model.

    cosines(x, valid)            mean cosine of the pairs of a sequence's vectors; also with their mean taken away
    with_others(x, valid)        the same for each token
    isotropic(n, d)              what vectors that point anywhere would give, and its spread
    norms(x, valid)              the mean length of a sequence's vectors
    updates(before, after, …)    what a layer adds: its norm, and its cosine with what it is added to
    effective_rank(x)            how many directions the vectors use
    dimension(x)                 of the manifold that they lie on: TwoNN, and maximum likelihood
    overlap(x, y)                how many of the nearest neighbours of a vector stay its neighbours
    cka(x, y), procrustes(x, y)  how alike two representations of the same tokens are, up to rotations

`x` is (batch time d), with `valid` (batch time) for the tokens that are there: padding never counts. The measures of
clouds of points take (points d). All are computed in double precision.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

FEWEST_POINTS = 50
"""Fewer say nothing about a dimension."""

Vectors = Float[Tensor, "batch time d"]
Valid = Bool[Tensor, "batch time"]
Points = Float[Tensor, "points d"]
PerSequence = Float[Tensor, "batch"]


def cosines(x: Vectors, valid: Valid, *, centred: bool = False) -> PerSequence:
    """The mean cosine over all pairs of different tokens of a sequence; NaN where it has fewer than two.

    It follows from the norm of the mean of unit vectors, (‖Σ u‖² − n) / (n (n − 1)), without any pair being formed.
    `centred`: from each vector the mean of its sequence is taken away first.
    """
    x, kept = x.double(), valid.double()[..., None]
    n = kept.sum(1)  # batch 1
    if centred:
        x = x - (x * kept).sum(1, keepdim=True) / n[:, None]
    unit = torch.nn.functional.normalize(x, dim=-1) * kept
    there = unit.norm(dim=-1).square().sum(-1)  # vectors of length zero have no direction
    pairs = n[:, 0] * (n[:, 0] - 1)
    return torch.where(pairs > 0, (unit.sum(1).square().sum(-1) - there) / pairs, torch.nan)


def with_others(x: Vectors, valid: Valid) -> Float[Tensor, "batch time"]:
    """The mean cosine of each token with all others of its sequence; NaN for one that is not there, or alone."""
    unit = torch.nn.functional.normalize(x.double(), dim=-1) * valid[..., None]
    others = valid.sum(1, keepdim=True) - 1
    cosine = ((unit @ unit.sum(1)[..., None])[..., 0] - unit.norm(dim=-1).square()) / others
    return torch.where(valid & (others > 0), cosine, torch.nan)


def isotropic(n: int, d: int) -> tuple[float, float]:
    """Mean and standard deviation of `cosines` of n vectors that point anywhere in d dimensions, independently."""
    return 0.0, (2 / (n * (n - 1)) / d) ** 0.5


def norms(x: Vectors, valid: Valid) -> PerSequence:
    """The mean norm of the vectors of a sequence."""
    return _mean(x.double().norm(dim=-1), valid)


def updates(before: Vectors, after: Vectors, valid: Valid) -> dict[str, PerSequence]:
    """Means over the tokens of a sequence: `update`, the norm of what is added to its vectors, and `update_cosine`,
    between the two."""
    added = after.double() - before.double()
    cosine = torch.nn.functional.cosine_similarity(before.double(), added, dim=-1)
    return {"update": norms(added, valid), "update_cosine": _mean(cosine, valid)}


def effective_rank(x: Points) -> float:
    """exp of the entropy of the singular values, as shares of their sum (Roy & Vetterli 2007): from 1 to d. The mean is
    not taken away."""
    values = torch.linalg.svdvals(x.double())
    shares = values / values.sum()
    return float(torch.special.entr(shares).sum().exp())


ESTIMATORS = ("twonn", "mle")


def dimension(x: Points, *, estimators: Sequence[str] = ESTIMATORS) -> dict[str, float]:
    """The intrinsic dimension by TwoNN (Facco et al. 2017) and by maximum likelihood (Levina & Bickel 2004), from the
    distances to nearest neighbours; scikit-dimension computes both. Points that come twice count once.

    Raises ValueError for fewer than `FEWEST_POINTS` different points, and ImportError without scikit-dimension.
    """
    try:
        import skdim
    except ImportError:
        raise ImportError('dimensions need scikit-dimension; pip install -e ".[text]"') from None
    points = np.unique(x.double().cpu().numpy(), axis=0)
    if len(points) < FEWEST_POINTS:
        raise ValueError(
            f"a dimension needs at least {FEWEST_POINTS} different points, got {len(points)}; take more"
        )
    of = {"twonn": skdim.id.TwoNN, "mle": partial(skdim.id.MLE, K=20)}
    return {name: float(np.mean(of[name]().fit(points).dimension_)) for name in estimators}


def overlap(x: Points, y: Points, *, k: int = 10) -> float:
    """The mean share of the k nearest neighbours of a point in x that are among the k nearest of it in y."""
    if len(x) <= k:
        raise ValueError(
            f"neighbours of k={k} need more than {k} points, got {len(x)}; take more, or a smaller k"
        )
    near_x, near_y = (neighbours(each, k) for each in (x, y))
    return float((near_x[:, :, None] == near_y[:, None]).any(-1).double().mean())


def cka(x: Points, y: Float[Tensor, "points e"]) -> float:
    """Linear centred kernel alignment (Kornblith et al. 2019): 1 for a rotation and a scaling, near 0 for what has
    nothing in common."""
    x, y = (each.double() - each.double().mean(0) for each in (x, y))
    return float((x.T @ y).square().sum() / ((x.T @ x).norm() * (y.T @ y).norm()))


def procrustes(x: Points, y: Points) -> float:
    """The least squared distance of two centred clouds of norm 1 over all rotations and reflections of one: from 0 to
    2 (Schönemann 1966)."""
    x, y = (each.double() - each.double().mean(0) for each in (x, y))
    return float(2 - 2 * torch.linalg.svdvals((x / x.norm()).T @ (y / y.norm())).sum())


def neighbours(x: Points, k: int) -> Int64[Tensor, "points k"]:
    """Which `k` points are nearest to each, the nearest first."""
    x = x.double()
    apart = torch.cdist(x, x)
    apart.fill_diagonal_(torch.inf)
    return apart.topk(k, largest=False).indices


def _mean(values: Float[Tensor, "batch time"], valid: Valid) -> PerSequence:
    return values.where(valid, 0).sum(1) / valid.sum(1)
