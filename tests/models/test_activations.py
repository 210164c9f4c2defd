"""Activations are read and changed by name in any backbone, and no hook remains afterwards."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from lexurn import models
from lexurn.base.seeding import generator
from lexurn.models import activations
from lexurn.models.backbone import HookPoint, hook_points
from lexurn.settings.resolver import check

EXACT = {"rtol": 0, "atol": 1e-12}


def build(**flat):
    flat = {
        "n_colors": 4,
        "d_model": 12,
        "n_heads": 2,
        "d_head": 5,
        "n_layers": 2,
        "context_length": 7,
    } | flat
    model = models.build(check(flat), generator=generator(0, "weights")).double()
    tokens = torch.randint(4, (3, 8), generator=generator(0, "tokens"))
    return model, tokens


def count_hooks(model):
    return sum(len(module._forward_hooks) for module in model.modules())


NAMES = ["attn.q", "attn.k", "attn.v", "attn.z", "attn.pattern", "mlp.pre", "mlp.post"]


@pytest.mark.parametrize(
    "flat",
    [{}, {"bos": False}, {"mlp": "relu", "norm": "none"}, {"positions": "rotary", "d_head": 6}],
)
def test_activations_add_up_to_the_residual_stream(flat):
    model, tokens = build(**flat)
    values = activations.read(model, tokens)
    assert sorted(values) == sorted(
        f"{layer}.{name}"
        for layer in (0, 1)
        for name in [*NAMES, "resid_pre", "resid_mid", "resid_post"]
    )
    assert activations.names(model) == list(values) and count_hooks(model) == 0
    d_head = flat.get("d_head", 5)
    assert values["0.attn.z"].shape == values["1.attn.q"].shape == (3, 8, 2, d_head)
    assert values["0.attn.pattern"].shape == (3, 2, 8, 8) and values["0.mlp.post"].shape == (
        3,
        8,
        48,
    )
    for layer, block in enumerate(model.backbone.blocks):
        pre, mid, post, z, pattern, v, mlp = (
            values[f"{layer}.{name}"]
            for name in (
                "resid_pre",
                "resid_mid",
                "resid_post",
                "attn.z",
                "attn.pattern",
                "attn.v",
                "mlp.post",
            )
        )
        assert_close(mid, pre + block.attention.out(z.flatten(2)), **EXACT)
        assert_close(post, mid + block.mlp.down(mlp), **EXACT)
        assert_close(z.transpose(1, 2), pattern @ v.transpose(1, 2), **EXACT)
        assert_close(pattern.sum(-1), torch.ones(3, 2, 8).double(), **EXACT)
    assert_close(values["1.resid_pre"], values["0.resid_post"], **EXACT)
    logits = model.vocabulary.unembed(
        model.backbone.norm(values["1.resid_post"]), model.vocabulary.draw(3)
    )
    assert_close(logits.log_softmax(-1), model(tokens), **EXACT)
    (only,) = activations.read(model, tokens, "1.attn.z").values()
    assert_close(only, values["1.attn.z"], **EXACT)


@pytest.mark.parametrize("bos", [True, False])
def test_a_patch_carries_over_the_activation_of_another_sequence(bos):
    model, tokens = build(bos=bos)
    other = (tokens + 1) % 4
    donor = activations.read(model, other)
    own = model(tokens)
    for name in ("1.resid_post", "0.resid_pre"):  # the output and the input of all blocks
        full = activations.intervene(model, tokens, {name: activations.patch(donor[name])})
        assert_close(full, model(other), **EXACT)
    partly = activations.intervene(
        model, tokens, {"0.resid_mid": activations.patch(donor["0.resid_mid"], rows=[4])}
    )
    assert_close(partly[:, :4], own[:, :4], **EXACT)  # the past does not change
    change = (partly[:, 4:] - own[:, 4:]).abs().amax((0, 2))
    assert change.min() > 1e-6  # row 4, and the rows that attend to it
    identity = {
        name: activations.patch(values) for name, values in activations.read(model, tokens).items()
    }
    assert_close(activations.intervene(model, tokens, identity), own, **EXACT)
    assert count_hooks(model) == 0


def test_steering_adds_a_vector_and_a_zero_vector_changes_nothing():
    model, tokens = build(norm="none")
    direction = torch.randn(12, generator=generator(0, "direction")).double()
    own = model(tokens)
    last = activations.read(model, tokens, "1.resid_post")["1.resid_post"]
    moved = activations.intervene(
        model, tokens, {"1.resid_post": activations.steer(direction, rows=[2])}
    )
    logits = model.vocabulary.unembed(last[:, 2:3] + direction, model.vocabulary.draw(3))
    assert_close(moved[:, 2:3], logits.log_softmax(-1), **EXACT)
    kept = [row for row in range(8) if row != 2]
    assert_close(moved[:, kept], own[:, kept], **EXACT)
    still = activations.intervene(
        model, tokens, {"0.attn.z": activations.steer(torch.zeros(5).double())}
    )
    assert_close(still, own, **EXACT)


def test_lexical_models_are_read_under_a_table():
    model, tokens = build(lex=True)
    table = model.vocabulary.draw(3, generator=generator(0, "tables")).double()
    values = activations.read(model, tokens, "0.resid_pre", table=table)["0.resid_pre"]
    assert_close(
        values[:, 1:], model.vocabulary.embed(tokens[:, :-1], table) + model.positions[:7], **EXACT
    )


def test_an_unknown_activation_is_an_error_that_lists_the_known_ones_and_leaves_no_hook():
    model, tokens = build()
    with pytest.raises(
        KeyError,
        match="no activation 0.resid_mit; did you mean 0.resid_mid.*its activations are 0.res",
    ):
        activations.read(model, tokens, "0.attn.z", "0.resid_mit")
    with pytest.raises(KeyError, match="no activation 2.attn.z"):
        activations.intervene(model, tokens, {"2.attn.z": activations.steer(torch.zeros(5))})
    attention_only, _ = build(mlp="none")
    with pytest.raises(KeyError, match="no activation 0.mlp.post"):
        activations.read(attention_only, tokens, "0.mlp.post")
    with pytest.raises(
        ValueError, match=r"keep the shape of 0.attn.z, \(3, 8, 2, 5\), got \(3, 8\)"
    ):
        activations.intervene(model, tokens, {"0.attn.z": lambda own: own[:, :, 0, 0]})
    with pytest.raises(ZeroDivisionError):
        activations.intervene(model, tokens, {"0.attn.z": lambda own: 1 / 0})
    assert count_hooks(model) == 0 and not model.backbone.blocks[0].attention.pattern.has_hooks


def test_any_backbone_with_hook_points_is_read():
    class Other(nn.Module):
        RESIDUAL_WRITERS = ()

        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.ModuleDict({"own": HookPoint("state")})])

        def forward(self, x):
            return self.layers[0]["own"](x.cumsum(1))

    model, tokens = build()
    model.backbone = Other()
    assert list(hook_points(model.backbone)) == ["0.state"]
    values = activations.read(model, tokens)["0.state"]
    assert values.shape == (3, 8, 12) and count_hooks(model) == 0
