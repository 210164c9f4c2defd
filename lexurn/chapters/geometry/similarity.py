"""CKA of two representations of the same tokens, and what it would be for worse reasons.

    cka(x, y)              linear CKA (Kornblith et al. 2019): HSIC(x, y) / √(HSIC(x, x) HSIC(y, y))
    debiased_cka(x, y)     with the unbiased estimate of HSIC (Song et al. 2012): about 0, whatever
                           n and d, for unrelated representations
    similarity_nulls       both, and debiased CKA of three controls

The controls exchange the vectors of one representation: among all tokens, so that both clouds keep
their anisotropy and nothing is common; among the tokens of the same type, so that only the type
is common; or they take away the largest direction of both.
"""

import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor

from lexurn.chapters.geometry.vector_geometry import Points, cka


def debiased_cka(x: Points, y: Float[Tensor, "points e"]) -> float:
    """Return linear CKA from unbiased estimates of HSIC, at most 1; it may be below 0."""
    k, l = (_gram_without_diagonal(z) for z in (x, y))  # noqa: E741  as in the source
    return float(_hsic(k, l) / (_hsic(k, k) * _hsic(l, l)).sqrt())


def similarity_nulls(
    x: Points, y: Float[Tensor, "points e"], types: Int64[Tensor, "points"], *, generator: Generator
) -> dict[str, float]:
    """Return CKA and its controls by name, for two representations of the same tokens.

    cka, debiased      of the vectors as they are
    other_tokens       vectors exchanged among all tokens
    same_type          vectors exchanged among tokens of the same type
    without_first      without the direction of the largest variance of each
    """
    anywhere = torch.randperm(len(x), generator=generator)
    return {
        "cka": cka(x, y),
        "debiased": debiased_cka(x, y),
        "other_tokens": debiased_cka(x[anywhere], y),
        "same_type": debiased_cka(x[exchange_within(types, generator=generator)], y),
        "without_first": debiased_cka(without_first_direction(x), without_first_direction(y)),
    }


def exchange_within(types: Int64[Tensor, "points"], *, generator: Generator) -> Tensor:
    """Return indices that exchange points at random within each type."""
    shuffled = torch.randperm(len(types), generator=generator)
    by_type = types.argsort(stable=True)
    shuffled_by_type = shuffled[types[shuffled].argsort(stable=True)]
    indices = torch.empty_like(shuffled)
    indices[by_type] = shuffled_by_type
    return indices


def without_first_direction(x: Points) -> Points:
    """Return the centred points without their component along the largest variance."""
    centred = x.double() - x.double().mean(0)
    direction = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -1]
    return centred - (centred @ direction)[:, None] * direction


def _gram_without_diagonal(x: Points) -> Tensor:
    centred = x.double() - x.double().mean(0)  # HSIC does not change; precision does
    return (centred @ centred.T).fill_diagonal_(0)


def _hsic(k: Tensor, l: Tensor) -> Tensor:  # noqa: E741
    """Return the unbiased estimate of HSIC from two Gram matrices without their diagonals."""
    n = len(k)
    traced = (k * l).sum()
    means = k.sum() * l.sum() / (n - 1) / (n - 2)
    rows = k.sum(0) @ l.sum(0) * 2 / (n - 2)
    return (traced + means - rows) / (n * (n - 3))
