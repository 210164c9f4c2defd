"""Our Mamba agrees with the package transformers, and our xLSTM with the package xlstm.

Values and gradients agree, and outputs step by step. The tests need both packages
(`pip install -e ".[agreement]"`) and are skipped without them; `pytest -n 0 -s` prints versions and
the largest differences.
"""

from importlib import metadata

import pytest
import torch

from lexurn import models
from lexurn.base.seeding import generator
from lexurn.settings.resolver import check

WITHIN = 1e-5


def ours(flat, d_model, scale=0.1):
    """A backbone with weights far from those that it begins with, and hidden vectors for it."""
    flat = {"language": "dyck", "d_model": d_model, "context_length": 40} | flat
    backbone = models.build(check(flat), generator=generator(0, "weights")).backbone
    for parameter in backbone.parameters():
        parameter.data += scale * torch.randn(parameter.shape, generator=generator(1, "moved"))
    return backbone, torch.randn(5, 23, d_model, generator=generator(2, "x"))


def largest_difference(said, mine, theirs, x):
    """Print and return the largest relative difference of outputs and of gradients in `x`."""
    outputs, gradients = [], []
    for model in (mine, theirs):
        given = x.clone().requires_grad_()
        outputs.append(model(given))
        weights = torch.randn(outputs[-1].shape, generator=generator(3, "weights")).to(x.dtype)
        gradients.append(torch.autograd.grad((outputs[-1] * weights).sum(), given)[0])
    apart = [((a - b).abs().max() / b.abs().max()).item() for a, b in (outputs, gradients)]
    print(
        f"\n{said}: values {apart[0]:.1e}, gradients {apart[1]:.1e} apart, relative to the largest"
    )
    return max(apart)


def version(package):
    return f"{package} {metadata.version(package)}"


def mamba_of_transformers(settings):
    transformers = pytest.importorskip("transformers")
    config = transformers.MambaConfig(
        vocab_size=7,
        hidden_size=settings["d_model"],
        state_size=settings["d_state"],
        conv_kernel=settings["d_conv"],
        num_hidden_layers=settings["n_layers"],
    )
    return transformers.MambaModel(config)


MAMBA = {"d_model": 64, "n_layers": 3, "d_state": 32, "d_conv": 8}


def test_mamba_is_that_of_transformers_and_weights_load_both_ways():
    theirs = mamba_of_transformers(MAMBA)
    mine, x = ours({"backbone": "mamba", **MAMBA}, 64)
    embedding = {"embeddings.weight": theirs.embeddings.weight}
    theirs.load_state_dict(mine.state_dict() | embedding)  # strict: the same names and shapes
    said = f"mamba, {version('transformers')}"
    assert (
        largest_difference(said, mine, lambda x: theirs(inputs_embeds=x, use_cache=False)[0], x)
        < WITHIN
    )
    fresh, _ = ours({"backbone": "mamba", **MAMBA}, 64)
    torch.manual_seed(0)
    theirs = mamba_of_transformers(MAMBA)
    fresh.load_state_dict(
        {name: w for name, w in theirs.state_dict().items() if name != "embeddings.weight"}
    )
    assert (
        largest_difference(f"{said}, their weights", fresh, lambda x: theirs(inputs_embeds=x)[0], x)
        < WITHIN
    )


def test_mamba_begins_as_that_of_transformers():
    """A, D and the biases of steps: the same, or of the same law."""
    theirs = mamba_of_transformers(MAMBA).layers[0].mixer
    settings = check({"language": "dyck", "backbone": "mamba", **MAMBA})
    mine = models.build(settings, generator=generator(0, "weights")).backbone.layers[0].mixer
    assert mine.A_log.equal(theirs.A_log) and mine.D.equal(theirs.D)
    for mixer in (mine, theirs):
        steps = torch.nn.functional.softplus(mixer.dt_proj.bias).log10()
        assert (
            -3.01 < steps.min() < -2.7
            and -1.3 < steps.max() < -0.99
            and abs(steps.mean() + 2) < 0.25
        )
        assert (
            mixer.dt_proj.weight.abs().max() <= 0.5
            and abs(mixer.dt_proj.weight.std() - 0.5 / 3**0.5) < 0.03
        )


def xlstm_of_the_package(settings, context_length=41):
    xlstm = pytest.importorskip("xlstm")
    config = xlstm.xLSTMBlockStackConfig(
        mlstm_block=xlstm.mLSTMBlockConfig(
            mlstm=xlstm.mLSTMLayerConfig(
                conv1d_kernel_size=settings["d_conv"], num_heads=settings["n_heads"]
            )
        ),
        slstm_block=xlstm.sLSTMBlockConfig(
            slstm=xlstm.sLSTMLayerConfig(
                backend="vanilla",
                conv1d_kernel_size=settings["d_conv"],
                num_heads=settings["n_heads"],
            ),
            feedforward=xlstm.FeedForwardConfig(proj_factor=1.3, act_fn="gelu"),
        ),
        context_length=context_length,
        num_blocks=settings["n_layers"],
        embedding_dim=settings["d_model"],
        slstm_at=settings["slstm_at"],
    )
    return xlstm.xLSTMBlockStack(config)


NAMES = {  # theirs to ours, in the order in which they are replaced
    "xlstm_norm": "cell_norm",
    "ffn_norm": "mlp_norm",
    "post_blocks_norm": "norm",
    "xlstm.": "cell.",
    "ffn.": "mlp.",
    "proj_up": "up",
    "proj_down": "down",
    "q_proj": "q",
    "k_proj": "k",
    "v_proj": "v",
    "conv1d.conv": "convolution.conv1d",
    "mlstm_cell.igate": "input_gate",
    "mlstm_cell.fgate": "forget_gate",
    "mlstm_cell.outnorm": "head_norm",
    "learnable_skip": "skip",
    "cell.igate": "cell.f",  # its sLSTM swaps the names of the input gate and the forget gate
    "cell.fgate": "cell.i",
    "cell.zgate": "cell.z",
    "cell.ogate": "cell.o",
    "slstm_cell._recurrent_kernel_": "recurrent",
    "slstm_cell._bias_": "bias",
    "group_norm": "head_norm",
}


def as_theirs(name, n_heads, mine):
    """Our weight of their name, in their shape."""
    for before, after in NAMES.items():
        name = name.replace(before, after)
    weight = mine[name]
    if "norm" in name:
        return weight - 1  # theirs begin at 0 and are added to 1
    if name.endswith("recurrent"):
        return weight.mT  # heads (gates d_head) d_head
    if name.endswith("cell.bias"):
        return weight.unflatten(1, (4, -1)).transpose(0, 1).flatten()  # gates heads d_head
    return weight


XLSTM = {"d_model": 64, "n_layers": 4, "n_heads": 4, "d_conv": 4, "slstm_at": [1, 3]}


def test_xlstm_is_that_of_the_package():
    theirs = xlstm_of_the_package(
        XLSTM
    ).double()  # its head norms blow up what single precision rounds
    mine, x = ours({"backbone": "xlstm", **XLSTM}, 64)
    mine, x = mine.double(), x.double()
    weights = mine.state_dict()
    theirs.load_state_dict(
        {
            name: as_theirs(name, 4, weights).reshape(w.shape)
            for name, w in theirs.state_dict().items()
        }
    )
    assert largest_difference(f"xlstm, {version('xlstm')}", mine, theirs, x) < WITHIN
    state, rows = None, []
    for row in range(x.shape[1]):
        out, state = theirs.step(x[:, row : row + 1], state)
        rows.append(out)
    step, mine_rows = {}, []
    for row in range(x.shape[1]):
        mine_rows.append(mine(x[:, row : row + 1], step))
    apart = (torch.cat(rows, 1) - torch.cat(mine_rows, 1)).abs().max().item()
    print(f"xlstm step by step: {apart:.1e} apart")
    assert apart < 10 * WITHIN


def test_xlstm_begins_with_the_gates_of_the_package():
    theirs = xlstm_of_the_package(XLSTM).state_dict()
    settings = check({"language": "dyck", "backbone": "xlstm", **XLSTM})
    mine = models.build(settings, generator=generator(0, "weights")).backbone.state_dict()
    same = [
        name
        for name in theirs
        if name.endswith(("_bias_", "fgate.bias", "learnable_skip", "kernel_", "norm.weight"))
    ]
    assert len(same) > 10
    for name in same:
        assert torch.allclose(
            as_theirs(name, 4, mine).reshape(theirs[name].shape), theirs[name], atol=1e-6
        ), name
