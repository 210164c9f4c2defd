"""Backbones compared: the measures are right for exact predictors and for known tables."""

import itertools
from math import log

import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

from lexurn import evaluation, models, runs
from lexurn.base.seeding import generator
from lexurn.chapters.architectures import costs, learning, published
from lexurn.chapters.architectures import plots as architectures_plots
from lexurn.chapters.architectures.published_models import MASKS, BatchPositions, PositionPairs
from lexurn.generators.strings import EOS, FIRST_LETTER, PAD, SOS
from lexurn.predictors import Generalizing
from lexurn.settings.resolver import check

FLAT = {"d_model": 12, "n_steps": 20, "eval_every": 10, "n_test_samples": 30, "context_length": 6}


def flips(n=300, length=12):
    return torch.randint(2, (n, length), generator=generator(0, "flips"))


@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0])
def test_the_smoothing_rule_nearest_to_a_rule_is_the_rule_itself(alpha):
    nearest = learning.nearest_smoothing(Generalizing(2, alpha), flips()).iloc[0]
    assert nearest["ln_alpha"] == pytest.approx(log(alpha), abs=1e-3)
    assert nearest["kl"] < 1e-8 and nearest["n"] == 300
    assert (nearest["to_laplace"] < 1e-12) == (alpha == 1)


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
        final = learning.final_regret(run).iloc[0]
        along = learning.regret_along_training(run).set_index("step")["value"]
        expected = n_rows * regret[["mean", "sem"]]
        assert final[["value", "sem"]].tolist() == pytest.approx(expected.tolist())
        expected = n_rows * run.metrics[f"{split}/loss"].diff().iloc[1:]
        assert list(along.index) == [0, 10, 20]
        assert along.diff().iloc[1:].tolist() == pytest.approx(expected.tolist())
        curve = along[run.results["step"].iloc[0]]
        if "lex" in flat:  # along training, every string has one random table
            measure = evaluation.SINGLE_TABLE + "regret"
            single = evaluation.select(run.results, split=split, measure=measure).loc[optimum]
            assert curve == pytest.approx(n_rows * single["mean"], abs=1e-6)
            assert curve > final["value"] + 1e-3
        else:
            assert curve == pytest.approx(final["value"], abs=1e-6)
    distances = learning.predictor_distances(runs.get(FLAT)).set_index("reference")["value"]
    assert set(distances.index) == {"generalizing", "memorizing", "symmetrized"}
    assert (distances > 0).all()


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
