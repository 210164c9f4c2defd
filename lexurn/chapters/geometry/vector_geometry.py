"""The geometry of token vectors: within a layer, between layers, and between models.

    cosines(x, valid)              mean cosine over pairs of tokens of a sequence, centred if asked
    cosines_with_others(x, valid)  mean cosine of each token with the other tokens of its sequence
    isotropic_cosine(n, d)         mean and standard deviation of `cosines` for isotropic vectors
    norms(x, valid)                mean norm of the vectors of a sequence
    updates(before, after, …)      norm of what a layer adds, and its cosine with the input
    effective_rank(x)              the number of directions that the vectors use
    cka(x, y)                      similarity of two representations of the same tokens
    neighbours(x, k)               the nearest neighbours of each point

`x` is (batch time d), and `valid` (batch time) marks the tokens that are not padding. Measures of
point clouds take (points d). Everything is computed in double precision. Isotropy, dimensions and
controls of CKA are in `isotropy`, `dimensions` and `similarity`.
"""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

Vectors = Float[Tensor, "batch time d"]
Valid = Bool[Tensor, "batch time"]
Points = Float[Tensor, "points d"]
PerSequence = Float[Tensor, "batch"]


def cosines(x: Vectors, valid: Valid, *, centred: bool = False) -> PerSequence:
    """Return the mean cosine over all pairs of different tokens of each sequence.

    It is NaN for fewer than two tokens. `centred` subtracts the mean of each sequence first. The
    mean follows from the norm of the sum of the unit vectors u: (‖Σ u‖² − n) / (n (n − 1)).
    """
    x = x.double()
    mask = valid.double()[..., None]
    n = mask.sum(1)  # batch 1
    if centred:
        x = x - (x * mask).sum(1, keepdim=True) / n[:, None]
    unit = torch.nn.functional.normalize(x, dim=-1) * mask
    n_nonzero = unit.norm(dim=-1).square().sum(-1)  # vectors of length zero have no direction
    n_pairs = n[:, 0] * (n[:, 0] - 1)
    mean = (unit.sum(1).square().sum(-1) - n_nonzero) / n_pairs
    return torch.where(n_pairs > 0, mean, torch.nan)


def cosines_with_others(x: Vectors, valid: Valid) -> Float[Tensor, "batch time"]:
    """Return the mean cosine of each token with the other tokens of its sequence.

    It is NaN for padding and for the only token of a sequence.
    """
    unit = torch.nn.functional.normalize(x.double(), dim=-1) * valid[..., None]
    n_others = valid.sum(1, keepdim=True) - 1
    cosine = ((unit @ unit.sum(1)[..., None])[..., 0] - unit.norm(dim=-1).square()) / n_others
    return torch.where(valid & (n_others > 0), cosine, torch.nan)


def isotropic_cosine(n: int, d: int) -> tuple[float, float]:
    """Return the mean and standard deviation of `cosines` for n independent isotropic vectors."""
    return 0.0, (2 / (n * (n - 1)) / d) ** 0.5


def norms(x: Vectors, valid: Valid) -> PerSequence:
    """Return the mean norm of the vectors of each sequence."""
    return _masked_mean(x.double().norm(dim=-1), valid)


def updates(before: Vectors, after: Vectors, valid: Valid) -> dict[str, PerSequence]:
    """Return two means over the tokens of each sequence, by name.

    `update` is the norm of after − before; `update_cosine` is the cosine of that difference with
    `before`.
    """
    update = after.double() - before.double()
    cosine = torch.nn.functional.cosine_similarity(before.double(), update, dim=-1)
    return {"update": norms(update, valid), "update_cosine": _masked_mean(cosine, valid)}


def effective_rank(x: Points) -> float:
    """Return exp of the entropy of the normalized singular values, from 1 to d.

    The mean of the points is not subtracted. Source: Roy & Vetterli 2007.
    """
    x = x.double()
    values = torch.linalg.eigvalsh(x.T @ x).clamp_min(0).sqrt()  # the singular values
    shares = values / values.sum()
    return float(torch.special.entr(shares).sum().exp())


def cka(x: Points, y: Float[Tensor, "points e"]) -> float:
    """Return the linear centred kernel alignment of two representations of the same points.

    It is 1 for a rotation and a scaling, and near 0 for unrelated representations.
    Source: Kornblith et al. 2019.
    """
    x = _centre(x)
    y = _centre(y)
    return float((x.T @ y).square().sum() / ((x.T @ x).norm() * (y.T @ y).norm()))


def neighbours(x: Points, k: int) -> Int64[Tensor, "points k"]:
    """Return the indices of the `k` nearest neighbours of each point, nearest first."""
    x = x.double()
    distances = torch.cdist(x, x)
    distances.fill_diagonal_(torch.inf)
    return distances.topk(k, largest=False).indices


def _centre(x: Points) -> Points:
    return x.double() - x.double().mean(0)


def _masked_mean(values: Float[Tensor, "batch time"], valid: Valid) -> PerSequence:
    return values.where(valid, 0).sum(1) / valid.sum(1)
