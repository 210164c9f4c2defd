"""Backbones compared: the measures are right for exact predictors and for known tables."""

import itertools
from math import log

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

from lexurn import evaluation, models, runs
from lexurn.base.seeding import generator
from lexurn.chapters.architectures import (
    becoming,
    costs,
    floors,
    histories,
    learning,
    published,
    simple_predictors,
    speeds,
    tuning,
)
from lexurn.chapters.architectures import plots as architectures_plots
from lexurn.chapters.architectures.published_models import MASKS, BatchPositions, PositionPairs
from lexurn.generators.strings import EOS, FIRST_LETTER, PAD, SOS
from lexurn.predictors import Generalizing
from lexurn.runs import sweeps
from lexurn.settings.resolver import check

FLAT = {"d_model": 12, "n_steps": 20, "eval_every": 10, "n_test_samples": 30, "context_length": 6}


def flips(n=300, length=12):
    return torch.randint(2, (n, length), generator=generator(0, "flips"))


def test_the_influence_of_a_flip_on_the_rule_of_laplace_is_one_over_n_plus_two():
    table = learning.token_influence(Generalizing(2), flips(20), 2)
    assert table["value"].tolist() == pytest.approx((1 / (table["predicted"] + 2)).tolist())
    assert (table["seen"] < table["predicted"]).all() and len(table) == 11 * 12 / 2


def test_regret_is_that_of_the_evaluation_and_per_string_for_formal_languages():
    for flat, split, optimum, n_rows in (
        ({}, "in_distribution", "memorizing", 1),
        ({"n_tasks": 0, "n_colors": 2}, "out_of_distribution", "generalizing", 1),
        ({"language": "aNbN", "lex": True}, "in_distribution", "relabelled", 7),
        ({"language": "aNbN", "label_permuted": True}, "relabelled", "relabelled", 7),
    ):
        run = runs.get(FLAT | flat)
        regret = evaluation.select(run.results, split=split, measure="regret").loc[optimum]
        along = learning.regret_along_training(run).set_index("step")["value"]
        expected = n_rows * run.metrics[f"{split}/loss"].diff().iloc[1:]
        assert list(along.index) == [0, 10, 20]
        assert along.diff().iloc[1:].tolist() == pytest.approx(expected.tolist())
        curve = along[run.results["step"].iloc[0]]
        if "lex" in flat:  # along training, every string has one random table
            measure = evaluation.SINGLE_TABLE + "regret"
            single = evaluation.select(run.results, split=split, measure=measure).loc[optimum]
            assert curve == pytest.approx(n_rows * single["mean"], abs=1e-6)
            assert curve > n_rows * regret["mean"] + 1e-3
        else:
            assert curve == pytest.approx(n_rows * regret["mean"], abs=1e-6)


def test_the_share_of_laplaces_rule_is_one_for_it_and_zero_for_linear_log_odds(tiny_run):
    run = tiny_run(FLAT | {"n_tasks": 0, "n_colors": 2, "context_length": 20})
    table = learning.log_odds([run], ["a model"])
    alone = table[table["who"] == "a model"][["heads", "value"]].reset_index(drop=True)
    of_run = learning.run_log_odds(run)
    pd.testing.assert_frame_equal(of_run[["heads", "value"]], alone)
    assert (of_run["spread"].iloc[[0, -1]] < 1e-6).all()  # all flips are equal: one order
    assert of_run["spread"].iloc[10] > 1e-4
    laplace = table[table["who"] == "Laplace's rule"]
    expected = [log((heads + 1) / (21 - heads)) for heads in range(21)]
    assert laplace["value"].tolist() == pytest.approx(expected)
    linear = table[table["who"] == "linear logits"]["value"]
    assert linear.diff().iloc[1:].std() < 1e-9
    half = laplace.assign(who="half", value=(laplace["value"] + linear.values) / 2)
    shares = learning.laplace_shares(pd.concat([table, half])).set_index("who")
    assert shares.loc[["Laplace's rule", "linear logits", "half"], "value"].tolist() == (
        pytest.approx([1, 0, 0.5])
    )
    assert shares.loc["half", "error"] < 1e-9 < 0.1 < shares.loc["a model", "error"]
    assert shares.loc["half", "left"] < 1e-9 < 0.5 < shares.loc["a model", "left"]
    tilted = half.assign(value=half["value"] + 0.1 * half["heads"] - 1, who="tilted")
    shares = learning.laplace_shares(pd.concat([table, tilted])).set_index("who")
    assert shares.loc["tilted", "free"] == pytest.approx(0.5)
    assert abs(shares.loc["tilted", "value"] - 0.5) > 0.1 and shares.loc["tilted", "left"] > 0.1
    assert learning.flips_by_heads(20).sum(1)[:: learning.N_ORDERS].tolist() == list(range(21))


def test_a_rule_near_laplaces_in_divergence_differs_in_log_odds():
    """The best linear rule is within 0.002 nats of Laplace's rule, and far away in log odds."""
    rows = histories.coins(20)
    assert np.mean(floors.linear_floor(rows, "symmetric", "Newton")) < 0.002
    tokens = learning.flips_by_heads(20)
    linear, laplace = (
        learning.predict_log_odds(each, tokens)[-1]
        for each in (simple_predictors.LinearCounts(rows), Generalizing(2))
    )
    assert abs(linear - laplace) > 0.5


def curve(values, steps=(0, 50, 100, 150)):
    return pd.DataFrame({"step": steps, "value": values})


def test_steps_to_an_excess_are_interpolated_and_censored():
    assert speeds.steps_to(curve([1, 0.1, 0.01, 0.01]), 0.1) == pytest.approx(50)
    assert speeds.steps_to(curve([1, 0.1, 0.01, 0.01]), 0.01**0.75) == pytest.approx(75)
    assert speeds.steps_to(curve([1, 0.1, -0.2, 0.3]), 0.05) < 100
    assert speeds.steps_to(curve([1, 0.5, 0.4, 0.3]), 0.2) == np.inf
    assert speeds.steps_to(curve([0.1, 0.5, 0.4, 0.3]), 0.2) == 0


def test_every_seed_has_an_epsilon_of_its_own():
    curves = pd.concat(
        [curve([1, 0.1, 0.01, 0.01]).assign(data="coins", model="a", seed=n) for n in (0, 1)]
    )
    table = speeds.all_steps(curves, {("coins", 0): 0.1, ("coins", 1): 0.001})
    assert table["value"].tolist() == [pytest.approx(50), np.inf]


def test_medians_are_censored_where_half_of_the_seeds_do_not_arrive():
    table = pd.DataFrame(
        {
            "data": "coins",
            "model": ["a"] * 5 + ["b"] * 5,
            "seed": [*range(5)] * 2,
            "value": [10, 20, 30, 40, np.inf, 10, 20, np.inf, np.inf, np.inf],
        }
    )
    limits = {("coins", "a"): 100.0, ("coins", "b"): 100.0}
    a, b = speeds.summary(table, limits).to_dict("records")
    assert a["median"] == 30 and a["text"] == "30 (10 to over 100)" and a["n_arrived"] == 4
    assert b["median"] == np.inf and b["text"] == "over 100 (2 of 5 close)"
    ratios = {("coins", "a"): 2.0, ("coins", "b"): 1.0}
    assert speeds.scale(table, ratios)["value"].tolist()[:5] == [20, 40, 60, 80, np.inf]


def test_the_chosen_rate_has_the_least_mean_loss_and_edges_are_told():
    losses = pd.DataFrame(
        [
            ("coins", "a", rate, seed, loss + 0.01 * seed)
            for seed in (0, 1)
            for rate, loss in ((0.1, 3.0), (0.01, 1.0), (0.001, 2.0))
        ]
        + [("coins", "b", rate, 0, rate) for rate in (0.1, 0.01)],
        columns=["data", "model", "learning_rate", "seed", "value"],
    )
    chosen = tuning.chosen_rates(losses).set_index("model")
    assert chosen["learning_rate"].tolist() == [0.01, 0.01]
    assert chosen["is_edge"].tolist() == [False, True] and chosen["n"].tolist() == [2, 1]
    above = tuning.sensitivity(losses).set_index(["model", "learning_rate"])["value"]
    assert above["a"].tolist() == pytest.approx([1.0, 0.0, 2.0])
    with pytest.raises(ValueError, match="rates must have the same seeds"):
        tuning.chosen_rates(losses.drop(index=0))


def test_the_verdict_names_every_candidate_that_seeds_cannot_tell_from_the_nearest():
    values = {"G": [1.0, 1.1, 0.9], "S": [0.1, 0.11, 0.09], "B": [0.12, 0.08, 0.1]}
    table = pd.DataFrame(
        [
            ("urns", "a", "here", name, seed, value)
            for name, each in values.items()
            for seed, value in enumerate(each)
        ],
        columns=["data", "model", "where", "candidate", "seed", "value"],
    )
    verdict = becoming.verdicts(table).iloc[0]
    assert {verdict["nearest"], verdict["rivals"]} == {"S", "B"} and verdict["n"] == 3
    without = becoming.verdicts(table[table["candidate"] != "B"]).iloc[0]
    assert without["nearest"] == "S" and without["rivals"] == ""
    few = becoming.verdicts(table[table["seed"] < 2]).iloc[0]
    assert few["rivals"].count(" or ") == 1  # two seeds decide nothing


def test_distances_are_those_of_the_candidates_from_the_model(tiny_run):
    names = {"lex": True, "vocabulary": "names", "n_names": 8}
    expected = {
        "urns": (names, ["symmetrized", "generalizing", "doubt", "linear logits", "uniform"]),
        "coins": ({"n_tasks": 0, "n_colors": 2}, ["generalizing", "linear logits", "uniform"]),
        "strings": ({"language": "aNbN"}, ["oracle", "last letter"]),
        "nameless": ({"language": "aNbN"} | names, ["relabelled", "linear logits", "last letter"]),
    }
    trained = [tiny_run(FLAT | flat) for flat, _ in expected.values()]
    tables = [becoming.distances(run) for run in trained]
    for rows, (_, candidates) in zip(tables, expected.values(), strict=True):
        assert set(rows["candidate"]) == set(candidates) and (rows["value"] > 0).all()
        assert ("fresh urns" in set(rows["where"])) == ("doubt" in candidates)
    run = trained[2]
    kl = evaluation.select(run.results, split="in_distribution", measure="kl").loc["oracle", "mean"]
    value = tables[2].set_index("candidate")["value"]["oracle"]
    assert value == pytest.approx(7 * kl, rel=1e-4)


def test_rates_are_chosen_by_seeds_that_are_not_evaluated_and_never_at_an_end():
    evaluated = sweeps.read("architectures_evaluated")
    tried = [sweeps.read(f"architectures_tuning{part}") for part in ("", "_more")]
    seeds = {point.training.seed for grid in tried for point in grid.points}
    assert seeds.isdisjoint(point.training.seed for point in evaluated.points)
    assert len({point.training.seed for point in evaluated.points}) >= 5
    rates = {}
    for grid in tried:
        for point in grid.points:
            cell = tuple(tuning.cell_of(grid.coordinates[point.name]))
            rates.setdefault(cell, set()).add(point.training.learning_rate)
    for point in evaluated.points:
        cell = tuple(tuning.cell_of(evaluated.coordinates[point.name]))
        assert point.training.learning_rate in rates[cell]
        assert min(rates[cell]) < point.training.learning_rate < max(rates[cell])
        names = point.vocabulary
        assert point.kind == "normal" or (names.n_names, names.n_alphabets) == (8, 0)


def test_growth_exponents_of_known_costs():
    lengths = [16, 32, 64, 128]
    table = pd.DataFrame(
        {"model": "one", "context_length": lengths, "ms": [float(n**2) for n in lengths]}
    )
    assert costs.growth_exponents(table, "ms")["one"] == pytest.approx(2.0)
    table = costs.costs_by_length(
        {"mamba": {"backbone": "mamba"}, "linear": {"backbone": "linear"}}, [8, 16, 32]
    )
    memory = costs.growth_exponents(table, "megabytes")
    assert 0.75 < memory["mamba"] < 1.1
    weights = table.set_index(["model", "context_length"])["parameters"]
    assert weights["mamba", 8] == weights["mamba", 32]
    assert weights["linear", 32] > weights["linear", 8]


def count_numbers(state):
    if isinstance(state, torch.Tensor):
        return state.numel()
    parts = state.values() if isinstance(state, dict) else state
    return sum(map(count_numbers, parts))


@pytest.mark.parametrize(
    "flat",
    [
        *({"backbone": name} for name in ("transformer", "lstm", "mamba", "linear")),
        {"backbone": "lstm", "d_hidden": 2, "tied": False},
        {"backbone": "mamba", "expand": 1, "d_state": 1},
    ],
)
def test_a_layer_keeps_as_many_numbers_as_its_state_has(flat):
    name, settings = flat["backbone"], check(flat)
    model, state = models.build(settings, generator=generator(0, "weights")), {}
    with torch.no_grad():
        for n_rows in range(1, 9):
            model.backbone(torch.zeros(1, 1, 32), state)
            kept = costs.state_size(settings.backbone, n_rows)
            assert kept == count_numbers(state) or (name == "mamba" and n_rows < 4)
    grows = costs.state_size(settings.backbone, 64) > kept
    assert grows == (name in ("transformer", "linear"))


def test_the_matrix_memory_of_xlstm_does_not_grow():
    sizes = [costs.state_size(check({"backbone": "xlstm"}).backbone, n) for n in (16, 64)]
    assert sizes == [2 * (32**2 + 32 + 1) + 3 * 64] * 2


def test_costs_cross_where_they_are_equal():
    lengths = [16, 64, 256]
    table = pd.DataFrame(
        [("a", n, n**2 / 100) for n in lengths] + [("b", n, n / 2.5) for n in lengths],
        columns=["model", "context_length", "ms"],
    )
    assert costs.crossover(table, "a", "b") == pytest.approx(40)
    assert costs.crossover(table, "b", "a") == np.inf  # cheaper at the longest length
    assert costs.crossover(table.assign(ms=1.0), "a", "b") == np.inf


def test_memory_is_what_autograd_stores():
    """Stored memory grows linearly with the batch; the weights themselves are not counted."""
    model = models.build(
        check({"backbone": "linear", "d_model": 64}), generator=generator(0, "weights")
    )
    weights = sum(4 * parameter.numel() for parameter in model.parameters())
    stored = [
        costs.measure_step(model, torch.zeros(n, 9, dtype=torch.int64), n_rounds=1)[1]
        for n in (2, 4, 6)
    ]
    assert stored[2] - stored[1] == stored[1] - stored[0] > 0 and stored[0] < weights


def pairs(mask, *, vocab_size=7, n_rows=33):
    stream = generator(0, "weights")
    return PositionPairs(vocab_size, n_rows=n_rows, mask=mask, generator=stream).eval()


def strings(n=4, length=33):
    tokens = torch.randint(FIRST_LETTER, 7, (n, length), generator=generator(1, "strings"))
    tokens[:, 20:21], tokens[:, 21:] = EOS, PAD
    return tokens


def logits_by_loops(model, tokens, sees):
    """Return the logits of each row as plain sums over the inputs that `sees(row, input)`."""
    n_strings, length = tokens.shape
    longest = max((row.tolist() + [EOS]).index(EOS) + 1 for row in tokens)
    logits = torch.zeros(n_strings, length, model.bias.shape[1])
    for number, row in itertools.product(range(n_strings), range(length)):
        total = model.bias[row].clone()
        for seen in range(min(longest, length)):
            token = SOS if seen == 0 else tokens[number, seen - 1]
            if sees(row, seen):
                total += model.weight[row, :, seen] @ model.embedding[token]
        logits[number, row] = total
    return logits


SEES = {
    "as published": lambda row, seen: seen >= row,
    "no mask": lambda row, seen: True,
    "causal": lambda row, seen: seen <= row,
}


@pytest.mark.parametrize("mask", MASKS)
def test_linear_models_are_sums_over_the_inputs_that_their_masks_leave(mask):
    model = pairs(mask, n_rows=9)
    tokens = strings(3, 9)
    tokens[0, 4], tokens[0, 5:] = EOS, PAD
    tokens[1:, 6], tokens[1:, 7:] = EOS, PAD
    with torch.no_grad():
        logits = model.logits(model.embed(tokens))
        for name, sees in SEES.items():
            is_equal = torch.allclose(logits, logits_by_loops(model, tokens, sees), atol=1e-5)
            assert is_equal == (name == mask)
    assert (model.embed(tokens)[:, 7:] == 0).all()  # the longest string has 7 tokens
    assert torch.equal(model.embed(tokens)[0, 6], model.embedding[PAD])  # the first has 5


def test_the_published_mask_is_that_of_the_original_expression():
    model, tokens = pairs("as published"), strings()
    with torch.no_grad():
        lower = torch.ones(33, 33).tril()
        weight = model.weight.permute(2, 3, 0, 1)  # input d_model row vocab
        original = torch.einsum("bsw,swtv,st->btv", model.embed(tokens), weight, lower)
        assert torch.allclose(model.logits(model.embed(tokens)), original + model.bias, atol=1e-5)
        other = torch.einsum("bsw,swtv,st->btv", model.embed(tokens), weight, lower.T)
        assert not torch.allclose(original, other, atol=1e-2)


@pytest.mark.parametrize("mask", MASKS)
def test_gradients_show_which_inputs_a_row_depends_on(mask):
    model = pairs(mask, n_rows=9)
    assert sum(parameter.numel() for parameter in pairs(mask).parameters()) == 976_871
    values = published.input_gradients(model, strings(1, 9))
    for row, seen in itertools.product(range(9), range(9)):
        assert (values[row, seen] > 0) == SEES[mask](row, seen)
        expected = model.weight[row, :, seen].norm().item() if SEES[mask](row, seen) else 0.0
        assert values[row, seen] == pytest.approx(expected, rel=1e-5)


def change_by_row(model):
    """Return how far changing the token that row 9 predicts moves the prediction of each row."""
    tokens = strings()
    changed = tokens.clone()
    changed[:, 9] = (tokens[:, 9] - FIRST_LETTER + 1) % 4 + FIRST_LETTER
    with torch.no_grad():
        return (model(changed).exp() - model(tokens).exp()).abs().amax((0, 2))


def test_the_published_model_sees_its_target_and_never_the_past():
    causal, full, transposed = (
        change_by_row(pairs(name)) for name in ("causal", "no mask", "as published")
    )
    assert (causal[:10] == 0).all() and (causal[10:21] > 0).all()
    assert (full[:21] > 0).all()
    assert (transposed[:11] > 0).all() and (transposed[11:] == 0).all()
    log_probs = pairs("causal")(strings())
    assert torch.allclose(log_probs.exp().sum(-1), torch.ones(4, 33))
    assert (log_probs[:, 21:, PAD] == 0).all()
    with pytest.raises(ValueError, match="n_rows=33 tokens with EOS and PAD, got 34; raise n_rows"):
        causal_model = pairs("causal")
        causal_model(strings(length=34))


def test_in_generation_the_published_model_sees_its_last_token_alone():
    prompts = torch.randint(FIRST_LETTER, 7, (6, 9), generator=generator(2, "prompts"))
    prompts[:, 7] = FIRST_LETTER
    unknown = torch.full((6, 1), PAD)
    with torch.no_grad():
        last, full = (
            pairs(name)(torch.cat([prompts[:, :8], unknown], 1))[:, 8]
            for name in ("as published", "no mask")
        )
    assert torch.allclose(last, last[:1].expand_as(last))
    assert not torch.allclose(full, full[:1].expand_as(full), atol=1e-2)


def test_the_published_linear_model_learns_to_copy_and_the_causal_one_does_not():
    settings = check(
        {"language": "aNbN", "context_length": 20, "n_steps": 150, "n_test_samples": 50}
    )
    table = published.compare_linear(settings).set_index("model")
    assert list(table.index) == list(MASKS)
    assert (table.loc[["as published", "no mask"], "excess"] < -1).all()
    assert table.loc["causal", "excess"] > -0.3


def test_positions_along_the_batch_make_predictions_depend_on_the_batch():
    settings = check(
        {
            "language": "aNbN",
            "context_length": 12,
            "n_steps": 20,
            "n_test_samples": 40,
            "d_model": 16,
        }
    )
    table = published.compare_positions(settings).set_index("model")
    assert table.loc["along the batch", "moved"] > 1e-2 and table.loc["along time", "moved"] < 1e-6
    backbone = BatchPositions(torch.nn.Identity())
    outputs = backbone(torch.zeros(3, 5, 8))
    assert outputs.std(1).max() == 0 and outputs.std(0).max() > 0.1


def test_pictures_show_seeds_and_means_and_influence():
    axes = Figure().subplots()
    table = pd.DataFrame(
        {"model": ["a", "a", "b"], "reference": "generalizing", "distance": [0.1, 0.3, 1.0]}
    )
    architectures_plots.seeds_and_means(table, axes, x="distance", line="model", mark="reference")
    seeds, means = axes.lines
    assert seeds.get_xdata().tolist() == [0.1, 0.3, 1.0]
    assert means.get_xdata() == pytest.approx([0.2, 1.0])
    assert means.get_label() == "generalizing (G)"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    axes = architectures_plots.influence(
        learning.token_influence(Generalizing(2), flips(5), 2),
        Figure().subplots(),
        low=0.01,
        high=1.0,
    )
    assert axes.get_xlabel() == "token" and axes.get_ylabel() == "row predicted"
    shades = axes.collections[0].get_array().reshape(11, 11)
    assert shades[4, 2] == pytest.approx(1 / 7)  # row 5 and the third token
    assert shades.mask[2, 4]  # the future has no influence
