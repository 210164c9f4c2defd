"""How tiny models of coins count: heads built by hand, effects of the last flip, and fates."""

from math import comb

import numpy as np
import pandas as pd
import pytest
import torch

from lexurn import models
from lexurn.chapters.coins import by_hand, coin_losses, contexts, fates, grids, mechanism, tiny
from lexurn.settings.resolver import check

FLAT = {"n_colors": 2, "n_tasks": 0, "context_length": 8, "n_steps": 60, "eval_every": 60}


def as_vector(weights, settings):
    shapes = tiny.shapes(settings)
    return np.concatenate([weights[part].reshape(shapes[part]).ravel() for part in shapes])


@pytest.fixture(scope="module")
def by_hand_table():
    return contexts.context_table(by_hand.build(8, context_length=8))


@pytest.fixture(scope="module")
def barely_trained():
    """Return a tiny model of few steps, whose last flip counts for more than the others."""
    point = check(FLAT | grids.TINY)
    weights = contexts.read_weights(tiny.train_all([point])[0], point)
    return weights, contexts.context_table(weights)


def test_more_relus_bring_the_head_built_by_hand_closer_to_laplace():
    tables = [contexts.context_table(by_hand.build(n, context_length=8)) for n in (1, 2, 4, 8)]
    losses = [contexts.mean_kl(table) for table in tables]
    assert losses == sorted(losses, reverse=True) and losses[0] > 20 * losses[-1]
    assert losses[-1] < 1e-4
    assert mechanism.distance(tables[-1], tables[-1])["largest"] == 0
    apart = mechanism.distance(tables[0], tables[-1])
    assert 0 < apart["mean"] < apart["largest"] < 0.2


def test_the_head_built_by_hand_has_the_shape_of_the_tiny_model():
    settings = check(FLAT | grids.TINY)
    weights = by_hand.build(8, context_length=8)
    model = tiny.unpack(as_vector(weights, settings).astype(np.float32), settings)
    tokens = torch.randint(2, (40, 9), generator=torch.Generator().manual_seed(0))
    log_probs = models.as_predictor(model)(tokens)
    heads = tokens[:, :8].cumsum(1)
    said = log_probs[:, 1:, 1].exp()
    exact = (heads + 1) / (torch.arange(1, 9) + 2)
    assert (said - exact).abs().max() < 0.02
    assert (said - 0.5).abs().max() > 0.3


def test_logistic_regression_finds_the_coefficients_that_made_the_probabilities():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((300, 3))
    planted = np.array([0.5, -1.0, 2.0])
    p = 1 / (1 + np.exp(-features @ planted))
    found = by_hand.logistic_regression(features, p, np.full(300, 1 / 300))
    np.testing.assert_allclose(found, planted, atol=1e-6)


def test_a_counting_head_needs_only_counts(by_hand_table):
    assert mechanism.explained(by_hand_table, "n", "heads") > 1 - 1e-6
    assert mechanism.explained(by_hand_table, "n", "last") < 0.6
    weights = by_hand.build(8, context_length=8)
    effects = mechanism.last_flip_effects(weights, by_hand_table)
    assert max(map(abs, effects.values())) < 1e-2
    np.testing.assert_allclose(mechanism.opposite_weights(weights)["ratio"], 1.0)
    pattern = mechanism.attention_pattern(weights, [0, 1, 1, 0, 1])
    np.testing.assert_allclose(pattern, 0.2)


def test_the_effects_of_the_last_flip_add_up_to_the_whole_effect(barely_trained):
    weights, table = barely_trained
    effects = mechanism.last_flip_effects(weights, table)
    wide = table.pivot(index=["n", "heads"], columns="last", values=["log_odds", "probability"])
    wide = wide.dropna()
    share = wide["probability"].sum(axis=1)
    whole = ((wide["log_odds", 1] - wide["log_odds", 0]) * share).sum() / share.sum()
    assert effects["direct"] + effects["head"] == pytest.approx(whole, abs=0.03)
    assert abs(effects["direct"]) > 0.05


def test_without_the_last_flip_only_the_counts_are_left(barely_trained):
    _, table = barely_trained
    averaged = mechanism.without_last(table)
    assert mechanism.explained(averaged, "n", "heads") == pytest.approx(1)
    assert mechanism.explained(table, "n", "heads") < 0.999
    assert contexts.mean_kl(averaged) < contexts.mean_kl(table)


def test_attention_to_opposite_flips_is_a_ratio_of_the_pattern(barely_trained):
    weights, _ = barely_trained
    ratios = mechanism.opposite_weights(weights).set_index(["n", "last"])["ratio"]
    for last in (0, 1):
        same, other = (
            mechanism.attention_pattern(weights, [flip, 0, 1, 1, 0, last])[0]
            / mechanism.attention_pattern(weights, [flip, 0, 1, 1, 0, last])[1]
            for flip in (last, 1 - last)
        )
        assert other / same == pytest.approx(ratios[6, last])


def test_log_odds_along_a_sequence_are_those_of_its_contexts(barely_trained):
    weights, _ = barely_trained
    flips = [1, 1, 0, 1, 0, 0, 1, 1]
    along = mechanism.log_odds_along(weights, flips)
    for row in contexts.rows(weights):
        place = sum(flip << i for i, flip in enumerate(flips[: row.n]))
        assert along[row.n - 1] == pytest.approx(row.log_odds[place])
    assert np.abs(np.diff(along)).min() > 1e-3


def test_updates_are_those_of_laplace_for_a_head_that_counts(by_hand_table, barely_trained):
    found = mechanism.updates(by_hand_table)
    assert (found["model"] - found["exact"]).abs().max() < 0.1
    assert len(found) == sum(range(2, 9))
    rough = mechanism.updates(barely_trained[1])
    assert (rough["model"] - rough["exact"]).abs().max() > 0.1


def test_a_linear_read_out_without_offset_is_symmetric_by_negation(barely_trained):
    weights, table = barely_trained
    shifted = {**weights, "readout_bias": np.array([0.0, 0.0])}
    errors = mechanism.symmetry_errors(shifted, contexts.context_table(shifted))
    assert errors["negation"] < 1e-12 < 1e-3 < errors["flip"]  # which says nothing about flips
    offset = {**weights, "readout_bias": np.array([0.0, 0.5])}
    assert mechanism.symmetry_errors(offset, contexts.context_table(offset))["negation"] > 0.1
    by_hand_weights = by_hand.build(4, context_length=8)
    found = mechanism.symmetry_errors(by_hand_weights, contexts.context_table(by_hand_weights))
    assert max(found.values()) < 1e-3


def test_saturated_sides_are_told_from_free_ones_with_their_losses():
    ratios = pd.DataFrame({"n": [1, 2, 1, 2], "last": [0, 0, 1, 1], "ratio": [1e4, 1e2, 0.5, 2.0]})
    table = pd.DataFrame(
        {"last": [0, 0, 1], "probability": [0.3, 0.1, 0.6], "kl": [0.1, 0.5, 0.01]}
    )
    found = fates.sides(ratios, table)
    assert found["saturated"] == 1 and found["factor"] == pytest.approx(1e3)
    assert found["kl_saturated"] == pytest.approx(0.2) and found["kl_free"] == pytest.approx(0.01)
    inverse = fates.sides(ratios.assign(ratio=1 / ratios["ratio"]), table)
    assert inverse["saturated"] == 1 and inverse["factor"] == pytest.approx(1e3)
    free = fates.sides(ratios.assign(ratio=1.5), table)
    assert free["saturated"] == 0 and np.isnan(free["kl_saturated"])


def test_shares_have_wilson_intervals():
    found = fates.share_interval(20, 120)
    z, p, n = 1.959964, 1 / 6, 120
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5
    assert (found.low, found.high) == pytest.approx((middle - half, middle + half), abs=1e-5)
    none = fates.share_interval(0, 120)
    assert none.low == pytest.approx(0) and none.high > 0.02


def test_the_reference_losses_are_those_of_predictors_that_know_less():
    levels = fates.reference_excesses(8)
    last = pd.Series([2 / 3]).iloc[0]
    tokens = torch.tensor([[flip >> k & 1 for k in range(8)] for flip in range(256)])
    heads = tokens.cumsum(1)
    weights = torch.exp(-torch.lgamma(torch.tensor(10.0)) + torch.lgamma(heads[:, -1] + 1.0)
                        + torch.lgamma(9.0 - heads[:, -1]))  # fmt: skip
    p_exact = (heads[:, :-1] + 1) / (torch.arange(1, 8) + 2)
    p_last = torch.where(tokens[:, :-1] == 1, last, 1 - last)
    kl = p_exact * (p_exact / p_last).log() + (1 - p_exact) * ((1 - p_exact) / (1 - p_last)).log()
    short = fates.reference_excesses(7)["last flip alone"]
    assert (weights[:, None] * kl).sum(0).mean().item() == pytest.approx(short, abs=1e-5)
    assert levels["constant ½"] > levels["last flip alone"] > 0.05


def test_the_first_heads_and_the_last_flip_say_as_much_as_enumeration_finds():
    for n in (1, 2, 5, 9):
        sequences = np.array([[code >> k & 1 for k in range(n)] for code in range(2**n)])
        heads = sequences.sum(1)
        probability = np.array([1 / ((n + 1) * comb(n, int(h))) for h in heads])
        first = np.where(heads > 0, sequences.argmax(1), n)
        groups = 2 * first + sequences[:, -1]
        known = np.bincount(groups, probability)
        p = np.bincount(groups, probability * (heads + 1) / (n + 2))
        is_possible = known > 0
        entropies = [fates.entropy(each) for each in p[is_possible] / known[is_possible]]
        assert fates.first_and_last_loss(n) == pytest.approx(known[is_possible] @ entropies)
    levels = list(fates.reference_excesses(12).values())
    assert 0 < levels[0] < levels[1] < levels[2]


def test_attention_to_the_first_flip_of_a_side_is_that_of_a_pattern():
    weights = by_hand.build(2, context_length=8)
    sequences = [[0, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 1]]
    assert mechanism.first_flip_attention(weights, sequences) == pytest.approx(0.25)
    eager = {**weights, "qkv": weights["qkv"].copy(), "qkv_bias": np.array([1.0, 0.0, 0.0])}
    eager["qkv"][1] = [1e6, -30.0]  # keys: heads above tails, early above late
    assert mechanism.first_flip_attention(eager, sequences) > 0.99


def test_the_fates_of_tiny_models_have_one_row_each():
    points = [check(FLAT | grids.TINY | {"seed": seed}) for seed in range(3)]
    table = fates.fates(points)
    assert table["seed"].tolist() == [0, 1, 2]
    assert (table["excess"] > 0).all() and (table["by_all"] >= table["by_counts"]).all()
    assert (table["kl_uniform"] > 0).all() and table["sorted_heads"].between(0, 1).all()
    shorter = contexts.context_table(
        contexts.read_weights(tiny.train_all(points)[1], points[1]), max_flips=8
    )
    assert contexts.mean_kl(shorter) == pytest.approx(table["kl"][1])


def test_grids_have_every_width_and_every_prior():
    shapes = grids.shapes(FLAT, 9, 2)
    assert len(shapes) == 18
    for place in range(3):
        assert sorted(name[place] for name in shapes).count(list(shapes)[0][place]) == 6
    runs_of = grids.larger(FLAT, 5)
    assert sum(name == "two layers" for name, _ in runs_of) == 5
    assert sum(name == "default" for name, _ in runs_of) == 3
    defaults = {seed: point for (name, seed), point in runs_of.items() if name == "default"}
    moved = grids.moved(defaults, FLAT)
    assert len(moved) == 2 * len(grids.PRIORS) * 3
    first = next(iter(moved.values()))
    assert list(first.task.alpha) == coin_losses.beta_prior(*grids.PRIORS[0])
    assert first.training.init_from == defaults[0].key
