"""Language models: causality, independence, equivariance and counts, with controls that fail."""

import re

import pytest
import torch
from jaxtyping import TypeCheckError
from small_settings import TRANSFORMERS

from lexurn import models
from lexurn.base.divergences import negative_log_likelihood
from lexurn.base.seeding import generator
from lexurn.base.shapes import check_tokens
from lexurn.models import transformer
from lexurn.models.vocabulary import TABLE_SAMPLERS, one_hot, orthonormal
from lexurn.settings.registry import entries, load_target
from lexurn.settings.resolver import check

KINDS = {
    "learned": {},
    "untied": {"tied": False},
    "lexical": {"lex": True},
    "lexical untied": {"lex": True, "tied": False},
    "no positions": {"positions": "none", "lex": True, "vocabulary": "gaussian_scaled"},
    **TRANSFORMERS,
}
TINY = {
    "n_colors": 2,
    "n_tasks": 0,
    "context_length": 20,
    "d_model": 2,
    "n_heads": 1,
    "d_head": 1,
    "d_mlp": 16,
}
TINY |= {
    "mlp": "relu",
    "norm": "none",
    "positions": "log",
    "positions_trained": False,
    "bos": False,
    "tied": False,
}
"""The tiny model of the coins: 145 parameters besides the start vector, 105 of them trained."""


def build(dtype=torch.float64, seed=0, **flat) -> models.LanguageModel:
    flat = {"n_layers": 2, "d_model": 16, "context_length": 11, "n_colors": 5} | flat
    model = models.build(check(flat), generator=generator(seed, "weights")).to(dtype).eval()
    for parameter in model.parameters():  # away from zero biases and unit norms
        parameter.data += 0.1 * torch.randn(
            parameter.shape, generator=generator(seed, "noise"), dtype=dtype
        )
    return model


def inputs(model, n=6):
    tokens = torch.randint(5, (n, 12), generator=generator(1, "tokens"))
    table = model.vocabulary.draw(n, generator=generator(1, "tables")).to(model.start.dtype)
    return tokens, table


@pytest.fixture(params=KINDS, ids=str)
def model(request):
    return build(**KINDS[request.param])


def relabelling_gap(model, tokens, table):
    """Return how far the prediction differs after relabelling tokens and the rows of tables."""
    order = torch.tensor([2, 0, 4, 1, 3])
    before = model(tokens, table=table)
    moved = table if table.ndim == 2 else torch.empty_like(table).index_copy_(1, order, table)
    return (model(order[tokens], table=moved)[..., order] - before).abs().max().item()


@pytest.mark.parametrize("vocabulary", TABLE_SAMPLERS)
@pytest.mark.parametrize("tied", [True, False])
def test_lexical_models_are_equivariant_under_relabelling(vocabulary, tied):
    if vocabulary == "original" and not tied:
        pytest.raises(ValueError, check, {"lex": True, "vocabulary": "original", "tied": False})
        return
    model = build(lex=True, vocabulary=vocabulary, tied=tied)
    assert relabelling_gap(model, *inputs(model)) < 1e-12


def test_learned_embeddings_are_not_equivariant():
    model = build()
    assert relabelling_gap(model, *inputs(model)) > 1e-2


def test_lexical_models_hold_no_parameter_per_token():
    for kind, names in (("lexical", False), ("learned", True)):
        sizes = [parameter.shape for parameter in build(n_colors=7, **KINDS[kind]).parameters()]
        assert any(7 in shape for shape in sizes) == names


@pytest.mark.parametrize("family", TABLE_SAMPLERS)
def test_tables_have_the_law_that_they_are_named_after(family):
    table = TABLE_SAMPLERS[family]((2000, 3, 8), generator(0, "tables")).double()
    gram = table @ table.mT
    wanted = torch.eye(3, dtype=torch.float64) * (8 if family in ("gaussian", "original") else 1)
    if family in ("one_hot", "orthonormal"):
        torch.testing.assert_close(gram, wanted.expand_as(gram), atol=1e-5, rtol=0)
    tolerance = 6 * gram.std(0) / 2000**0.5 + 1e-6
    assert ((gram.mean(0) - wanted).abs() < tolerance).all()
    covariance = (table.flatten(0, 1).T @ table.flatten(0, 1)) / 6000  # no direction is preferred
    wanted = torch.eye(8, dtype=torch.float64) * wanted[0, 0] / 8
    assert (covariance - wanted).abs().max() < 0.1 * wanted[0, 0] + 0.02
    assert table.mean((0, 1)).abs().max() < 0.15 or family == "one_hot"


def test_one_hot_tables_are_unit_vectors_and_orthonormal_ones_are_not():
    for family, count in ((one_hot, 1), (orthonormal, 8)):
        table = family((5, 3, 8), generator(0, "tables"))
        assert (table.abs() > 1e-6).sum(-1).float().mean().item() == count


def test_tables_differ_between_sequences_and_draws():
    vocabulary = build(lex=True).vocabulary
    stream = generator(0, "tables")
    first, second = vocabulary.draw(50, generator=stream), vocabulary.draw(50, generator=stream)
    assert not first.equal(second) and len(first.unique(dim=0)) > 45


@pytest.mark.parametrize(
    ("flat", "wanted"),
    [
        # start d, positions C·d, table V·d, last norm 2d;
        # a block: attention 4d² + 4d, gated MLP 12d², norms 4d
        ({}, 32 + 32 * 32 + 4 * 32 + (16 * 32**2 + 8 * 32) + 2 * 32),
        ({"tied": False}, 32 + 32 * 32 + 4 * 32 + (16 * 32**2 + 8 * 32) + 2 * 32 + 4 * 32 + 4),
        ({"lex": True}, 32 + 32 * 32 + (16 * 32**2 + 8 * 32) + 2 * 32),
        ({"lex": True, "tied": False}, 32 + 32 * 32 + 32**2 + (16 * 32**2 + 8 * 32) + 2 * 32),
        ({"positions": "rotary"}, 32 + 4 * 32 + (16 * 32**2 + 8 * 32) + 2 * 32),
        (
            {
                "d_model": 128,
                "n_layers": 4,
                "n_heads": 8,
                "context_length": 127,
                "n_colors": 8,
                "positions": "learned",
            },
            128 + 127 * 128 + 8 * 128 + 4 * (16 * 128**2 + 8 * 128) + 2 * 128,
        ),
    ],
)
def test_parameters_are_counted_exactly(flat, wanted):
    model = models.build(check(flat), generator=generator(0, "weights"))
    assert sum(parameter.numel() for parameter in model.parameters()) == wanted
    assert models.summary(model)["all"] == wanted


def test_initial_logits_start_small_but_in_the_original():
    """The original's logits start with a standard deviation near √d_model, all others near 1."""
    for flat, low, high in (
        ({}, 0.5, 1.5),
        ({"lex": True}, 0.5, 1.5),
        ({"lex": True, "vocabulary": "gaussian_scaled"}, 0.5, 1.5),
        ({"lex": True, "vocabulary": "original"}, 6, 10),
    ):
        model = models.build(check({"d_model": 64, **flat}), generator=generator(0, "weights"))
        table = model.vocabulary.draw(200, generator=generator(0, "tables"))
        hidden = model.backbone(torch.randn(200, 8, 64, generator=generator(1, "x")))
        assert low < model.vocabulary.unembed(hidden, table).std().item() < high


def test_weights_depend_on_their_generator_alone():
    settings = check({})
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = models.build(settings, generator=generator(0, "weights")).state_dict()
    assert state.equal(torch.get_rng_state())
    torch.manual_seed(2)
    again = models.build(settings, generator=generator(0, "weights")).state_dict()
    other = models.build(settings, generator=generator(1, "weights")).state_dict()
    assert all(first[name].equal(again[name]) for name in first)
    assert not first["start"].equal(other["start"])


def test_rotary_positions_turn_tokens_by_their_index_and_leave_the_start_alone():
    x = torch.randn(1, 1, 5, 4, generator=generator(0, "x"), dtype=torch.float64)
    turned = transformer.rotate(x)
    torch.testing.assert_close(
        turned[:, :, :2], x[:, :, :2]
    )  # the start vector, and token 0 at position 0
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    first = x[0, 0, 3, [0, 2]]  # token 2: the fastest pair turns by 2 radians
    angle = torch.tensor(2.0, dtype=torch.float64)
    wanted = torch.stack(
        [
            first[0] * angle.cos() - first[1] * angle.sin(),
            first[0] * angle.sin() + first[1] * angle.cos(),
        ]
    )
    torch.testing.assert_close(turned[0, 0, 3, [0, 2]], wanted)


def test_predictors_are_deterministic_normalized_and_leave_training_mode():
    model = build(torch.float32, lex=True, dropout=0.5).train()
    predictor = models.as_predictor(model, n_tables=3, batch_size=4)
    tokens, _ = inputs(model)
    first = predictor(tokens)
    torch.testing.assert_close(predictor(tokens[5:]), first[5:])  # the same in any company
    assert first.equal(predictor(tokens)) and model.training and first.dtype == torch.float64
    torch.testing.assert_close(
        first.exp().sum(-1), torch.ones(6, 12, dtype=torch.float64), atol=1e-5, rtol=0
    )
    assert not first.equal(models.as_predictor(model, n_tables=1, batch_size=4)(tokens))


def test_tables_stacked_into_a_batch_predict_as_one_after_another():
    model = build(torch.float32, lex=True)
    tokens, _ = inputs(model, 5)
    options = {"n_tables": 3, "batch_size": 4}
    in_turn = models.as_predictor(model, n_stacked=1, **options).predict_each(tokens)
    for n_stacked in (2, 3):
        stacked = models.as_predictor(model, n_stacked=n_stacked, **options).predict_each(tokens)
        torch.testing.assert_close(stacked, in_turn)
    assert not torch.allclose(in_turn[0], in_turn[1])
    assert models.as_predictor(model, **options).predict_each(tokens).equal(in_turn)


def test_each_sequence_has_a_table_of_its_own_whatever_the_others_are():
    """Sequence i is predicted alike in every batch, and otherwise than under another table."""
    model = build(torch.float32, lex=True, dropout=0.5).train()
    tokens = inputs(model, 1)[0].expand(150, -1)
    predictor = models.as_trained_predictor(model, seed=0)
    log_probs = predictor(tokens)
    assert log_probs.equal(predictor(tokens)) and model.training
    assert not any(torch.allclose(log_probs[0], other) for other in log_probs[1:])
    for start, stop in ((0, 3), (60, 70), (127, 128), (100, 150)):
        part = predictor(tokens[start:stop], start)
        torch.testing.assert_close(part, log_probs[start:stop])
        assert start == 0 or not torch.allclose(predictor(tokens[start:stop]), part)
    assert not log_probs.equal(models.as_trained_predictor(model, seed=1)(tokens))
    normal = build(torch.float32)
    tokens, _ = inputs(normal)
    assert models.as_trained_predictor(normal)(tokens).equal(models.as_predictor(normal)(tokens))


def test_sequences_longer_than_the_context_are_refused():
    with pytest.raises(ValueError, match=r"context_length \+ 1 = 12 tokens, got 13"):
        build(torch.float32)(torch.zeros(1, 13, dtype=torch.int64))


def test_a_prefix_is_predicted_as_in_the_whole(model):
    tokens, table = inputs(model)
    torch.testing.assert_close(model(tokens[:, :5], table=table), model(tokens, table=table)[:, :5])


def test_everything_registered_can_be_loaded():
    for section in ("task", "vocabulary", "backbone"):
        assert all(callable(load_target(section, name)) for name in entries(section))


@pytest.mark.parametrize("lex", [False, True])
def test_the_validation_loss_is_that_of_training_on_other_sequences(lex):
    """One table per sequence, no dropout, no gradients, rows 1 … C, and the same at every call."""
    model = build(torch.float32, lex=lex, dropout=0.5).train()
    tokens, _ = inputs(model, 200)
    loss = models.loss_as_trained(model, tokens, seed=0)
    assert loss == models.loss_as_trained(model, tokens, seed=0) and model.training
    with models.language_model.evaluating(model):
        log_probs = model(tokens, generator=generator(5, "other tables"))
    other = negative_log_likelihood(log_probs, tokens)[:, 1:].mean().item()
    assert other == pytest.approx(loss, rel=0.02 if lex else 1e-5)
    assert (models.loss_as_trained(model, tokens, seed=1) != loss) == lex


@pytest.mark.parametrize("lex", [False, True])
def test_larger_batches_on_a_gpu_have_the_same_tables(lex, monkeypatch):
    model = build(torch.float32, lex=lex)
    tokens, _ = inputs(model, 200)
    predictor = models.as_trained_predictor(model, seed=0)
    place = [3] if lex else []
    loss = models.loss_as_trained(model, tokens, seed=0)
    log_probs = predictor(tokens[3:], *place)
    monkeypatch.setattr(models.prediction, "_batch_size", lambda model: 512)
    assert models.loss_as_trained(model, tokens, seed=0) == pytest.approx(loss, rel=1e-6)
    torch.testing.assert_close(predictor(tokens[3:], *place), log_probs)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([[0, 1]], "tokens must be a torch tensor of int64, got list"),
        (torch.zeros(2, 3), "must be a torch tensor of int64, got torch.float32"),
        (torch.zeros(3, dtype=torch.int64), r"must have the shape \(batch, time\), got \(3,\)"),
        (torch.tensor([[0, 7]]), "tokens must lie in 0 … 4, got 0 … 7"),
        (torch.tensor([[0, -1]]), "tokens must lie in 0 … 4, got -1 … 0"),
    ],
)
def test_predictors_say_which_tokens_they_take(tokens, message):
    for take in (
        lambda: check_tokens(tokens, 5),
        lambda: models.as_predictor(build(torch.float32))(tokens),
    ):
        with pytest.raises((TypeError, ValueError, TypeCheckError)) as caught:
            take()
        if not isinstance(
            caught.value, TypeCheckError
        ):  # what the annotations find first, in tests alone
            assert re.search(message, str(caught.value))


def test_the_tiny_model_has_145_parameters_of_which_105_are_trained():
    model = models.build(check(TINY), generator=generator(0, "weights"))
    counts = models.summary(model)
    assert counts["all"] - counts["start vector"] == 145
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert trained - counts["start vector"] == 105 and counts["positions"] == 40
    every = models.summary(
        models.build(check(TINY | {"positions_trained": True}), generator=generator(0, "weights"))
    )
    assert every == counts


def test_positions_that_are_told_by_a_number_begin_as_that_and_stay_so_where_they_are_fixed():
    for how, wanted in (
        ("integer", [0.0, 1.0, 2.0, 3.0]),
        ("linear", [0.0, 1 / 3, 2 / 3, 1.0]),
        ("log", [0.0, 0.693147, 1.098612, 1.386294]),
    ):
        for trained in (True, False):
            flat = TINY | {"context_length": 4, "positions": how, "positions_trained": trained}
            model = models.build(check(flat), generator=generator(0, "weights"))
            torch.testing.assert_close(
                model.positions.detach(), torch.tensor([[0.0, place] for place in wanted])
            )
            model(torch.zeros(2, 5, dtype=torch.int64)).sum().backward()
            assert (model.positions.grad is not None) == trained


def test_only_a_bos_is_seen_by_the_rows_after_it():
    tokens = torch.randint(5, (3, 12), generator=generator(1, "tokens"))
    for bos in (True, False):
        for positions in ("learned", "rotary"):
            model = build(bos=bos, positions=positions)
            before = model(tokens)
            model.start.data += torch.randn(
                model.start.shape, generator=generator(0, "moved"), dtype=torch.float64
            )
            moved = (model(tokens) - before).abs().amax((0, 2))
            assert (
                moved[0] > 0.01
                and (moved[1:] > 1e-6).all() == bos
                and (moved[1:] == 0).all() != bos
            )


def test_without_a_bos_rotary_positions_depend_on_distances_alone():
    """This holds only if the position of token i is i."""
    q = torch.randn(1, 1, 6, 4, generator=generator(0, "q"), dtype=torch.float64)
    turned = transformer.rotate(q, first_token_row=0)
    scores = turned @ turned.mT
    assert torch.allclose(turned[:, :, 0], q[:, :, 0]) and not torch.allclose(
        turned[:, :, 1], q[:, :, 1]
    )
    same = q[:, :, :1].expand(-1, -1, 6, -1)
    by_distance = (
        transformer.rotate(same, first_token_row=0) @ transformer.rotate(same, first_token_row=0).mT
    )
    for distance in range(6):
        diagonal = by_distance[0, 0].diagonal(-distance)
        assert torch.allclose(diagonal, diagonal[:1].expand_as(diagonal))
    assert scores.shape == (1, 1, 6, 6)


def test_the_explicit_attention_is_the_fused_one():
    for flat in ({}, {"positions": "rotary"}, {"d_head": 3, "n_heads": 2}):
        model = build(**flat)
        tokens, table = inputs(model)
        fused, patterns = model(tokens, table=table), []

        def keep(module, given, out, patterns=patterns):
            patterns.append(out)

        for block in model.backbone.blocks:
            block.attention.pattern.register_forward_hook(keep)
        torch.testing.assert_close(model(tokens, table=table), fused, rtol=0, atol=1e-12)
        assert len(patterns) == 2 and torch.allclose(patterns[0].sum(-1), torch.ones(()).double())
        assert (patterns[0].triu(1) == 0).all()
