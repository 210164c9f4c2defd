"""How evenly vectors fill their space: measures that can say no.

The mean of centred cosines cannot: for n vectors it is about −1/(n − 1), whatever the cloud. These
measures come from the eigenvalues λ of the covariance of a cloud in d dimensions instead:

    participation ratio   PR = (Σ λ)² / Σ λ²          the number of directions that share the spread
    isotropy              (PR − 1) / (d − 1)          0: one direction, 1: all alike (IsoScore)
    first direction       λ_1 / Σ λ                   the share of the largest
    common direction      ‖mean‖² / mean of ‖x‖²      what a mean cosine mostly measures

IsoScore (Rudman et al. 2022) normalizes the λ to length √d, takes their distance from (1, …, 1),
and rescales it in two steps; the result is the formula above. For n isotropic Gaussian points, PR
is about d / (1 + d/n): with few points, even an isotropic cloud is not isotropic.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from lexurn.chapters.geometry.vector_geometry import PerSequence, Points, Valid, Vectors


def variances(x: Points) -> Float[Tensor, "directions"]:
    """Return the eigenvalues of the covariance of a cloud, in falling order."""
    x = x.double()
    centred = x - x.mean(0)
    return torch.linalg.eigvalsh(centred.T @ centred / len(x)).flip(0).clamp_min(0)


def participation_ratio(x: Points) -> float:
    """Return the number of directions that share the spread of a cloud, from 1 to d."""
    values = variances(x)
    return float(values.sum() ** 2 / values.square().sum())


def isotropy(x: Points) -> float:
    """Return the IsoScore of a cloud: 0 for a line, 1 for equal spread in all directions."""
    return (participation_ratio(x) - 1) / (x.shape[1] - 1)


def expected_isotropy(n: int, d: int) -> float:
    """Return about what `isotropy` is for n isotropic Gaussian points in d dimensions."""
    return (d / (1 + d / n) - 1) / (d - 1)


def first_direction_share(x: Points) -> float:
    """Return the share of the variance along the direction of the largest variance."""
    values = variances(x)
    return float(values[0] / values.sum())


def common_direction_share(x: Points) -> float:
    """Return the share of the mean squared length that the mean vector has."""
    x = x.double()
    return float(x.mean(0).square().sum() / x.square().sum(-1).mean())


def centred_cosine_spread(x: Vectors, valid: Valid) -> PerSequence:
    """Return the standard deviation of the centred cosines of each sequence over pairs of tokens.

    For vectors that fill their directions with participation ratio PR it is about 1 / √PR, which is
    1 / √d if they are isotropic. It is NaN for fewer than three tokens.
    """
    mask = valid.double()[..., None]
    n = mask.sum(1)  # batch 1
    centred = x.double() - (x.double() * mask).sum(1, keepdim=True) / n[:, None]
    unit = torch.nn.functional.normalize(centred, dim=-1) * mask
    n_pairs = n[:, 0] * (n[:, 0] - 1)
    own = unit.square().sum(-1)  # 1, or 0 for padding and vectors of length zero
    mean = (unit.sum(1).square().sum(-1) - own.sum(-1)) / n_pairs
    squares = (unit.mT @ unit).square().sum((1, 2)) - own.square().sum(-1)
    spread = (squares / n_pairs - mean.square()).clamp_min(0).sqrt()
    return torch.where(n[:, 0] > 2, spread, torch.nan)


def cloud_isotropy(x: Points) -> dict[str, float]:
    """Return the measures of one cloud by name."""
    values = variances(x)
    ratio = values.sum() ** 2 / values.square().sum()
    return {
        "isotropy": float((ratio - 1) / (x.shape[1] - 1)),
        "first": float(values[0] / values.sum()),
        "common": common_direction_share(x),
    }
