"""The transformer's options: ALiBi, scales of its input, ε of its norms, and where it has dropout;
and the dropout of the LSTM."""

import pytest
import torch
from torch import nn

from lexurn import models
from lexurn.base.seeding import generator
from lexurn.models import transformer
from lexurn.settings.resolver import ParameterError, check


def build(**flat) -> models.LanguageModel:
    flat = {"n_layers": 2, "d_model": 16, "context_length": 11, "n_colors": 5} | flat
    return models.build(check(flat), generator=generator(0, "weights")).double().eval()


def hidden(n=6, n_rows=12, d_model=16):
    return torch.randn(n, n_rows, d_model, generator=generator(0, "x"), dtype=torch.float64)


# ALiBi


def biases(n_heads=2, n_queries=5, n_rows=5, first_token_row=0):
    q = torch.zeros(1, n_heads, n_queries, 4, dtype=torch.float64)
    return transformer.alibi(q, n_rows=n_rows, first_token_row=first_token_row)[0]


def test_biases_fall_with_the_distance_by_a_slope_of_each_head():
    every = biases(n_heads=8)
    for head in range(8):
        for query in range(5):
            wanted = [-(2.0 ** -(head + 1)) * (query - key) for key in range(query + 1)]
            assert every[head, query, : query + 1].tolist() == wanted
            assert (every[head, query, query + 1 :] == -torch.inf).all()
    assert biases(n_heads=3)[:, 1, 0].tolist() == pytest.approx(
        [-(2 ** (-8 / 3)), -(2 ** (-16 / 3)), -(2**-8)]
    )


def test_a_start_vector_has_the_position_of_the_first_token():
    with_start = biases(first_token_row=1)
    assert with_start[:, :, 0].equal(with_start[:, :, 1].where(with_start[:, :, 1] > -1e9, -0.0))
    assert with_start[:, 1:, 1:].equal(biases(n_queries=4, n_rows=4))
    assert not with_start.equal(biases())  # the control: where the start vector is the first token


def test_the_last_queries_have_the_last_rows_of_all_biases():
    for first_token_row in (0, 1):
        whole = biases(first_token_row=first_token_row)
        last = biases(n_queries=1, first_token_row=first_token_row)
        assert last.equal(whole[:, -1:]) and not last.equal(whole[:, -2:-1])


def test_attention_depends_on_distances_alone_without_a_start_vector():
    """With equal keys the pattern is the softmax of the biases; other positions differ."""
    for positions, is_even in (("alibi", False), ("none", True)):
        attention = build(positions=positions, bos=False).backbone.blocks[0].attention
        kept = []
        attention.pattern.register_forward_hook(lambda _, __, out, kept=kept: kept.append(out))
        attention(hidden(n=1, n_rows=1).expand(1, 6, -1))
        ((pattern,),) = kept
        shares = pattern[:, 5, 1:] / pattern[:, 5, :-1]
        wanted = 0.0 if is_even else torch.tensor([2.0**-4, 2.0**-8]).double()[:, None]
        assert torch.allclose(shares.log(), wanted * torch.ones(2, 5).double())


def test_the_explicit_attention_is_the_fused_one():
    model = build(positions="alibi", n_heads=4)
    tokens = torch.randint(5, (6, 12), generator=generator(1, "tokens"))
    fused = model(tokens)
    for block in model.backbone.blocks:
        block.attention.pattern.register_forward_hook(lambda *_: None)
    torch.testing.assert_close(model(tokens), fused, rtol=0, atol=1e-12)


# scales


def test_the_input_is_scaled_before_the_first_block():
    x = hidden()
    plain = build(norm_placement="post").backbone
    scaled = build(norm_placement="post", input_scale=3.0).backbone
    assert scaled(x).equal(plain(3.0 * x)) and not scaled(x).equal(plain(x))


def test_a_norm_in_front_makes_the_length_of_the_input_irrelevant():
    x = hidden()
    plain = build(norm="rms").backbone
    normed = build(norm="rms", input_norm=True).backbone
    assert torch.allclose(normed(x), normed(5 * x), atol=1e-4)
    assert not torch.allclose(plain(x), plain(5 * x), atol=1e-2)  # the control
    unit = torch.nn.functional.rms_norm(x, x.shape[-1:], eps=1e-5)
    assert torch.allclose(normed(x), plain(unit))
    scaled = build(norm="rms", input_norm=True, input_scale=0.25).backbone
    assert torch.allclose(scaled(x), plain(0.25 * unit))
    with pytest.raises(ParameterError, match="input_norm counts only with norms"):
        check({"norm": "none", "input_norm": True})


def test_sines_have_the_norm_that_is_set():
    """Mészáros et al. 2024: embeddings of norm d beside sines of norm √(d/2)."""
    flat = {"positions": "sinusoidal", "d_model": 64, "norm_placement": "post"}
    model = build(**flat, positions_norm=1 / 128**0.5, input_scale=64.0)
    sines = (64 * model.positions).norm(dim=-1)
    assert torch.allclose(sines, torch.full((11,), 32**0.5, dtype=torch.float64), atol=1e-5)
    table = build(**flat, n_colors=3000, n_tasks=0).vocabulary.embedding
    assert (64 * table).norm(dim=-1).mean().item() / 32**0.5 == pytest.approx(128**0.5, rel=0.01)
    assert torch.allclose(build(**flat).positions.norm(dim=-1), torch.ones(11).double())


@pytest.mark.parametrize("norm", ["layer", "rms"])
def test_every_norm_has_the_epsilon_that_is_set(norm):
    settings = {"norm": norm, "norm_placement": "peri", "norm_eps": 0.5}
    backbone = build(**settings).backbone
    norms = [each for each in backbone.modules() if isinstance(each, nn.LayerNorm | nn.RMSNorm)]
    assert len(norms) == 2 * 4 + 1 and all(each.eps == 0.5 for each in norms)
    x = 0.1 * hidden()
    centred = x - x.mean(-1, keepdim=True) if norm == "layer" else x
    wanted = centred / (centred.square().mean(-1, keepdim=True) + 0.5).sqrt()
    assert torch.allclose(norms[0](x), wanted)
    assert not torch.allclose(build(norm=norm).backbone.norm(x), wanted)


# dropout

DROPOUTS = [
    {"dropout": 0.5},
    {"mlp_dropout": 0.5},
    {"embedding_dropout": 0.5},
    {"attention_dropout": 0.5},
    {"activation_dropout": 0.5},
    {"backbone": "lstm", "output_dropout": 0.5},
]


@pytest.mark.parametrize("flat", DROPOUTS, ids=str)
def test_dropout_acts_in_training_alone_and_draws_nothing_at_zero(flat):
    x = hidden()
    kind = {name: value for name, value in flat.items() if name == "backbone"}
    backbone, without = build(**flat).backbone, build(**kind).backbone
    assert backbone(x).equal(without(x))
    before = torch.get_rng_state()
    assert without.train()(x).equal(without.eval()(x)) and torch.get_rng_state().equal(before)
    with torch.random.fork_rng():
        assert not backbone.train()(x).equal(without(x))
        assert not torch.get_rng_state().equal(before)  # the control


def test_dropout_of_embeddings_is_before_the_first_block_and_of_the_lstm_after_the_last():
    for flat, hook in (({"embedding_dropout": 0.3}, "resid_pre"), (DROPOUTS[-1], None)):
        backbone = build(**flat).backbone.train()
        kept = []
        point = backbone.blocks[0].resid_pre if hook else backbone
        point.register_forward_hook(lambda _, __, out, kept=kept: kept.append(out))
        x = hidden(n=200)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            backbone(x)
        ((p, whole),) = ((0.3, x),) if hook else ((0.5, backbone.eval()(x)),)
        is_dropped = kept[0] == 0
        assert is_dropped.double().mean().item() == pytest.approx(p, abs=0.02)
        assert torch.allclose(kept[0][~is_dropped], whole[~is_dropped] / (1 - p))


@pytest.mark.parametrize("positions", ["learned", "alibi"])
def test_dropout_of_the_pattern_leaves_the_mean_of_attention(positions):
    """Fused and explicit alike: an entry is 0, or 1/(1 − p) times as large."""
    n = 4000
    attention = build(positions=positions, attention_dropout=0.5).backbone.blocks[0].attention
    x = hidden(n=1).expand(n, -1, -1)
    wanted = attention(x[:1])
    for is_explicit in (False, True):
        if is_explicit:
            attention.pattern.register_forward_hook(lambda *_: None)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            outputs = attention.train()(x)
        attention.eval()
        errors = (outputs.mean(0) - wanted[0]) / (outputs.std(0) / n**0.5)
        assert errors.abs().max() < 5 and outputs.std(0).min() > 1e-3
        # Row 0 sees itself alone: its pattern is 0 or 2.
        rows = outputs[:, 0].unique(dim=0)
        assert len(rows) == 4  # two heads
