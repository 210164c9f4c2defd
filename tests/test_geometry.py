"""Geometry: each measure by brute force, and where the answer is known."""

import numpy as np
import pytest
import torch

from lexurn.base.seeding import generator
from lexurn.chapters.geometry import vector_geometry


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed, "vectors"), dtype=torch.float64)


def everything(x):
    return torch.ones(x.shape[:2], dtype=torch.bool)


def by_pairs(x, valid, centred):
    found = []
    for vectors, there in zip(x, valid, strict=True):
        kept = vectors[there]
        kept = kept - kept.mean(0) if centred else kept
        pairs = [
            (kept[i] @ kept[j] / kept[i].norm() / kept[j].norm()).item()
            for i in range(len(kept))
            for j in range(len(kept))
            if i != j
        ]
        found.append(np.mean(pairs) if pairs else np.nan)
    return found


@pytest.mark.parametrize("centred", [False, True])
def test_cosines_are_those_of_all_pairs_and_padding_never_counts(centred):
    x, valid = drawn(5, 9, 4) + 1, torch.arange(9) < torch.tensor([9, 4, 2, 1, 6])[:, None]
    found = vector_geometry.cosines(x, valid, centred=centred)
    assert found.tolist() == pytest.approx(by_pairs(x, valid, centred), nan_ok=True)
    other = torch.where(valid[..., None], x, 1e6)  # whatever stands behind
    assert torch.allclose(
        vector_geometry.cosines(other, valid, centred=centred), found, equal_nan=True
    )
    one_by_one = [
        vector_geometry.cosines(x[k : k + 1], valid[k : k + 1], centred=centred).item()
        for k in range(5)
    ]
    assert found.tolist() == pytest.approx(one_by_one, nan_ok=True)


def test_the_cosines_of_each_token_with_the_others_come_to_those_of_all_pairs():
    x, valid = drawn(4, 7, 5) + 0.5, torch.arange(7) < torch.tensor([7, 3, 2, 1])[:, None]
    found = vector_geometry.with_others(x, valid)
    assert (found.isnan() == (~valid | (valid.sum(1, keepdim=True) == 1))).all()
    assert torch.allclose(found.nanmean(1), vector_geometry.cosines(x, valid), equal_nan=True)
    one, others = x[1, 2], x[1, :2]
    cosines = torch.nn.functional.cosine_similarity(one[None], others)
    assert found[1, 2].item() == pytest.approx(cosines.mean().item())


def test_cosines_where_they_are_known():
    same, apart = torch.ones(1, 6, 3), torch.eye(6)[None]
    assert vector_geometry.cosines(same, everything(same)).item() == pytest.approx(1)
    assert vector_geometry.cosines(apart, everything(apart)).item() == pytest.approx(0)
    assert vector_geometry.cosines(apart, everything(apart), centred=True).item() == pytest.approx(
        -1 / 5
    )
    x = drawn(2000, 20, 16)
    mean, spread = vector_geometry.isotropic(20, 16)
    found = vector_geometry.cosines(x, everything(x))
    assert abs(found.mean() - mean) < 4 * spread / 2000**0.5 and abs(found.std() / spread - 1) < 0.1
    centred = vector_geometry.cosines(x, everything(x), centred=True)
    assert abs(centred.mean() + 1 / 19) < 0.003
    shifted = vector_geometry.cosines(x + 1, everything(x))
    assert shifted.mean() > 0.3  # the control: a common direction is found


def test_updates_are_norms_and_cosines_of_what_is_added():
    before, added = drawn(3, 5, 4), drawn(3, 5, 4, seed=1)
    valid = torch.arange(5) < torch.tensor([5, 2, 3])[:, None]
    found = vector_geometry.updates(before, before + added, valid)
    for k, n in enumerate((5, 2, 3)):
        b, a = before[k, :n], added[k, :n]
        cosine = (b * a).sum(-1) / b.norm(dim=-1) / a.norm(dim=-1)
        assert vector_geometry.norms(before, valid)[k] == pytest.approx(
            b.norm(dim=-1).mean().item()
        )
        assert found["update"][k] == pytest.approx(a.norm(dim=-1).mean().item())
        assert found["update_cosine"][k] == pytest.approx(cosine.mean().item())
    doubled = vector_geometry.updates(before, 2 * before, everything(before))
    assert torch.allclose(doubled["update_cosine"], torch.ones(3, dtype=torch.float64))


def test_effective_rank_counts_directions():
    x = drawn(500, 8)
    assert vector_geometry.effective_rank(torch.eye(8).repeat(4, 1)) == pytest.approx(8)
    assert vector_geometry.effective_rank(
        x[:, :1] @ torch.ones(1, 8, dtype=torch.float64)
    ) == pytest.approx(1, abs=1e-3)
    values = np.linalg.svd(x.numpy(), compute_uv=False)
    shares = values / values.sum()
    assert vector_geometry.effective_rank(x) == pytest.approx(
        np.exp(-(shares * np.log(shares)).sum())
    )


def test_overlap_is_whole_for_a_rotation_and_by_chance_for_another_cloud():
    x, rotation = drawn(200, 6), torch.linalg.qr(drawn(6, 6, seed=2)).Q
    assert vector_geometry.overlap(x, 3 * x @ rotation + 1) == 1
    assert abs(vector_geometry.overlap(x, drawn(200, 6, seed=3)) - 10 / 199) < 0.03
    with pytest.raises(
        ValueError,
        match="neighbours of k=10 need more than 10 points, got 10; take more, or a smaller k",
    ):
        vector_geometry.overlap(x[:10], x[:10])


def test_alignment_of_a_rotation_is_whole_and_that_of_another_cloud_is_not():
    x, rotation = drawn(400, 6), torch.linalg.qr(drawn(6, 6, seed=2)).Q
    turned = 3 * x @ rotation + 1
    assert vector_geometry.cka(x, turned) == pytest.approx(1) and vector_geometry.procrustes(
        x, turned
    ) == pytest.approx(0, abs=1e-9)
    other = drawn(400, 6, seed=3)
    assert vector_geometry.cka(x, other) < 0.05 and vector_geometry.procrustes(x, other) > 1
    centred_x, centred_y = (each - each.mean(0) for each in (x, other))
    gram_x, gram_y = centred_x @ centred_x.T, centred_y @ centred_y.T
    assert vector_geometry.cka(x, other) == pytest.approx(
        ((gram_x * gram_y).sum() / gram_x.norm() / gram_y.norm()).item()
    )
    assert (
        vector_geometry.cka(
            x, x @ torch.diag(torch.tensor([9.0, 1, 1, 1, 1, 1], dtype=torch.float64))
        )
        < 0.9
    )


def test_the_dimension_of_a_flat_manifold_is_found_and_too_few_points_are_refused():
    flat = drawn(1000, 3) @ drawn(3, 20, seed=4)
    found = vector_geometry.dimension(flat)
    assert abs(found["twonn"] - 3) < 0.5 and abs(found["mle"] - 3) < 0.5
    assert vector_geometry.dimension(drawn(1000, 8))["twonn"] > 5
    with pytest.raises(ValueError, match="at least 50 different points, got 3; take more"):
        vector_geometry.dimension(flat[:3].repeat(40, 1))
