"""Geometry: every measure against brute force, and where the answer is known."""

import numpy as np
import pytest
import torch

from lexurn.base.seeding import generator
from lexurn.chapters.geometry import vector_geometry


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed, "vectors"), dtype=torch.float64)


def all_valid(x):
    return torch.ones(x.shape[:2], dtype=torch.bool)


def mean_over_pairs(x, valid, centred):
    """Return the mean cosine of each sequence by a loop over all pairs."""
    means = []
    for vectors, is_valid in zip(x, valid, strict=True):
        tokens = vectors[is_valid]
        tokens = tokens - tokens.mean(0) if centred else tokens
        pairs = [
            torch.cosine_similarity(tokens[i], tokens[j], dim=0).item()
            for i in range(len(tokens))
            for j in range(len(tokens))
            if i != j
        ]
        means.append(np.mean(pairs) if pairs else np.nan)
    return means


@pytest.mark.parametrize("centred", [False, True])
def test_cosines_are_means_over_all_pairs_and_ignore_padding(centred):
    x, valid = normal(5, 9, 4) + 1, torch.arange(9) < torch.tensor([9, 4, 2, 1, 6])[:, None]
    values = vector_geometry.cosines(x, valid, centred=centred)
    assert values.tolist() == pytest.approx(mean_over_pairs(x, valid, centred), nan_ok=True)
    other = torch.where(valid[..., None], x, 1e6)
    assert torch.allclose(
        vector_geometry.cosines(other, valid, centred=centred), values, equal_nan=True
    )
    one_by_one = [
        vector_geometry.cosines(x[k : k + 1], valid[k : k + 1], centred=centred).item()
        for k in range(5)
    ]
    assert values.tolist() == pytest.approx(one_by_one, nan_ok=True)


def test_the_mean_cosine_of_tokens_with_the_others_is_the_mean_over_all_pairs():
    x, valid = normal(4, 7, 5) + 0.5, torch.arange(7) < torch.tensor([7, 3, 2, 1])[:, None]
    values = vector_geometry.cosines_with_others(x, valid)
    assert (values.isnan() == (~valid | (valid.sum(1, keepdim=True) == 1))).all()
    assert torch.allclose(values.nanmean(1), vector_geometry.cosines(x, valid), equal_nan=True)
    one, others = x[1, 2], x[1, :2]
    cosines = torch.nn.functional.cosine_similarity(one[None], others)
    assert values[1, 2].item() == pytest.approx(cosines.mean().item())


def test_cosines_where_they_are_known():
    same, apart = torch.ones(1, 6, 3), torch.eye(6)[None]
    assert vector_geometry.cosines(same, all_valid(same)).item() == pytest.approx(1)
    assert vector_geometry.cosines(apart, all_valid(apart)).item() == pytest.approx(0)
    assert vector_geometry.cosines(apart, all_valid(apart), centred=True).item() == pytest.approx(
        -1 / 5
    )
    x = normal(2000, 20, 16)
    mean, spread = vector_geometry.isotropic_cosine(20, 16)
    values = vector_geometry.cosines(x, all_valid(x))
    assert (
        abs(values.mean() - mean) < 4 * spread / 2000**0.5 and abs(values.std() / spread - 1) < 0.1
    )
    centred = vector_geometry.cosines(x, all_valid(x), centred=True)
    assert abs(centred.mean() + 1 / 19) < 0.003
    shifted = vector_geometry.cosines(x + 1, all_valid(x))
    assert shifted.mean() > 0.3  # the control: a common direction is detected


def test_updates_are_norms_and_cosines_of_the_difference():
    before, added = normal(3, 5, 4), normal(3, 5, 4, seed=1)
    valid = torch.arange(5) < torch.tensor([5, 2, 3])[:, None]
    values = vector_geometry.updates(before, before + added, valid)
    for k, n in enumerate((5, 2, 3)):
        b, a = before[k, :n], added[k, :n]
        cosine = (b * a).sum(-1) / b.norm(dim=-1) / a.norm(dim=-1)
        assert vector_geometry.norms(before, valid)[k] == pytest.approx(
            b.norm(dim=-1).mean().item()
        )
        assert values["update"][k] == pytest.approx(a.norm(dim=-1).mean().item())
        assert values["update_cosine"][k] == pytest.approx(cosine.mean().item())
    doubled = vector_geometry.updates(before, 2 * before, all_valid(before))
    assert torch.allclose(doubled["update_cosine"], torch.ones(3, dtype=torch.float64))


def test_effective_rank_counts_directions():
    x = normal(500, 8)
    assert vector_geometry.effective_rank(torch.eye(8).repeat(4, 1)) == pytest.approx(8)
    assert vector_geometry.effective_rank(
        x[:, :1] @ torch.ones(1, 8, dtype=torch.float64)
    ) == pytest.approx(1, abs=1e-3)
    values = np.linalg.svd(x.numpy(), compute_uv=False)
    shares = values / values.sum()
    assert vector_geometry.effective_rank(x) == pytest.approx(
        np.exp(-(shares * np.log(shares)).sum())
    )


def test_cka_recognizes_a_rotation_and_not_another_cloud():
    x, rotation = normal(400, 6), torch.linalg.qr(normal(6, 6, seed=2)).Q
    turned = 3 * x @ rotation + 1
    assert vector_geometry.cka(x, turned) == pytest.approx(1)
    other = normal(400, 6, seed=3)
    assert vector_geometry.cka(x, other) < 0.05
    centred_x = x - x.mean(0)
    centred_y = other - other.mean(0)
    gram_x = centred_x @ centred_x.T
    gram_y = centred_y @ centred_y.T
    expected = (gram_x * gram_y).sum() / gram_x.norm() / gram_y.norm()
    assert vector_geometry.cka(x, other) == pytest.approx(expected.item())
    stretched = x * torch.tensor([9.0, 1, 1, 1, 1, 1], dtype=torch.float64)
    assert vector_geometry.cka(x, stretched) < 0.9
