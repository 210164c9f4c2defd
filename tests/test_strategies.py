"""The account is recovered from maps that it made, and not from others; complexities are those of known data."""

import bz2
import lzma

import numpy as np
import pandas as pd
import pytest
import torch

from lexurn import divergences, runs, strategies
from lexurn.predictors import Generalizing, Memorizing
from lexurn.seeding import generator, numpy_generator
from lexurn.strategies import LOG_ODDS, Account, Curves, FitError
from lexurn.tasks import Urns

TRUE = Account(alpha=0.7, beta=0.3, gamma=2.0)


def cells(diversities=(4, 8, 16, 32, 64), n_steps=12):
    """A map of diversities and steps, with losses and complexities as they come about."""
    steps = np.unique(np.geomspace(20, 20_000, n_steps).astype(int))
    lines = []
    for n_tasks in diversities:
        of = {"n_tasks": n_tasks, "delta_l": 0.06 / n_tasks**0.3, "k_m": 4000.0 + 500 * n_tasks, "k_g": 4000.0}
        lines += [{**of, "step": step} for step in steps]
    return pd.DataFrame(lines)


def made_by(odds, *, noise=0.0, seed=0):
    """The curves of models that are mixtures of two strategies with these log odds, and perhaps somewhat off."""
    stream = generator(seed, "strategies")
    log_m, log_g = (torch.randn(2, 6, 4, generator=stream, dtype=torch.float64).log_softmax(-1) for _ in range(2))
    rows = []
    for each in torch.from_numpy(np.asarray(odds)):
        off = noise * torch.randn((), generator=stream, dtype=torch.float64)
        sides = torch.nn.functional.logsigmoid(each + off), torch.nn.functional.logsigmoid(-each - off)
        rows.append(strategies.curve(torch.logaddexp(sides[0] + log_m, sides[1] + log_g), log_m, log_g))
    return Curves(np.array(rows))


def test_log_odds_are_those_of_the_weights_and_zero_at_the_transition():
    table = cells()
    odds = TRUE.log_odds(table)
    for line, each in list(zip(table.itertuples(), odds, strict=True))[::7]:
        losses, complexities = [0.0, line.delta_l], [line.k_m, line.k_g]
        (weights,) = TRUE.log_weights(np.array([line.step]), losses, complexities)
        assert weights[0] - weights[1] == pytest.approx(each) and np.exp(weights).sum() == pytest.approx(1)
        n = TRUE.transition(line.delta_l, line.k_m, line.k_g)
        at = pd.DataFrame([line._asdict() | {"step": n}])
        assert TRUE.log_odds(at)[0] == pytest.approx(0, abs=1e-9)
    assert TRUE.transition(0.0, 2.0, 1.0) == TRUE.transition(-0.1, 2.0, 1.0) == np.inf
    three = TRUE.log_weights(np.array([1, 10, 1e9]), [0.0, 0.1, 0.9], [9000.0, 4000.0, 10.0])
    assert three.argmax(-1).tolist() == [2, 2, 0]  # the simplest first, the best in the end


def test_the_account_is_recovered_from_a_map_that_it_made():
    table = cells()
    found = strategies.fit(table, made_by(TRUE.log_odds(table)))
    assert found.account.alpha == pytest.approx(TRUE.alpha, abs=0.03)
    assert found.account.beta == pytest.approx(TRUE.beta, abs=0.03)
    assert np.log(found.account.gamma) == pytest.approx(np.log(TRUE.gamma), abs=0.3)
    assert found.fitted < 1e-6 and found.held_out < 1e-5 and found.n_converged > 3
    inside = strategies.training_cells(table)
    assert found.n_fitted == inside.sum() == 4 * 9 and len(table) == 60
    odds = found.account.log_odds(table)
    shares = 1 / (1 + np.exp(-TRUE.log_odds(table)))
    assert strategies.scored(odds, shares, ~inside) > 0.999


def test_over_noisy_seeds_the_truth_lies_within_the_intervals():
    table = cells()
    found = [strategies.fit(table, made_by(TRUE.log_odds(table), noise=0.1, seed=seed)).account for seed in range(6)]
    for name in ("alpha", "beta"):
        values = np.array([getattr(each, name) for each in found])
        sem = values.std(ddof=1) / len(values) ** 0.5
        assert abs(values.mean() - getattr(TRUE, name)) < 5 * sem < 0.5


def test_a_map_made_otherwise_is_not_explained():
    """Transitions that come sooner the more tasks there are, which no complexity and loss of these allow."""
    table = cells()
    odds = 2.0 * np.log(table["step"].to_numpy() * table["n_tasks"].to_numpy() ** 2 / 2000)
    curves = made_by(odds)
    found, (line, inside, outside) = strategies.fit(table, curves), strategies.fit_baseline(table, curves)
    assert found.fitted > 0.01 and found.fitted > 100 * inside
    assert line.b == pytest.approx(2.0, abs=0.05) and line.c == pytest.approx(4.0, abs=0.1) and outside < 1e-5


def test_ablations_fit_no_better_and_miss_where_what_they_leave_out_matters():
    table = cells()
    curves = made_by(TRUE.log_odds(table))
    whole = strategies.fit(table, curves)
    for fixed in ({"alpha": 0.0}, {"beta": 1.0}, {"gamma": 1.0}):
        part = strategies.fit(table, curves, fixed=fixed)
        assert part.fitted >= whole.fitted - 1e-9
        assert all(getattr(part.account, name) == value for name, value in fixed.items())
    assert strategies.fit(table, curves, fixed={"beta": 1.0}).fitted > 0.01


def test_curves_are_least_at_the_weights_that_made_them_and_splines_pass_through_their_points():
    odds = np.array([-3.0, 0.5, 2.0])
    curves = made_by(odds)
    assert LOG_ODDS[curves.values.argmin(-1)].tolist() == odds.tolist()
    np.testing.assert_allclose(curves.at(odds), curves.values.min(-1), atol=1e-12)
    np.testing.assert_allclose(curves.at(np.full(3, 99.0)), curves.values[:, -1], atol=1e-9)
    between = curves.at(odds + 0.2)
    assert (between > curves.at(odds)).all() and (between < curves.at(odds + 0.4)).all()


def test_complexities_are_the_least_compressed_sizes_and_grow_with_what_is_stored():
    zeros, noise = b"\0" * 10_000, numpy_generator(generator(0, "noise")).bytes(10_000)
    assert strategies.bits(zeros) < 8 * 60 and 80_000 <= strategies.bits(noise) < 80_500
    text = ("the quick brown fox " * 40).encode()
    assert strategies.bits(text) <= 8 * min(len(lzma.compress(text, preset=9)), len(bz2.compress(text)))
    pools = [Urns(8).sample_tasks(n, generator=generator(0, "pool", n)) for n in (1, 16, 256)]
    sizes = [strategies.complexity(Memorizing, pool) for pool in pools]
    assert sizes == sorted(sizes) and sizes[2] - sizes[1] == pytest.approx(240 * 8 * 64, rel=0.1)
    assert strategies.complexity(Generalizing, torch.ones(8).double()) < sizes[0]


def test_losses_are_distances_from_the_truth():
    urns = Urns(4).sample_tasks(2000, generator=generator(0, "urns"))
    tokens = Urns(4).sample(urns, 33, generator=generator(0, "balls"))
    value, error = strategies.loss(Generalizing(4), urns, tokens)
    exact = divergences.kl(urns.log()[:, None], Generalizing(4)(tokens))[:, 1:].mean().item()
    assert abs(value - exact) < 4 * error < 0.01 and strategies.loss(Memorizing(urns[:1]), urns, tokens)[0] > 5 * value


def test_too_little_for_a_fit_and_fits_that_go_nowhere_are_told():
    with pytest.raises(FitError, match="at least 3 task diversities D, got 2; train models for more of them"):
        few = cells(diversities=(4, 8))
        strategies.fit(few, made_by(TRUE.log_odds(few)))
    with pytest.raises(FitError, match="at least 5 checkpoints, got 4"):
        few = cells(n_steps=4)
        strategies.fit_baseline(few, made_by(TRUE.log_odds(few)))
    table = cells()
    nowhere = Curves(np.full((len(table), len(LOG_ODDS)), np.inf))
    with pytest.raises((FitError, ValueError)):
        strategies.fit(table, nowhere)


def test_exact_predictors_stand_at_the_ends_of_the_map_and_mixtures_between():
    pool = Urns(4).sample_tasks(3, generator=generator(0, "pool"))
    inside = Urns(4).in_distribution(pool, 60, 17, generator=generator(0, "inside"))
    outside = Urns(4).out_of_distribution(60, 17, generator=generator(0, "outside"))
    references = {"generalizing": Generalizing(4), "memorizing": Memorizing(pool)}
    options = {"references": references, "inside": inside, "outside": outside, "memorizing": "memorizing"}
    g, m = (strategies.cell(each, **options) for each in references.values())
    assert (g["share"], m["share"]) == (pytest.approx(0), pytest.approx(1)) and g["apart"] == m["apart"] > 0.05
    assert abs(m["regret_in"]) < 1e-12 < g["regret_in"] and abs(g["regret_out"]) < 1e-12 < m["regret_out"]

    def half(tokens):
        return torch.logaddexp(references["generalizing"](tokens), references["memorizing"](tokens)) - np.log(2)

    table = pd.DataFrame([each | {"n_tasks": 3, "step": 1} for each in (g, m, strategies.cell(half, **options))])
    nearest = LOG_ODDS[strategies.curves_of(table).values.argmin(-1)]
    assert nearest.tolist() == [LOG_ODDS[0], LOG_ODDS[-1], 0.0]


@pytest.mark.parametrize("lex", [False, True])
def test_a_training_is_followed_through_the_map(lex):
    flat = {
        "n_tasks": 3,
        "n_steps": 60,
        "eval_every": 60,
        "n_test_samples": 40,
        "context_length": 8,
        "n_checkpoints": 5,
    }
    table = strategies.along(runs.get(flat | {"lex": lex}), n_sequences=30)
    assert table["step"].tolist() == [20, 28, 37, 48, 60] and (table["k_m"] > table["k_g"]).all()
    assert table["kind"].unique().tolist() == ["lexical" if lex else "normal"]
    assert table["delta_l"].nunique() == 1 and table["delta_l"].iloc[0] > 2 * table["delta_l_sem"].iloc[0] * (not lex)
    assert table["regret_in"].iloc[-1] < table["regret_in"].iloc[0]
