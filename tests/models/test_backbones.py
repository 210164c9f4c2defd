"""The contract of backbones, each with a learned and a lexical vocabulary, on urns and on strings.

Planted faults must be found.
"""

import pytest
import torch
from small_settings import TRANSFORMERS
from torch import nn

from lexurn import models
from lexurn.base.seeding import generator
from lexurn.chapters.rules.completion import complete
from lexurn.generators.strings import EOS, FIRST_LETTER, PAD, SOS
from lexurn.models import bag, transformer
from lexurn.models.equivariant import Equivariant
from lexurn.models.language_model import initialize
from lexurn.settings.resolver import check

BACKBONES = {
    "transformer": {},
    **TRANSFORMERS,
    "post-norm": {"norm_placement": "post", "mlp": "relu", "positions": "sinusoidal"},
    "post-norm, scaled": {
        "norm_placement": "post",
        "positions": "sinusoidal",
        "positions_norm": 0.1,
        "input_scale": 4.0,
        "norm_eps": 0.006,
    },
    "post-norm, first norm": {"norm_placement": "post", "norm": "rms", "input_norm": True},
    "peri, SwiGLU": {
        "norm_placement": "peri",
        "mlp": "swiglu",
        "norm": "rms",
        "positions": "rotary",
    },
    "mix, GELU": {"norm_placement": "mix", "mlp": "gelu", "n_layers": 4},
    "lstm": {"backbone": "lstm"},
    "lstm, other width": {"backbone": "lstm", "d_hidden": 12, "tied": False},
    "mamba": {"backbone": "mamba", "d_state": 5},
    "mamba, other widths": {
        "backbone": "mamba",
        "d_conv": 1,
        "expand": 3,
        "dt_rank": 2,
        "d_state": 1,
    },
    "xlstm": {"backbone": "xlstm", "slstm_at": [1]},
    "xlstm, mlstm alone": {"backbone": "xlstm", "n_heads": 4, "d_conv": 2},
    "linear": {"backbone": "linear"},
    "bag": {"backbone": "bag"},
    "equivariant": {"backbone": "equivariant"},
}
VOCABULARIES = {"learned": {}, "lexical": {"lex": True}}
TASKS = {"urns": {"n_colors": 5}, "words": {"language": "dyck"}}


def build(seed=0, **flat) -> models.LanguageModel:
    flat = {"n_layers": 2, "d_model": 16, "context_length": 11} | flat
    model = models.build(check(flat), generator=generator(seed, "weights")).double().eval()
    for parameter in model.parameters():  # away from zero biases and unit norms
        parameter.data += 0.1 * torch.randn(
            parameter.shape, generator=generator(seed, "noise"), dtype=torch.float64
        )
    return model


def inputs(model, n=6):
    """Sequences of words that have not ended, or of balls, and a table for each."""
    low = FIRST_LETTER if model.has_special_tokens else 0
    tokens = torch.randint(low, model.vocab_size, (n, 12), generator=generator(1, "tokens"))
    return tokens, model.vocabulary.draw(n, generator=generator(1, "tables")).double()


def other(model, tokens):
    """Every token another one."""
    low = FIRST_LETTER if model.has_special_tokens else 0
    return (tokens - low + 1) % (model.vocab_size - low) + low


def moved(before, after):
    return (after.exp() - before.exp()).abs()


@pytest.fixture(params=TASKS, ids=str)
def task(request):
    return TASKS[request.param]


@pytest.fixture(params=VOCABULARIES, ids=str)
def vocabulary(request):
    return VOCABULARIES[request.param]


@pytest.fixture(params=BACKBONES, ids=str)
def model(request, vocabulary, task):
    return build(**BACKBONES[request.param], **vocabulary, **task)


def moved_by_each_row(model):
    """How far each row (second axis) moves when the token of each row (first axis) is changed.

    The changed batches go through the model as one, beside unchanged ones in the same places.
    """
    tokens, table = inputs(model)
    n_rows = tokens.shape[1]
    changed = tokens.repeat(n_rows, 1, 1)
    rows = torch.arange(n_rows)
    changed[rows, :, rows] = other(model, tokens).T
    table = table if table.ndim == 2 else table.repeat(n_rows, 1, 1)
    before = model(tokens.repeat(n_rows, 1), table=table)
    return moved(before, model(changed.flatten(0, 1), table=table)).unflatten(0, (n_rows, -1))


def later_rows_reached(model):
    """How far changing token s moves the rows that must not have seen it (0 … s)."""
    by_row = moved_by_each_row(model).amax((1, 3))
    return by_row.tril().max().item()


def gradient_pattern(model, n_rows=7):
    """|∂ output row t / ∂ input row s| over (t, s)."""
    d_model = model.start_vector.shape[-1]
    x = torch.randn(
        1, n_rows, d_model, generator=generator(2, "x"), dtype=torch.float64, requires_grad=True
    )
    out = model.backbone(x)
    weights = torch.randn(out.shape[-1], generator=generator(3, "x"), dtype=torch.float64)
    rows = [
        torch.autograd.grad((out[0, t] * weights).sum(), x, retain_graph=True)[0][0].abs().sum(-1)
        for t in range(n_rows)
    ]
    return torch.stack(rows)


def other_sequences_reached(model):
    tokens, table = inputs(model)
    changed = tokens.clone()
    changed[0] = other(model, tokens)[0]
    return moved(model(tokens, table=table), model(changed, table=table))[1:].max().item()


def order_counts(model):
    """How far the last row moves when the first two tokens, made different, change places."""
    tokens, table = inputs(model)
    tokens[:, 1] = other(model, tokens)[:, 0]
    swapped = tokens[:, [1, 0, *range(2, 12)]]
    return moved(model(tokens, table=table), model(swapped, table=table))[:, -1].max().item()


def company_counts(model):
    """How far a sequence's prediction moves by its place in the batch."""
    tokens, table = inputs(model)
    order = torch.tensor([3, 5, 0, 1, 4, 2])
    whole = table if table.ndim == 2 else table[order]
    return moved(model(tokens, table=table)[order], model(tokens[order], table=whole)).max().item()


def test_no_row_sees_its_own_token_or_a_later_one(model):
    assert later_rows_reached(model) == 0.0


def test_every_row_sees_every_earlier_token(model):
    by_row = moved_by_each_row(model).amax((1, 3))
    assert (by_row[*torch.triu_indices(*by_row.shape, 1)] > 1e-12).all()


def test_gradients_flow_from_the_past_alone(model):
    pattern = gradient_pattern(model)
    if isinstance(model.backbone, Equivariant):  # which leaves the start vector out
        assert (pattern[:, 0] == 0).all()
        pattern = pattern[1:, 1:]
    below = torch.tril_indices(len(pattern), len(pattern))
    assert (pattern.triu(1) == 0).all() and (pattern > 0)[*below].all()


def test_sequences_of_a_batch_are_independent_and_their_places_do_not_count(model):
    assert other_sequences_reached(model) < 1e-12 and company_counts(model) < 1e-12


def test_the_order_of_tokens_counts(model):
    if isinstance(model.backbone, bag.Bag | Equivariant):  # counts are all that these see
        assert order_counts(model) < 1e-12
    else:
        assert order_counts(model) > 1e-6


def test_every_parameter_is_trained(model):
    tokens, table = inputs(model, 20)
    if model.has_special_tokens:
        tokens[:, 8], tokens[:, 9:] = EOS, PAD
    loss = -model(tokens, table=table).gather(-1, tokens[..., None])
    loss.mean().backward()
    for name, parameter in model.named_parameters():
        if name in ("vocabulary.special", "vocabulary.embedding") and model.has_special_tokens:
            reached = parameter.grad.abs().sum(-1) > 0  # that of EOS is written, never read
            written = (
                [] if name.endswith("embedding") and model.vocabulary.readout is not None else [EOS]
            )
            read = [] if isinstance(model.backbone, Equivariant) else [SOS]
            assert reached[[*read, *written, *range(FIRST_LETTER, len(reached))]].all()
        elif not model.bos and name == "positions":
            assert (parameter.grad[:-1] != 0).any()
        elif "attention.qkv.bias" in name:  # that of keys moves all scores alike
            assert (parameter.grad != 0).any()
        elif name != "start" or not isinstance(model.backbone, Equivariant):
            assert parameter.grad.abs().sum() > 0, name


def test_row_by_row_is_all_at_once(model):
    tokens, table = inputs(model)
    whole, state = model(tokens, table=table), {}
    rows = [
        model.step(tokens[:, max(row - 1, 0)][:, None], row, state, table=table)
        for row in range(12)
    ]
    assert moved(whole, torch.cat(rows, 1)).max() < 1e-12


def test_a_state_that_is_lost_on_the_way_is_found(model):
    tokens, table = inputs(model)
    whole, state, rows = model(tokens, table=table), {}, []
    for row in range(12):
        state = {} if row == 6 else state
        rows.append(model.step(tokens[:, max(row - 1, 0)][:, None], row, state, table=table))
    off = moved(whole, torch.cat(rows, 1)).amax((0, 2))
    assert (off[:6] < 1e-12).all() and (off[6:] > 1e-6).all()


def test_an_anti_causal_model_is_found(monkeypatch):
    real = transformer.scaled_dot_product_attention
    monkeypatch.setattr(
        transformer, "scaled_dot_product_attention", lambda q, k, v, **_: real(q, k, v)
    )
    for task in TASKS.values():
        model = build(**task)
        assert later_rows_reached(model) > 1e-3 and (gradient_pattern(model).triu(1) > 0).any()


class Mixing(nn.Module):
    def forward(self, x):
        return x - x.mean(0)


class AlongTheBatch(nn.Module):
    """Positional encodings along the batch: the defect of the published transformer."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone

    def forward(self, x):
        return self.backbone(x + models.language_model.sinusoids(len(x), x.shape[-1])[:, None])


class Bag(nn.Module):
    def forward(self, x):
        return x.cumsum(1)


def test_models_that_mix_the_batch_or_ignore_the_order_are_found():
    model = build(language="dyck")
    real, model.backbone = model.backbone, Mixing()
    assert other_sequences_reached(model) > 1e-3
    model.backbone = AlongTheBatch(real)
    assert other_sequences_reached(model) < 1e-12 and company_counts(model) > 1e-3
    model.backbone, model.positions = Bag(), None
    assert order_counts(model) < 1e-12


@pytest.mark.parametrize(
    ("flat", "wanted"),
    [
        (  # a block: attention 4d² + 4d, MLP 2 · 512 d + 512 + d, norms 4d;
            # table 7 d, read-out 7 d + 7
            {
                "n_heads": 8,
                "mlp": "relu",
                "d_mlp": 512,
                "norm_placement": "post",
                "positions": "sinusoidal",
            },
            498_951,
        ),
        ({"backbone": "lstm", "d_hidden": 256}, 2_963_655),  # a layer: 4 h (in + h) + 8 h
        ({"backbone": "mamba", "n_layers": 8, "d_state": 32, "d_conv": 8, "tied": True}, 315_392),
        (
            {
                "backbone": "xlstm",
                "d_model": 128,
                "n_layers": 7,
                "n_heads": 4,
                "slstm_at": [1],
                "readout_bias": False,
            },
            766_640,
        ),
    ],
)
def test_the_original_models_of_rules_have_their_parameters_exactly(flat, wanted):
    flat = {"language": "dyck", "d_model": 64, "n_layers": 6, "tied": False} | flat
    counts = models.summary(models.build(check(flat), generator=generator(0, "weights")))
    assert counts["all"] == wanted and counts["start vector"] == 0


def test_linear_layers_know_as_many_places_as_they_were_built_for():
    model = build(backbone="linear")
    with pytest.raises(ValueError, match=r"may have context_length \+ 1 = 12 tokens, got 13"):
        model(torch.zeros(1, 13, dtype=torch.int64))


@pytest.mark.parametrize("name", ["transformer", "lstm", "post-norm", "mamba", "xlstm", "linear"])
def test_initial_logits_start_small(name):
    flat = BACKBONES[name] | {
        "language": "dyck",
        "d_model": 64,
        "n_layers": 2,
        "context_length": 16,
    }
    model = models.build(check(flat), generator=generator(0, "weights"))
    hidden = model.backbone(torch.randn(200, 8, 64, generator=generator(1, "x")) / 8)
    assert 0.005 < model.vocabulary.unembed(hidden, model.vocabulary.draw(1)).std().item() < 1.5


@pytest.mark.parametrize("norm", ["layer", "rms"])
@pytest.mark.parametrize("placement", ["pre", "post", "peri"])
def test_a_block_is_its_formula(placement, norm):
    block = build(norm_placement=placement, norm=norm, mlp="swiglu").backbone.blocks[0]
    x = torch.randn(3, 7, 16, generator=generator(4, "x"), dtype=torch.float64)

    def normed(x, by):
        x = x - x.mean(-1, keepdim=True) if norm == "layer" else x
        return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * by.weight + getattr(
            by, "bias", 0
        )

    def swiglu(x):
        gate, up = (x @ part.weight.T for part in (block.mlp.gate, block.mlp.up))
        return (up * up.sigmoid() * gate) @ block.mlp.down.weight.T

    wanted = x
    for f, first, second in (
        (block.attention, block.attention_norm, block.attention_out_norm),
        (swiglu, block.mlp_norm, block.mlp_out_norm),
    ):
        match placement:
            case "pre":
                wanted = wanted + f(normed(wanted, first))
            case "post":
                wanted = normed(wanted + f(wanted), first)
            case "peri":
                wanted = wanted + normed(f(normed(wanted, first)), second)
    assert torch.allclose(block(x), wanted, atol=1e-10)


def test_mixed_norms_are_post_in_the_first_quarter():
    blocks = build(n_layers=9, norm_placement="mix").backbone.blocks
    assert [block.placement for block in blocks] == ["post"] * 2 + ["pre"] * 7
    last = {
        place: build(norm_placement=place, n_layers=4).backbone.norm
        for place in ("pre", "post", "peri", "mix")
    }
    assert {place for place, norm in last.items() if isinstance(norm, nn.LayerNorm)} == {
        "pre",
        "peri",
        "mix",
    }


def test_first_weights_may_have_one_scale():
    flat = {"d_model": 64, "n_layers": 8, "context_length": 16, "n_colors": 50, "initial_std": 0.02}
    model = models.build(check(flat), generator=generator(0, "weights"))
    block = model.backbone.blocks[3]
    assert block.mlp.up.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert model.vocabulary.embedding.std().item() == pytest.approx(0.02, rel=0.1)
    assert block.mlp.down.weight.std().item() == pytest.approx(0.02 / 16**0.5, rel=0.05)


def test_sinusoidal_positions_are_sines_along_time_of_norm_one():
    table = models.language_model.sinusoids(50, 6)
    assert torch.allclose(table.norm(dim=-1), torch.ones(50))
    assert torch.allclose(table[:, 0] * 3**0.5, torch.arange(50).sin(), atol=1e-6)
    assert torch.allclose(
        table[:, 3] * 3**0.5, (torch.arange(50) * 10_000 ** (-1 / 3)).cos(), atol=1e-5
    )
    model = build(language="dyck", positions="sinusoidal")
    assert "positions" not in model.state_dict() and models.summary(model)["positions"] == 0
    before = model.positions.clone()
    initialize(model, generator=generator(3, "again"))
    assert model.positions.equal(before)


# words


@pytest.fixture(params=["transformer", "lstm", "rotary", "mamba", "xlstm", "linear"])
def speaker(request, vocabulary):
    return build(**BACKBONES[request.param], **vocabulary, language="dyck")


def recomputed(model, prompts, limit, table):
    """Greedy completion, everything computed anew for every token."""
    tokens = torch.full((len(prompts), limit), PAD)
    tokens[:, : prompts.shape[1]] = prompts
    for row in range(prompts.shape[1], limit):
        filler = tokens[:, : row + 1].clone()
        tokens[:, row] = model(filler, table=table)[:, row].argmax(-1)
    return tokens


@pytest.mark.parametrize("n_prompt", [0, 1, 5])
def test_greedy_completions_are_those_of_recomputation(speaker, n_prompt):
    tokens, table = inputs(speaker, 40)
    prompts = tokens[:, :n_prompt]
    found = complete(speaker, prompts, limit=12, table=table)
    assert found.equal(recomputed(speaker, prompts, 12, table))
    ended = (found == EOS).any(1)
    behind = (found == EOS).cumsum(1) - (found == EOS).long()
    assert (
        (found[behind > 0] == PAD).all() and (found != SOS).all() and (found[~ended] != PAD).all()
    )
    assert complete(speaker, prompts, limit=max(n_prompt, 6), table=table).equal(
        found[:, : max(n_prompt, 6)]
    )


def test_sampled_completions_have_the_model_s_probabilities(speaker):
    n = 5_000
    table = speaker.vocabulary.draw(1, generator=generator(5, "table")).double()
    prompts = torch.tensor([[FIRST_LETTER, FIRST_LETTER + 2]]).expand(n, -1)
    found = complete(speaker, prompts, limit=4, table=table, generator=generator(0, "sampled"))
    again = complete(speaker, prompts, limit=4, table=table, generator=generator(0, "sampled"))
    assert found.equal(again)
    log_probs = speaker(found, table=table).gather(-1, found[..., None])[:, 2:, 0].sum(-1)
    words, which, counts = found.unique(dim=0, return_inverse=True, return_counts=True)
    total = 0.0
    for number, count in enumerate(counts.tolist()):
        p = log_probs[which == number][0].exp().item()
        total += p
        assert abs(count / n - p) < 5 * (p * (1 - p) / n) ** 0.5 + 1e-9, words[number]
    assert total > 0.99


def test_balls_are_drawn_to_the_limit():
    model = build(n_colors=5)
    tokens, table = inputs(model)
    found = complete(model, tokens[:, :3], limit=12, table=table)
    assert found[:, :3].equal(tokens[:, :3]) and found[:, 3:].equal(
        recomputed_balls(model, tokens[:, :3], table)[:, 3:]
    )


def recomputed_balls(model, prompts, table):
    tokens = torch.zeros(len(prompts), 12, dtype=torch.int64)
    tokens[:, :3] = prompts
    for row in range(3, 12):
        tokens[:, row] = model(tokens[:, : row + 1], table=table)[:, row].argmax(-1)
    return tokens


def test_prompts_that_cannot_be_gone_on_with_are_refused():
    model = build(language="aNbN")
    with pytest.raises(
        ValueError,
        match=r"tokens of a prompt must lie in 3 … 4, got 3 … 5; was the prompt written for",
    ):
        complete(model, torch.tensor([[3, 5]]), limit=6)
    with pytest.raises(ValueError, match="must lie in 3 … 4, got 1 … 3"):
        complete(model, torch.tensor([[3, EOS]]), limit=6)
    with pytest.raises(ValueError, match=r"limit must be at least the prompts' 8 tokens .* got 6"):
        complete(model, torch.full((1, 8), 3), limit=6)
    with pytest.raises(
        ValueError,
        match="a model with a random vocabulary needs a table; use table=model.vocabulary",
    ):
        complete(build(language="aNbN", lex=True), torch.full((1, 8), 3), limit=12)
    with pytest.raises(ValueError, match=r"at most context_length \+ 1 = 12, got 13"):
        complete(model, torch.full((1, 8), 3), limit=13)


def test_pad_is_certain_behind_the_end_and_impossible_before_it():
    for vocabulary in VOCABULARIES.values():
        model = build(language="dyck", **vocabulary)
        tokens, table = inputs(model)
        tokens[:, 4], tokens[:, 5:] = EOS, PAD
        found = model(tokens, table=table)
        assert (found[:, 5:, PAD] == 0).all() and (found[:, :5, [SOS, PAD]] == -torch.inf).all()
        assert torch.allclose(found.exp().sum(-1), torch.ones(6, 12, dtype=torch.float64))
