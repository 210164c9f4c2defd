"""Isotropy, dimensions and similarity: closed forms, brute force, and clouds that must fail."""

import numpy as np
import pytest
import torch

from lexurn.base.seeding import generator
from lexurn.chapters.geometry import copies, dimensions, isotropy, similarity
from lexurn.chapters.geometry.vector_geometry import cka, cosines


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed, "vectors"), dtype=torch.float64)


def isoscore(x):
    """IsoScore as its paper computes it, step by step (Rudman et al. 2022, algorithm 1)."""
    d = x.shape[1]
    variances = np.linalg.eigvalsh(np.cov(x.numpy().T, bias=True))
    normalized = np.sqrt(d) * variances / np.linalg.norm(variances)
    defect = np.linalg.norm(normalized - 1) / np.sqrt(2 * (d - np.sqrt(d)))
    used = (d - defect**2 * (d - np.sqrt(d))) ** 2 / d**2
    return (d * used - 1) / (d - 1)


def test_isotropy_is_the_isoscore_and_knows_its_ends():
    stretched = normal(500, 6) * torch.tensor([5.0, 2, 1, 1, 0.5, 0.1], dtype=torch.float64)
    assert isotropy.isotropy(stretched) == pytest.approx(isoscore(stretched))
    line = normal(500, 1) @ normal(1, 6, seed=1)
    assert isotropy.isotropy(line) == pytest.approx(0, abs=1e-9)
    assert isotropy.first_direction_share(line) == pytest.approx(1)
    corners = torch.cat([torch.eye(6), -torch.eye(6)]).double()
    assert isotropy.isotropy(corners) == pytest.approx(1)
    assert isotropy.common_direction_share(corners) == pytest.approx(0)
    assert isotropy.common_direction_share(corners + 100) > 0.999


def test_the_isotropy_of_a_finite_sample_is_the_expected_one():
    for n, d in ((200, 64), (1000, 64), (300, 10)):
        found = np.mean([isotropy.isotropy(normal(n, d, seed=s)) for s in range(5)])
        assert found == pytest.approx(isotropy.expected_isotropy(n, d), abs=0.01)
    assert isotropy.expected_isotropy(200, 64) < 0.8  # so few points do not look isotropic


def test_the_spread_of_centred_cosines_sees_what_their_mean_cannot():
    x = normal(40, 30, 16)
    valid = torch.arange(30) < torch.tensor([30, 20] * 20)[:, None]
    squeezed = x * torch.linspace(3, 0.01, 16, dtype=torch.float64)
    found = isotropy.centred_cosine_spread(squeezed, valid)
    for b in (0, 1):
        vectors = squeezed[b][valid[b]]
        unit = torch.nn.functional.normalize(vectors - vectors.mean(0), dim=-1)
        first, second = torch.triu_indices(len(unit), len(unit), 1)
        pairs = (unit @ unit.T)[first, second]
        assert found[b].item() == pytest.approx(pairs.std(correction=0).item())
    is_all = torch.ones_like(valid)
    even = isotropy.centred_cosine_spread(x, is_all).mean()
    assert even == pytest.approx(16**-0.5, rel=0.05)
    assert isotropy.centred_cosine_spread(squeezed, is_all).mean() > 1.2 * even
    means = [cosines(cloud, is_all, centred=True).mean() for cloud in (x, squeezed)]
    assert all(abs(mean + 1 / 29) < 0.02 for mean in means)  # the control: the mean is no measure
    assert isotropy.centred_cosine_spread(x[:, :2], is_all[:, :2]).isnan().all()


def test_dimensions_are_those_of_scikit_dimension():
    skdim = pytest.importorskip("skdim")
    x = normal(600, 4) @ normal(4, 20, seed=1)
    assert dimensions.twonn(x) == pytest.approx(skdim.id.TwoNN().fit(x.numpy()).dimension_)
    local = skdim.id.MLE(K=20).fit(x.numpy()).dimension_
    assert dimensions.mle(x) == pytest.approx(float(np.mean(local)), rel=1e-6)


def test_dimensions_of_flat_clouds_and_of_their_noise():
    flat = normal(1000, 3) @ torch.linalg.qr(normal(64, 3, seed=4)).Q.T
    for estimate in dimensions.ESTIMATORS.values():
        assert abs(estimate(flat) - 3) < 0.3
        assert estimate(normal(1000, 8)) > 5
        assert estimate(flat + 0.1 * normal(1000, 64, seed=5)) > 6  # noise hides the surface
    repeated = torch.cat([flat, flat])
    assert dimensions.twonn(repeated) == pytest.approx(dimensions.twonn(flat))
    with pytest.raises(ValueError, match="at least 50 different points, got 3; use more"):
        dimensions.twonn(flat[:3].repeat(40, 1))


def test_copies_change_the_dimension_and_leaving_them_out_restores_it():
    surface = normal(500, 2) @ normal(2, 64, seed=1)
    types = torch.arange(500).repeat(4)
    crowded = surface.repeat(4, 1) + 1e-4 * normal(2000, 64, seed=2)
    assert dimensions.twonn(crowded) > 10
    _, first = np.unique(types.numpy(), return_index=True)
    assert abs(dimensions.twonn(crowded[first]) - 2) < 0.3


def hsic_by_loops(k, l):  # noqa: E741
    """The unbiased estimate as a mean over tuples of different points (Song et al. 2012)."""
    n = len(k)
    terms = {2: [], 3: [], 4: []}
    for i in range(n):
        for j in range(n):
            if i == j:
                continue
            terms[2].append(k[i, j] * l[i, j])
            for q in set(range(n)) - {i, j}:
                terms[3].append(k[i, j] * l[i, q])
                terms[4] += [k[i, j] * l[q, r] for r in set(range(n)) - {i, j, q}]
    return np.mean(terms[2]) + np.mean(terms[4]) - 2 * np.mean(terms[3])


def test_debiased_cka_is_the_unbiased_estimate_and_zero_for_unrelated_clouds():
    x, y = normal(7, 3), normal(7, 4, seed=1) + normal(7, 1)
    k, l, kk, ll = (z @ z.T for z in (x, y, x, y))  # noqa: E741
    expected = hsic_by_loops(k, l) / (hsic_by_loops(k, kk) * hsic_by_loops(l, ll)) ** 0.5
    assert similarity.debiased_cka(x, y) == pytest.approx(float(expected))
    turned = 3 * x @ torch.linalg.qr(normal(3, 3, seed=2)).Q + 1
    assert similarity.debiased_cka(x, turned) == pytest.approx(1)
    pairs = [(normal(1000, 96, seed=s), normal(1000, 96, seed=s + 50)) for s in range(5)]
    plain = np.mean([cka(*pair) for pair in pairs])
    debiased = np.mean([similarity.debiased_cka(*pair) for pair in pairs])
    assert abs(debiased) < 0.005 < 0.07 < plain  # the control: plain CKA sees a likeness


def test_controls_of_cka_separate_tokens_from_their_types():
    types = torch.randint(10, (800,), generator=generator(0, "types"))
    of_type = normal(10, 12, seed=1)[types]
    own = normal(800, 12, seed=2)
    only_type = [of_type + 0.3 * normal(800, 12, seed=s) for s in (3, 4)]
    more = [z + own for z in only_type]
    options = {"generator": generator(0, "exchange")}
    found = similarity.similarity_nulls(*only_type, types, **options)
    assert found["debiased"] > 0.9 and abs(found["debiased"] - found["same_type"]) < 0.02
    assert abs(found["other_tokens"]) < 0.05
    assert found["without_first"] < found["debiased"]
    found = similarity.similarity_nulls(*more, types, **options)
    assert found["debiased"] > found["same_type"] + 0.15
    indices = similarity.exchange_within(types, generator=generator(1, "exchange"))
    assert torch.equal(types[indices], types) and indices.sort().values.equal(torch.arange(800))
    assert (indices != torch.arange(800)).double().mean() > 0.9


def test_grams_and_ciphers():
    tokens = torch.tensor([[0, 1, 0, 1, 2], [1, 0, 1, 0, 2]])
    types = copies.gram_types(tokens, 2)
    assert types.shape == (2, 4)
    assert types[0, 1] == types[0, 3] == types[1, 2] and types[0, 2] == types[1, 1] == types[1, 3]
    assert types[0, 0] != types[0, 2]  # a first token has no past
    assert copies.repeated_share(types.flatten()) == 6 / 8
    assert torch.equal(
        copies.gram_types(tokens, 1) == copies.gram_types(tokens, 1)[0, 0], tokens[:, :4] == 0
    )
    ciphered = copies.encipher(tokens, 5, generator=generator(0, "cipher"))
    assert (ciphered != tokens).all() and set(ciphered.flatten().tolist()) == {0, 1, 2}
    for length in (1, 2, 3):  # repetitions stay
        same = copies.gram_types(tokens, length).flatten()
        other = copies.gram_types(ciphered, length).flatten()
        assert torch.equal(same[:, None] == same, other[:, None] == other)
