"""Fits recover the account from maps that follow it, not from others; maps of exact predictors."""

import bz2
import lzma

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from lexurn import parameters, runs
from lexurn.base import divergences
from lexurn.base.seeding import generator, numpy_generator
from lexurn.chapters import strategies
from lexurn.chapters.strategies import LOG_ODDS, Account, Curves, FitError
from lexurn.generators.urns import Urns
from lexurn.measures import intervals
from lexurn.predictors import Generalizing, Memorizing, Uniform
from lexurn.runs import cache

TRUE = Account(alpha=0.7, beta=0.3, gamma=2.0)


def cells(diversities=(4, 8, 16, 32, 64), n_steps=12, seeds=1):
    """A map of diversities and steps, with losses and complexities as they come about."""
    steps = np.unique(np.geomspace(20, 20_000, n_steps).astype(int))
    lines = []
    for n_tasks in diversities:
        of = {
            "kind": "normal",
            "n_tasks": n_tasks,
            "l_u": 0.5,
            "l_g": 0.1,
            "l_m": 0.1 - 0.06 / n_tasks**0.3,
        }
        of |= {"n_colors": 8, "k_u": 100.0, "k_g": 4000.0, "k_m": 4000.0 + 500 * n_tasks}
        lines += [{**of, "seed": seed, "step": step} for seed in range(seeds) for step in steps]
    return pd.DataFrame(lines)


def made_by(odds, *, noise=0.0, seed=0):
    """Return curves of models that mix two strategies with these log odds plus noise."""
    stream = generator(seed, "strategies")
    log_m, log_g = (
        torch.randn(2, 6, 4, generator=stream, dtype=torch.float64).log_softmax(-1)
        for _ in range(2)
    )
    found = {"kl": [], "tv": []}
    for each in torch.from_numpy(np.asarray(odds)):
        off = noise * torch.randn((), generator=stream, dtype=torch.float64)
        sides = (
            torch.nn.functional.logsigmoid(each + off),
            torch.nn.functional.logsigmoid(-each - off),
        )
        near = strategies.mixture_curves(
            torch.logaddexp(sides[0] + log_m, sides[1] + log_g), log_m, log_g
        )
        for name, values in near.items():
            found[name].append(values)
    return {name: Curves(np.array(values)) for name, values in found.items()}


def test_log_odds_are_those_of_the_weights_and_zero_at_the_transition():
    table = cells()
    odds, weights = TRUE.log_odds(table), TRUE.log_weights(table)
    np.testing.assert_allclose(weights[:, 2] - weights[:, 1], odds, rtol=1e-9)
    np.testing.assert_allclose(np.exp(weights).sum(-1), 1)
    by_hand = TRUE.gamma * table["step"] ** (1 - TRUE.alpha) * (table["l_g"] - table["l_m"])
    by_hand -= np.log(2) * (table["k_m"] ** TRUE.beta - table["k_g"] ** TRUE.beta)
    np.testing.assert_allclose(odds, by_hand, rtol=1e-9)
    at = table.assign(step=TRUE.transition(table))
    np.testing.assert_allclose(TRUE.log_odds(at), 0, atol=1e-6)
    assert (
        np.isinf(TRUE.transition(table.assign(l_m=0.1))).all()
        and (TRUE.transition(table.assign(k_m=0.0)) == 0).all()
    )
    simple, costly = {"l_u": 0.9, "k_u": 10.0, "l_g": 0.1, "k_g": 4e3}, {"l_m": 0.0, "k_m": 9e3}
    late = pd.DataFrame([simple | costly | {"step": step} for step in (1, 300, 1e9)])
    assert TRUE.log_weights(late).argmax(-1).tolist() == [
        0,
        1,
        2,
    ]  # the simplest first, the best in the end


@pytest.fixture(scope="module")
def recovered():
    """A map that the account made, its curves, and the fit to it."""
    table = cells()
    curves = made_by(TRUE.log_odds(table))["kl"]
    return table, curves, strategies.fit(table, curves)


def test_the_account_is_recovered_from_a_map_that_it_made(recovered):
    table, _, found = recovered
    assert found.account.alpha == pytest.approx(TRUE.alpha, abs=0.03)
    assert found.account.beta == pytest.approx(TRUE.beta, abs=0.03)
    assert np.log(found.account.gamma) == pytest.approx(np.log(TRUE.gamma), abs=0.3)
    assert (
        found.fitted < 1e-5
        and found.held_out < 1e-4
        and 3 < found.n_reached <= found.n_starts == 36
    )
    masks = strategies.split_cells(table)
    assert found.n_fitted == masks["fitted"].sum() == 4 * 9 and len(table) == 60
    assert sum(mask.astype(int) for mask in masks.values()).tolist() == [1] * 60
    assert table["n_tasks"][masks["more urns"]].unique().tolist() == [64]
    odds = found.account.log_odds(table)
    shares = 1 / (1 + np.exp(-TRUE.log_odds(table)))
    assert strategies.share_correlation(odds, shares, masks["more urns"]) > 0.999


def test_the_truth_lies_within_the_intervals_of_seeds():
    """Trainings are off by a number of their own; intervals over resampled seeds, and by t from
    single seeds, hold α, β and ln γ."""
    table = cells(seeds=4)
    curves = strategies.simulate_curves(
        table, TRUE.log_odds(table), noise=0.3, generator=generator(0, "made")
    )
    found = strategies.fit(table, curves)
    accounts = strategies.refit_resampled(table, curves, found)
    assert 50 < len(accounts) <= 4**3
    alone = []
    for places in table.groupby("seed").indices.values():
        alone.append(
            strategies.fit(
                table.iloc[places].reset_index(drop=True), Curves(curves.values[places])
            ).account
        )
    for value_of in (
        lambda each: each.alpha,
        lambda each: each.beta,
        lambda each: np.log(each.gamma),
    ):
        low, high = np.quantile(list(map(value_of, accounts)), [0.025, 0.975])
        assert low < value_of(TRUE) < high < low + 4.0
        few = intervals.t_interval([*map(value_of, alone)])
        assert few.low < value_of(TRUE) < few.high and few.n == 4
    assert strategies.refit_resampled(cells(), made_by(TRUE.log_odds(cells()))["kl"], found) == []


def test_what_is_held_out_does_not_reach_the_fit(recovered):
    table, curves, fit = recovered
    table = table.copy()
    inside = strategies.split_cells(table)["fitted"]
    spoiled = Curves(np.where(inside[:, None], curves.values, curves.values[:, ::-1]))
    spoiled_fit = strategies.fit(table, spoiled)
    assert spoiled_fit.account == fit.account and spoiled_fit.held_out > 0.01
    assert strategies.fit_baseline(table, spoiled) == strategies.fit_baseline(table, curves)
    table[["weight_u", "weight_g", "weight_m"]] = np.exp(TRUE.log_weights(table))
    wrong = table.copy()
    wrong.loc[~inside, ["weight_u", "weight_g", "weight_m"]] = 1 / 3
    assert strategies.fit_three(wrong).account == strategies.fit_three(table).account


def test_a_map_made_otherwise_is_not_explained():
    """Transitions that come sooner the more tasks there are, which no complexity and loss of these
    allow; and later in proportion to a power of D, which they come near to in what is fitted, and
    miss in what is held out."""
    table = cells(diversities=(4, 8, 16, 32, 64, 128, 256))
    n_tasks, step = table["n_tasks"].to_numpy(float), table["step"].to_numpy(float)
    sooner = made_by(2.0 * np.log(step * n_tasks**2 / 2000))["kl"]
    found, line = strategies.fit(table, sooner), strategies.fit_baseline(table, sooner)
    assert found.fitted > 0.01 and found.fitted > 100 * sooner.at(line.log_odds(table)).mean()
    assert line.b == pytest.approx(2.0, abs=0.05) and line.c == pytest.approx(4.0, abs=0.1)
    later = made_by(0.8 * np.log(step) - 1.2 * np.log(n_tasks))["kl"]
    found, line = strategies.fit(table, later), strategies.fit_baseline(table, later)
    outside = strategies.split_cells(table)["more urns"]
    far = [later.at(each.log_odds(table))[outside].mean() for each in (found.account, line)]
    assert far[0] > 100 * far[1] and line.c == pytest.approx(-1.2, abs=0.05)


def test_three_strategies_are_recovered_from_their_weights():
    table = cells()
    weights = np.exp(TRUE.log_weights(table))
    table[["weight_u", "weight_g", "weight_m"]] = weights
    found = strategies.fit_three(table)
    assert found.account.alpha == pytest.approx(TRUE.alpha, abs=0.02) and found.held_out < 1e-5
    other = strategies.fit_three(table.assign(weight_u=weights[:, 2], weight_m=weights[:, 0]))
    assert other.fitted > 0.1  # the best first, and the simplest in the end: nothing fits


def test_ablations_fit_no_better_and_miss_where_what_they_leave_out_matters():
    table = cells()
    near = made_by(TRUE.log_odds(table))
    table["share"] = table["share_out"] = 1 / (1 + np.exp(-TRUE.log_odds(table)))
    found = strategies.ablations(table, {**near, "tv_out": near["tv"]}).set_index("who")
    n_parameters = {"account": 3, "α = 0": 2, "β = 1": 2, "γ = 1": 2, "linear K": 2}
    n_parameters |= {"source × 5": 3, "baseline": 3}
    assert (
        found["parameters"].to_dict() == n_parameters
        and found["alpha"].isna().to_dict()["baseline"]
    )
    assert (
        found["fitted"].drop("source × 5").dropna() >= found.loc["account", "fitted"] - 1e-9
    ).all()
    assert (
        found.loc["β = 1"].drop(["parameters", "problem"]).isna().all()
    )  # all starts lie on plateaus: K as it is decides all
    assert "no" in found.loc["β = 1", "problem"] and found.loc["account", "problem"] == ""
    assert found.loc["account", ["r", "r more urns", "r_out"]].min() > 0.999
    assert found.loc["α = 0", "r"] < 0.99
    assert (
        found.loc["account", "tv"] < 0.01 < found.loc["α = 0", "tv"]
    )  # splines round a sharp minimum
    assert abs(found.loc["account", ["later steps", "more urns"]]).max() < 0.001


def test_curves_are_those_of_mixtures_and_splines_pass_through_their_points():
    odds = np.array([-3.0, 0.75, 2.25])
    near = made_by(odds)
    for curves in near.values():
        assert LOG_ODDS[curves.values.argmin(-1)].tolist() == odds.tolist()
        np.testing.assert_allclose(curves.at(odds), curves.values.min(-1), atol=1e-12)
        np.testing.assert_allclose(curves.at(np.full(3, 99.0)), curves.values[:, -1], atol=1e-9)
    between = near["kl"].at(odds + 0.2)
    assert (between > near["kl"].at(odds)).all() and (between < near["kl"].at(odds + 0.4)).all()
    stream = generator(0, "three")
    model, m, g = (
        torch.randn(3, 5, 4, generator=stream, dtype=torch.float64).log_softmax(-1)
        for _ in range(3)
    )
    plain = torch.logaddexp(m + np.log(0.5), g + np.log(0.5))
    found = strategies.mixture_curves(model, m, g)
    assert LOG_ODDS[16] == 0.0
    assert found["kl"][16] == pytest.approx(divergences.kl(model, plain).mean().item(), rel=1e-9)
    assert found["tv"][16] == pytest.approx(
        (model.exp() - plain.exp()).abs().sum(-1).mean().item() / 2, rel=1e-9
    )


def test_complexities_are_the_least_compressed_sizes_and_grow_with_what_is_stored():
    zeros, noise = b"\0" * 10_000, numpy_generator(generator(0, "noise")).bytes(10_000)
    assert (
        strategies.compressed_bits(zeros) < 8 * 60
        and 80_000 <= strategies.compressed_bits(noise) < 80_500
    )
    text = ("the quick brown fox " * 40).encode()
    assert strategies.compressed_bits(text) <= 8 * min(
        len(lzma.compress(text, preset=9)), len(bz2.compress(text))
    )
    pools = [Urns(8).sample_tasks(n, generator=generator(0, "pool", n)) for n in (1, 16, 256)]
    sizes = [strategies.complexity("memorizing", pool) for pool in pools]
    assert sizes == sorted(sizes) and sizes[2] - sizes[1] == pytest.approx(240 * 8 * 64, rel=0.1)
    general = strategies.complexity("generalizing", torch.ones(8).double())
    assert strategies.complexity("uniform", torch.zeros(0).double()) < general < sizes[0]
    of_s = [
        strategies.complexity(program, pools[1]) for program in ("symmetrized", "symmetrized, fast")
    ]
    assert (
        sizes[1] < of_s[0] < of_s[1] - 3000
    )  # all relabelings, told shortly; and how they are summed here


def test_sources_are_counted_without_words_for_people():
    def plain(x):
        return x + 1

    def told(x):
        """Says what plain does."""
        # and why
        return x   +   1  # fmt: skip

    plain.__name__ = "told"
    assert strategies.account.normalized_source(plain).replace(
        "plain", "told"
    ) == strategies.account.normalized_source(told)
    assert "Says" not in strategies.account.normalized_source(told)


def test_losses_are_distances_from_the_truth():
    urns = Urns(4).sample_tasks(2000, generator=generator(0, "urns"))
    tokens = Urns(4).sample(urns, 33, generator=generator(0, "balls"))
    lost = strategies.losses({"g": Generalizing(4), "m": Memorizing(urns[:1])}, urns, tokens)
    exact = divergences.kl(urns.log()[:, None], Generalizing(4)(tokens))[:, 1:].mean()
    assert lost["g"].shape == (2000,) and lost["g"].mean().item() == pytest.approx(exact.item())
    rows = torch.arange(
        1, 33, dtype=torch.float64
    )  # KL to the posterior mean of a Dirichlet, exactly:
    by_hand = expected_kl(n_colors=4, rows=rows).mean().item()
    assert abs(lost["g"].mean().item() - by_hand) < 4 * lost["g"].std().item() / 2000**0.5 < 0.02
    assert lost["m"].mean() > 5 * lost["g"].mean()


def expected_kl(*, n_colors, rows):
    """Return E KL(θ ‖ G after t balls) under a uniform prior, from Beta–binomial counts."""
    found = []
    for t in rows.tolist():
        n = torch.arange(
            int(t) + 1, dtype=torch.float64
        )  # one colour's count: P(n) = B-binomial(1, V − 1)
        a, b = 1.0, n_colors - 1.0
        choose = torch.lgamma(torch.tensor(t + 1)) - torch.lgamma(n + 1) - torch.lgamma(t - n + 1)
        log_p = (
            choose
            + torch.lgamma(n + a)
            + torch.lgamma(t - n + b)
            - torch.lgamma(torch.tensor(t + a + b))
        )
        log_p += (
            torch.lgamma(torch.tensor(a + b))
            - torch.lgamma(torch.tensor(a))
            - torch.lgamma(torch.tensor(b))
        )
        mean = (n + a) / (t + a + b)
        cross = -(log_p.exp() * mean * mean.log()).sum() * n_colors
        entropy = torch.digamma(torch.tensor(n_colors + 1.0)) - torch.digamma(torch.tensor(2.0))
        found.append(cross - entropy)
    return torch.stack(found)


def test_too_little_for_a_fit_and_fits_that_go_nowhere_are_told():
    with pytest.raises(
        FitError, match="at least 3 task diversities D, got 2; train models for more of them"
    ):
        few = cells(diversities=(4, 8))
        strategies.fit(few, made_by(TRUE.log_odds(few))["kl"])
    with pytest.raises(FitError, match="at least 5 checkpoints, got 4"):
        few = cells(n_steps=4)
        strategies.fit_baseline(few, made_by(TRUE.log_odds(few))["kl"])
    table, starts = cells(), r"\{'alpha': 0.2, 'beta': 0.2, 'gamma': -4.0\}"
    for nowhere in (
        np.nan,
        1.0,
    ):  # no number, and a plateau, on which every start stays where it is
        with pytest.raises(FitError, match=rf"none of 36 starts led to a minimum: {starts}"):
            strategies.fitting._fit(
                table, lambda account, value=nowhere: np.full(len(table), value), {}
            )
    flat = Curves(np.full((len(table), len(LOG_ODDS)), 1.0))
    with pytest.raises(FitError, match="none of 12 starts of the baseline"):
        strategies.fit_baseline(table, flat)


def test_exact_predictors_stand_at_the_ends_of_the_map_and_mixtures_between():
    pool = Urns(4).sample_tasks(3, generator=generator(0, "pool"))
    inside = Urns(4).in_distribution(pool, 60, 17, generator=generator(0, "inside"))
    outside = Urns(4).out_of_distribution(60, 17, generator=generator(0, "outside"))
    exact = {"u": Uniform(4), "g": Generalizing(4), "m": Memorizing(pool)}
    u, g, m = (strategies.measure_cell(each, exact, inside, outside) for each in exact.values())
    assert (g["share"], m["share"]) == (pytest.approx(0), pytest.approx(1)) and g["apart"] == m[
        "apart"
    ] > 0.05
    assert (g["share_out"], m["share_out"]) == (pytest.approx(0), pytest.approx(1))
    assert abs(m["kl_in"]) < 1e-12 < g["kl_in"] and abs(g["kl_out"]) < 1e-12 < m["kl_out"]
    for name, found in (("u", u), ("g", g), ("m", m)):
        assert found[f"weight_{name}"] > 0.999 and found["left_over"] < 1e-4

    def half(tokens):
        return torch.logaddexp(exact["g"](tokens), exact["m"](tokens)) - np.log(2)

    def hedge(tokens):  # neither: far from both
        return torch.logaddexp(exact["g"](tokens) + np.log(0.02), exact["u"](tokens) + np.log(0.98))

    parts = [strategies.measure_cell(each, exact, inside, outside) for each in (half, hedge)]
    assert np.isnan(parts[1]["share"]) and parts[1]["weight_u"] == pytest.approx(0.98, abs=0.01)
    table = pd.DataFrame([g, m, parts[0]])
    for measure in ("kl", "tv", "tv_out"):
        nearest = LOG_ODDS[strategies.read_curves(table, measure).values.argmin(-1)]
        assert nearest.tolist() == [LOG_ODDS[0], LOG_ODDS[-1], 0.0]


def test_crossings_lie_between_steps_and_say_why_there_is_none():
    steps = [10, 100, 1000]
    shares = {
        1: [0.7, 0.8, 0.9],
        2: [0.1, 0.4, 0.6],
        3: [0.1, 0.2, 0.3],
        4: [np.nan] * 3,
        5: [0.9, 0.2, 0.8],
    }
    lines = [
        {
            "kind": "normal",
            "n_tasks": n_tasks,
            "seed": 0,
            "step": step,
            "share": share,
            "weight_u": 0.0,
        }
        for n_tasks, of in shares.items()
        for step, share in zip(steps, of, strict=True)
    ]
    found = strategies.crossings(pd.DataFrame(lines)).set_index("n_tasks")
    assert found["why"].to_dict() == {
        1: "sooner",
        2: "",
        3: "later",
        4: "undetermined",
        5: "sooner",
    }
    assert found.loc[2, "step"] == pytest.approx(10**2.5)


def passage(n_tasks, *, half_way, kl_out=0.1):
    """Return the cells of one run that leaves U at step 80 and is half way to M at a given step."""
    steps = np.arange(10, 400, 10)
    return pd.DataFrame(
        {
            "kind": "normal",
            "n_tasks": n_tasks,
            "seed": 0,
            "step": steps,
            "share": np.where(steps < half_way, 0.2, 0.8),
            "weight_u": np.where(steps < 80, 0.4, 0.02),
            "kl_out": np.where(steps < 80, 0.5 + 40 / steps, kl_out),
        }
    )


def test_a_passage_from_uniform_to_the_memorizer_is_no_transition():
    """The slope of transitions is 2 by construction, and half of that with a passage from U."""
    made = {8: 35, 16: 100, 32: 380}
    table = pd.concat([passage(n_tasks, half_way=step) for n_tasks, step in made.items()])
    table = table.reset_index(drop=True)
    found = strategies.crossings(table).set_index("n_tasks")
    assert found["why"].to_dict() == {8: "sooner", 16: "", 32: ""}
    slope = strategies.slopes(found.reset_index())[0]
    assert slope == pytest.approx(np.log2(380 / 100), abs=0.1)
    naive = strategies.crossings(table.assign(weight_u=0.0))
    assert naive["step"].notna().all() and strategies.slopes(naive)[0] < slope - 0.15


def test_losses_that_fall_while_a_model_leaves_uniform_are_no_dip():
    flat = passage(8, half_way=35)
    rising = flat.assign(
        n_tasks=16, kl_out=flat["kl_out"] + 1e-3 * np.maximum(flat["step"] - 150, 0)
    )
    dipping = rising.assign(
        n_tasks=32, kl_out=rising["kl_out"] + 1e-3 * np.maximum(150 - rising["step"], 0)
    )
    table = pd.concat([flat, rising, dipping], ignore_index=True)
    found = strategies.dips(table).set_index("n_tasks")
    assert found.loc[[8, 16], "fall"].tolist() == pytest.approx([0.0, 0.0])
    assert found.loc[32, "fall"] == pytest.approx(0.07) and found.loc[32, "rise"] > 0.2
    naive = strategies.dips(table.assign(weight_u=0.0)).set_index("n_tasks")
    assert naive["fall"].min() > 0.5  # by which all three would have been transient


def test_half_way_needs_every_seed_and_slopes_are_each_seeds_own():
    steps = {
        (16, 0): 100.0,
        (32, 0): 400.0,
        (16, 1): 50.0,
        (32, 1): 400.0,
        (64, 0): 900.0,
        (64, 1): np.nan,
    }
    crossed = pd.DataFrame(
        [{"n_tasks": d, "seed": seed, "step": step} for (d, seed), step in steps.items()]
    )
    found = strategies.mean_crossings(crossed).set_index("n_tasks")["step"]
    assert found.to_dict() == pytest.approx({16: (100 * 50) ** 0.5, 32: 400})
    assert (
        strategies.slopes(crossed)[1] == pytest.approx(3.0) and len(strategies.slopes(crossed)) == 2
    )
    assert strategies.slopes(crossed[crossed["n_tasks"] == 16]).empty


def test_a_rise_is_measured_where_others_were_least():
    def table(curve, *, noise, seeds=6):
        stream = np.random.default_rng(0)
        return pd.DataFrame(
            {
                "kind": "normal",
                "n_tasks": 16,
                "seed": seed,
                "step": step,
                "weight_u": 0.0,
                "kl_out": value + noise * stream.normal(),
            }
            for seed in range(seeds)
            for step, value in curve.items()
        )

    flat = dict.fromkeys(range(10, 500, 10), 0.1)
    rises = strategies.dips(table(flat, noise=0.01))["rise"]
    assert (
        abs(rises.mean()) < 2.5 * rises.sem()
    )  # its own least would lie two standard deviations below
    assert strategies.dips(table(flat, noise=0.01, seeds=1))["rise"].iloc[0] > 0.005
    dip = {step: 0.1 + 0.05 * abs(np.log(step / 100)) for step in flat}
    found = strategies.dips(table(dip, noise=0.001))
    assert (found["fall"] > 0.05).all()  # before it rose
    assert found["step"].between(80, 120).all() and found["rise"].mean() == pytest.approx(
        dip[490] - 0.1, abs=0.003
    )


def test_what_is_settled_begins_after_uniform_has_gone():
    weights = {20: 0.6, 40: 0.05, 60: 0.2, 80: 0.09, 100: 0.01}
    table = pd.DataFrame([{"step": step, "weight_u": w} for step, w in weights.items()])
    assert (
        strategies.first_settled_step(table, min_steps=1) == 80
        and strategies.first_settled_step(table, max_weight=0.5, min_steps=1) == 40
    )
    assert strategies.first_settled_step(table, max_weight=0.001, min_steps=1) == 100
    assert (
        strategies.first_settled_step(table, min_steps=3) == 60
        and strategies.first_settled_step(table) == 20
    )  # enough is left for a fit


FLAT = {
    "n_tasks": 3,
    "n_steps": 60,
    "eval_every": 60,
    "n_test_samples": 40,
    "context_length": 8,
    "n_checkpoints": 5,
}


@pytest.mark.parametrize("lex", [False, True])
def test_a_training_is_followed_through_the_map_once(lex, monkeypatch, tiny_run):
    run, told = tiny_run(FLAT | {"lex": lex}), []
    table = strategies.build_map([run], say=told.append)
    assert table["step"].tolist() == [20, 28, 37, 48, 60] and (table["k_m"] > table["k_g"]).all()
    assert table["kind"].unique().tolist() == ["lexical" if lex else "normal"]
    assert table["delta_l"].nunique() == 1 and table["delta_l"].iloc[0] > 2 * table[
        "delta_l_sem"
    ].iloc[0] * (not lex)
    assert table["kl_in"].iloc[-1] < table["kl_in"].iloc[0] and (table["kl_out"] > 0).all()
    alphas = torch.ones(run.settings.task.n_colors, dtype=torch.float64)
    bits = strategies.maps.complexities([run.settings.memorizing], [run.pool], alphas)
    plain = strategies.run_cells(run).assign(**bits.to_dict("records")[0])
    pd.testing.assert_frame_equal(table, plain, rtol=1e-4, atol=1e-9, check_dtype=False)
    assert told[-1] == "1 table computed, 0 loaded from the store."
    monkeypatch.setattr(cache, "make_table", None)  # nothing is computed again
    pd.testing.assert_frame_equal(strategies.build_map([run], say=told.append), table)


def test_maps_of_runs_that_cannot_be_compared_or_followed_are_refused(tiny_run):
    run, other = tiny_run(FLAT), runs.get(FLAT | {"n_steps": 30, "eval_every": 30})
    with pytest.raises(
        parameters.ParameterError,
        match="must share their settings, but n_steps is 60 in .* and 30 in",
    ):
        strategies.build_map([run, other])
    wide = runs.get(FLAT | {"d_mlp": 16})
    with pytest.raises(parameters.ParameterError, match="d_mlp is 0 in .* and 16 in"):
        strategies.build_map([run, wide])
    assert strategies.build_map([run, wide], varied="d_mlp", say=list)[
        "d_mlp"
    ].unique().tolist() == [128, 16]
    with pytest.raises(
        FileNotFoundError, match="has no snapshots of its training; set n_checkpoints"
    ):
        strategies.run_cells(runs.get(FLAT | {"n_checkpoints": 0}))
    with pytest.raises(parameters.ParameterError, match="n_tasks=0 leaves no pool"):
        strategies.run_cells(runs.get(FLAT | {"n_tasks": 0}))


def test_compositions_put_the_account_beside_the_nearest_mixtures():
    table = cells(seeds=2)
    table[["weight_u", "weight_g", "weight_m"]] = np.exp(TRUE.log_weights(table))
    found = strategies.compositions(table, TRUE)
    assert len(found) == 2 * 3 * table.groupby(["n_tasks", "step"]).ngroups
    wide = found.pivot(index=["n_tasks", "step", "reference"], columns="who", values="weight")
    np.testing.assert_allclose(wide["models"], wide["account"])
    assert set(strategies.compositions(table.assign(kind="lexical"), TRUE)["reference"]) == {
        "uniform", "generalizing", "symmetrized"
    }  # fmt: skip


def test_the_baseline_is_even_at_its_transition():
    table, line = cells(), strategies.Baseline(a=-3.0, b=1.5, c=-0.7)
    np.testing.assert_allclose(
        line.log_odds(table.assign(step=line.transition(table))), 0, atol=1e-9
    )


def test_a_trial_tells_the_account_from_the_baseline_by_what_they_make():
    table = cells(diversities=(4, 8, 16, 32, 64, 128, 256), seeds=3)
    options = {"noise": 0.1, "generator": generator(0, "trial")}
    own = strategies.fit_simulated_map(table, TRUE, **options)
    for name, value in (
        ("alpha", TRUE.alpha),
        ("beta", TRUE.beta),
        ("ln gamma", np.log(TRUE.gamma)),
    ):
        assert own[name].low < value < own[name].high and own[name].n == 3
    other = strategies.fit_simulated_map(
        table, strategies.Baseline(a=0.0, b=0.8, c=-1.2), **options
    )
    assert own["KL more urns, account"].value < own["KL more urns, baseline"].value / 100
    assert other["KL more urns, baseline"].high < other["KL more urns, account"].low
    paired = "account − baseline"  # on the same map
    assert own[paired].value < 0 < other[paired].low
    for trial in (own, other):
        means = [trial[f"KL more urns, {who}"].value for who in ("account", "baseline")]
        assert trial[paired].value == pytest.approx(means[0] - means[1])


def test_maps_of_a_simulation_have_pools_and_noise_of_their_own(monkeypatch):
    drawn = []

    def count(table, truth, *, noise, generator):
        drawn.append((truth, noise, torch.rand((), generator=generator).item()))
        return pd.DataFrame({"alpha": [0.1, 0.2], "beta": [0.3, 0.4]})

    monkeypatch.setattr(strategies.cached, "simulated_fits", count)
    found = strategies.simulation_table(cells(), "an account", [0.7, 0.3, 2.0], 0, 3)
    assert len({number for *_, number in drawn}) == 3 and {each[:2] for each in drawn} == {
        (TRUE, 0.2)
    }
    assert found.groupby("name")["value"].agg(list).to_dict() == {
        "alpha": 3 * [0.1, 0.2],
        "beta": 3 * [0.3, 0.4],
    }


def test_weight_in_the_wrong_place_is_a_total_variation():
    table = cells()
    table[["weight_u", "weight_g", "weight_m"]] = [0.0, 0.5, 0.5]
    half = Account(
        alpha=0.5, beta=0.5, gamma=1e-9
    )  # complexities alone: all weight at the simplest, U
    assert strategies.misplaced_weight(
        strategies.compositions(table, half)
    ).tolist() == pytest.approx([1.0] * 5)


def test_cached_fits_are_those_that_are_computed(monkeypatch):
    table = cells(diversities=(4, 8, 16, 32, 64), seeds=2)
    odds = TRUE.log_odds(table)
    curves = strategies.simulate_curves(table, odds, generator=generator(0, "cached"))
    columns = {f"kl_{number}": values for number, values in enumerate(curves.values.T)}
    table = pd.concat([table, pd.DataFrame(columns)], axis=1)
    expected = strategies.fit(table, curves)
    for _ in range(2):
        fitted, draws = strategies.cached_fit(table)
        assert fitted == expected
        assert draws == strategies.refit_resampled(table, curves, fitted) and len(draws) == 2
        assert strategies.cached_baseline(table) == strategies.fit_baseline(table, curves)
        monkeypatch.setattr(strategies.cached, "fit", None)  # nothing is fitted again


def test_a_delay_is_constant_if_names_act_as_steps_and_shrinks_if_they_act_as_complexity():
    steps = np.geomspace(20, 20_000, 200)
    log_odds = {"N3": 0.2 * steps**0.4, "as steps": 0.2 * (steps / 8) ** 0.4}
    log_odds["as complexity"] = log_odds["N3"] - 1.5
    table = pd.concat(
        pd.DataFrame({"seed": 0, "alphabet": name, "step": steps, "kl_in": 1 / (1 + np.exp(odds))})
        for name, odds in log_odds.items()
    ).assign(apart=1.0)
    factors = strategies.delays(table, base="N3", shares=(0.3, 0.2, 0.1, 1e-9))
    factors = factors.pivot(index="share", columns="alphabet", values="factor")
    assert factors.loc[[0.3, 0.2, 0.1], "as steps"].tolist() == pytest.approx([8.0] * 3, rel=1e-2)
    never, late, middle, early = factors["as complexity"].sort_index()
    assert 1.2 < late < 0.8 * middle < 0.64 * early and np.isnan(never)


def test_the_excess_is_zero_for_the_account_that_made_the_map():
    table = cells()
    curves = made_by(TRUE.log_odds(table))["kl"]
    columns = {f"kl_{number}": values for number, values in enumerate(curves.values.T)}
    table = pd.concat([table, pd.DataFrame(columns)], axis=1)
    worse = Account(alpha=0.2, beta=0.3, gamma=2.0)
    found = strategies.excess_by_step(table, right=TRUE, wrong=worse).groupby("who")["excess"]
    assert abs(found.get_group("right").mean()) < 1e-3 < 0.02 < found.get_group("wrong").mean()
    assert len(found.get_group("right")) == len(table)


def test_longer_sources_count_for_every_strategy():
    empty = torch.zeros(0, dtype=torch.float64)
    data_bits = strategies.complexity("memorizing", empty) - strategies.source_bits("memorizing")
    assert data_bits == strategies.compressed_bits(b"")
    assert strategies.source_bits("symmetrized, fast") > strategies.source_bits("symmetrized")


def test_names_are_recovered_as_steps_or_as_complexity():
    """Of maps that one way has made, the other way explains later steps worse."""
    table = cells(diversities=(4,), n_steps=16, seeds=2).assign(alphabet="N32")
    for way, truth in (("as steps", np.log(5.0)), ("as complexity", 3.0)):
        odds = strategies.log_odds_with_names(table, TRUE, way, truth)
        curves = made_by(odds)["kl"]
        columns = {f"kl_{number}": values for number, values in enumerate(curves.values.T)}
        made = pd.concat([table, pd.DataFrame(columns)], axis=1)
        found = strategies.fit_names(made, TRUE).set_index("way")
        assert found.loc[way, "value"].tolist() == pytest.approx([truth] * 2, abs=0.05)
        assert found.loc[way, "later steps"].max() < 1e-4
        assert found.drop(way)["later steps"].min() > 10 * found.loc[way, "later steps"].max()
    unmade = table.assign(**{f"kl_{i}": float(len(LOG_ODDS) - i) for i in range(len(LOG_ODDS))})
    assert strategies.fit_names(unmade, TRUE)["value"].isna().all()  # at a bound


def test_names_change_a_slope_or_an_intercept():
    table = cells(diversities=(8,))
    plain = TRUE.log_odds(table)
    shifted = strategies.log_odds_with_names(table, TRUE, "as complexity", 2.0)
    np.testing.assert_allclose(plain - shifted, 2.0)
    slowed = strategies.log_odds_with_names(table, TRUE, "as steps", np.log(4.0))
    later = table.assign(step=4 * table["step"])
    again = strategies.log_odds_with_names(later, TRUE, "as steps", np.log(4.0))
    np.testing.assert_allclose(again, plain)
    assert np.ptp(plain - slowed) > 0.1


def test_lexical_models_are_scored_by_fits_of_their_own_and_of_normal_models():
    """Of a map that the account made, the account is nearest on every held-out part."""
    tables, normal = [], cells(diversities=(4, 8, 16), seeds=2)
    for n_colors, diversities in ((3, (4, 8, 16, 32)), (4, (8, 16))):
        table = cells(diversities, seeds=2).assign(kind="lexical", n_colors=n_colors)
        tables.append(table.assign(k_m=table["k_m"] + 900 * (n_colors - 3)))
    others = Account(alpha=0.3, beta=0.45, gamma=1.0)
    made = []
    for table, maker in ((tables[0], TRUE), (tables[1], TRUE), (normal, others)):
        values = made_by(maker.log_odds(table))["kl"].values
        columns = {f"kl_{number}": each for number, each in enumerate(values.T)}
        made.append(pd.concat([table, pd.DataFrame(columns)], axis=1))
    found = strategies.lexical_scores(*made, 0)
    parts = ["fitted", "later steps", "more urns", "four colours"]
    assert found["part"].unique().tolist() == parts and set(found["seed"]) == {0, 1}
    wide = found.groupby(["who", "part"])["kl"].max().unstack()
    borrowed = ["normal models' account", "the same, fast program"]
    assert wide.loc["account"].max() < 1e-4 < wide.loc[borrowed[0]].min()
    assert wide.loc[borrowed[0]].tolist() == wide.loc[borrowed[1]].tolist()  # no bits are added
    assert wide.loc["baseline", "four colours"] > 10 * wide.loc["account", "four colours"]
    few = made[0][made[0]["n_tasks"] < 16]  # too few diversities for a fit
    scores = strategies.lexical_scores(few, *made[1:], 2000)
    assert set(scores["who"]) == set(borrowed)
    slow, fast = (scores[scores["who"] == who]["kl"].to_numpy() for who in borrowed)
    assert abs(slow - fast).min() > 1e-5  # now some are


def test_late_changes_are_from_half_of_the_steps_to_the_last():
    steps = [100, 400, 1600]
    rising = pd.DataFrame({"n_tasks": 8, "seed": 0, "step": steps, "kl_out": [0.0, 1.0, 2.0]})
    flat = rising.assign(seed=1, kl_out=1.0)
    found = strategies.late_changes(pd.concat([rising, flat]), "kl_out").set_index("seed")
    assert found["change"].to_dict() == pytest.approx({0: 0.5, 1: 0.0})  # 800 is half way up


def test_fits_are_as_late_as_networks_are_early():
    """A map that the account made, of networks that turn when it says, or four times sooner."""
    table = cells(diversities=(4, 8, 16, 32, 64), seeds=2)
    curves = made_by(TRUE.log_odds(table))["kl"]
    columns = {f"kl_{number}": values for number, values in enumerate(curves.values.T)}
    made = pd.concat([table, pd.DataFrame(columns)], axis=1)
    due = TRUE.transition(table[table["n_tasks"] == 64].head(1))[0]
    turned = pd.DataFrame({"n_tasks": 64, "seed": [0, 1], "step": [due, due / 4]})
    found = strategies.lateness(made, turned, 64).set_index("seed")
    assert found["account"].tolist() == pytest.approx([1, 4], rel=0.2)
    for who in ("account", "baseline"):
        assert found.loc[1, who] == pytest.approx(4 * found.loc[0, who])
    assert found.loc[0, "baseline"] > 2  # where the account is true, the baseline is late


def test_p_values_are_those_of_scipy_after_holms_definition():
    samples = [[0.1, 0.3, 0.4, 0.2], [0.1, -0.2, 0.4, 0.3], [1.0, 1.1, 0.9, 1.05]]
    raw = [stats.ttest_1samp(sample, 0).pvalue for sample in samples]
    assert raw[2] < raw[0] < raw[1] < 0.5 and 3 * raw[2] < 2 * raw[0] < raw[1]
    wanted = [2 * raw[0], raw[1], 3 * raw[2]]
    gaps = [intervals.t_interval(sample) for sample in samples]
    assert strategies.adjusted_p_values(gaps) == pytest.approx(wanted)
    alike = [intervals.t_interval([-1.0, 1.1, 0.1]), intervals.t_interval([-1.0, 1.2, 0.1])]
    assert strategies.adjusted_p_values(alike) == [1.0, 1.0]
