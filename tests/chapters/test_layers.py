"""Geometry layer by layer, against activations read by name, on every backbone."""

import pytest
import torch

from lexurn import models
from lexurn.base.divergences import negative_log_likelihood
from lexurn.base.seeding import generator
from lexurn.chapters.geometry import layers, vector_geometry
from lexurn.chapters.geometry.shuffling import shuffle_blocks
from lexurn.models import activations
from lexurn.settings.resolver import check

BACKBONES = {
    "transformer": {"n_layers": 3, "norm": "rms", "mlp": "swiglu", "positions": "rotary"},
    "peri": {"n_layers": 2, "norm_placement": "peri"},
    "no bos": {"n_layers": 2, "bos": False, "norm_placement": "post"},
    "lstm": {"backbone": "lstm", "n_layers": 2},
    "mamba": {"backbone": "mamba", "n_layers": 2, "d_state": 4},
    "xlstm": {"backbone": "xlstm", "n_layers": 2, "slstm_at": [1]},
    "linear": {"backbone": "linear", "n_layers": 2},
}


def build(**flat):
    settings = check({"d_model": 16, "context_length": 12, **flat})
    return models.build(settings, generator=generator(0, "weights")).eval()


def balls(n, length=13, n_colors=4):
    return torch.randint(n_colors, (n, length), generator=generator(1, "balls"))


@pytest.mark.parametrize("lex", [False, True])
@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_is_measured_layer_by_layer(name, lex):
    model, tokens = build(**BACKBONES[name], lex=lex), balls(10)
    table = layers.layer_measures(model, tokens, batch_size=4)
    assert table["mean"].notna().all() and set(table["n"]) == {10}
    n_layers = 1 if name == "lstm" else BACKBONES[name]["n_layers"]
    assert set(table["layer"]) == set(range(n_layers + 1))
    whole = layers.layer_measures(model, tokens, batch_size=100)
    assert table["mean"].tolist() == pytest.approx(whole["mean"].tolist(), rel=1e-4, abs=1e-6)
    assert len(layers.position_cosines(model, tokens)) == 12 * (n_layers + 1)
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("name", ["transformer", "no bos"])
def test_layers_are_the_activations_that_are_read_by_name(name):
    model, tokens = build(**BACKBONES[name]), balls(6)
    table = layers.layer_measures(model, tokens).set_index(["layer", "measure"])
    last = BACKBONES[name]["n_layers"] - 1
    names = [f"{layer}.resid_pre" for layer in range(last + 1)] + [f"{last}.resid_post"]
    read = activations.read(model, tokens, *names)
    valid = torch.ones(6, 12, dtype=torch.bool)
    vectors = [read[name][:, 1:] for name in names]
    for layer, x in enumerate(vectors):
        expected = vector_geometry.cosines(x, valid)
        row = table.loc[(layer, "cosine")]
        assert row["mean"] == pytest.approx(expected.mean().item(), abs=1e-6)
        assert row["sem"] == pytest.approx(expected.std().item() / 6**0.5, rel=1e-4)
        if layer <= last:
            update = (vectors[layer + 1] - x).double().norm(dim=-1).mean()
            assert table.loc[(layer, "update"), "mean"] == pytest.approx(update.item(), rel=1e-5)
    positions = layers.position_cosines(model, tokens)
    for layer, mean in positions.groupby("layer")["cosine"].mean().items():
        assert mean == pytest.approx(table.loc[(layer, "cosine"), "mean"], abs=1e-6)
    cosines = layers.cosine_matrices(model, tokens[:1]).query("layer == 1")
    cosines = cosines.pivot(index="first", columns="second", values="value")
    unit = torch.nn.functional.normalize(vectors[1][0].double(), dim=-1)
    assert cosines.values == pytest.approx((unit @ unit.T).numpy(), abs=1e-6)


def test_gradients_are_those_of_finite_differences():
    model, tokens = build(n_layers=2).double(), balls(1)
    table = layers.layer_measures(model, tokens).set_index(["layer", "measure"])
    name = "1.resid_pre"

    def loss(direction):
        change = {name: lambda own: own + 1e-5 * direction}
        return negative_log_likelihood(activations.intervene(model, tokens, change), tokens).sum()

    x = activations.read(model, tokens, name)[name]
    gradient = torch.zeros_like(x)
    for row in range(1, x.shape[1]):
        for d in range(x.shape[2]):
            step = torch.zeros_like(x)
            step[0, row, d] = 1
            gradient[0, row, d] = (loss(step) - loss(-step)) / 2e-5
    expected = gradient[0, 1:].norm(dim=-1).mean().item()
    assert table.loc[(1, "gradient"), "mean"] == pytest.approx(expected, rel=1e-4)


def test_padding_is_ignored():
    model = build(language="aNbN")
    strings = torch.tensor(
        [[3, 3, 4, 4, 1, *[2] * 8], [3, 4, 1, *[2] * 10], [3, 3, 3, 4, 4, 4, 1, *[2] * 6]]
    )
    table = layers.layer_measures(model, strings).set_index(["layer", "measure"])
    tables = [
        layers.layer_measures(model, strings[k : k + 1, : n + 1]).set_index(["layer", "measure"])
        for k, n in enumerate((5, 3, 7))
    ]
    for name in ("cosine", "norm", "update", "gradient"):
        alone = [one.loc[(0, name), "mean"] for one in tables]
        assert table.loc[(0, name), "mean"] == pytest.approx(sum(alone) / 3, rel=1e-4)
    assert (
        len(layers.token_vectors(model, strings)[0])
        == len(layers.token_types(model, strings))
        == 5 + 3 + 7
    )
    positions = layers.position_cosines(model, strings)
    assert positions.query("layer == 0")["cosine"].notna().sum() == 7  # of the longest string


def cloud(model, tokens, n, **options):
    chosen = layers.sample_points(
        layers.token_types(model, tokens), n, generator=generator(3, "tokens"), **options
    )
    return [x[chosen] for x in layers.token_vectors(model, tokens, batch_size=7)]


def test_clouds_are_the_same_tokens_in_every_layer_and_model():
    model, other, tokens = build(n_layers=2), build(n_layers=3), balls(40)
    clouds = cloud(model, tokens, 60)
    others = cloud(other, tokens, 60)
    assert len(clouds) == 3 and len(others) == 4
    assert all(x.shape == (60, 16) for x in clouds + others)
    read = activations.read(model, tokens, "1.resid_post")["1.resid_post"][:, 1:].flatten(0, 1)
    assert torch.allclose(layers.token_vectors(model, tokens)[2], read.double(), atol=1e-5)
    measured = layers.cloud_measures(clouds)
    named = {"effective_rank", "twonn", "mle", "isotropy", "first", "common"}
    assert set(measured["measure"]) == named
    rank = measured.query("layer == 2 and measure == 'effective_rank'")["value"].item()
    assert rank == pytest.approx(vector_geometry.effective_rank(clouds[2]))


def test_the_last_norm_is_one_more_layer_unless_there_is_none():
    tokens = balls(8)
    for name, n_layers in (("pre", 4), ("peri", 4), ("post", 3)):
        model = build(n_layers=2, norm_placement=name, norm="rms")
        vectors = layers.token_vectors(model, tokens, last_norm=True)
        assert len(vectors) == n_layers and len(layers.token_vectors(model, tokens)) == 3
        if name != "post":
            assert torch.allclose(vectors[3], model.backbone.norm(vectors[2].float()).double())
    table = layers.layer_measures(build(), tokens, last_norm=True)
    assert table["layer"].max() == 2 and table["mean"].notna().all()
    assert table.query("measure == 'update'")["layer"].tolist() == [0]  # a norm is no update


def test_one_random_occurrence_represents_each_type():
    types = torch.tensor([3, 1, 3, 3, 2, 1, 9])
    samples = [
        layers.sample_points(types, 10, generator=generator(seed, "once"), one_per_type=True)
        for seed in range(200)
    ]
    assert all(types[chosen].sort().values.tolist() == [1, 2, 3, 9] for chosen in samples)
    indices = torch.cat(samples)
    threes = torch.bincount(indices[types[indices] == 3], minlength=7)[[0, 2, 3]]
    assert (threes - 200 / 3).abs().max() < 4 * 200**0.5  # any of the three positions
    few = layers.sample_points(types, 2, generator=generator(0, "few"), one_per_type=True)
    assert (
        len(few) == 2 and len(layers.sample_points(types, 100, generator=generator(0, "all"))) == 7
    )


def test_the_share_of_nearest_neighbours_with_the_same_type():
    x = torch.tensor([[0.0, 0], [0.1, 0], [5, 5], [5.1, 5], [9, 9]], dtype=torch.float64)
    shares = layers.same_type_share([x, x.flip(0)], torch.tensor([1, 1, 2, 2, 2]))
    assert shares["value"].tolist() == pytest.approx([1.0, 3 / 5])


def test_too_few_tokens_give_no_number_and_no_sequence_an_error():
    model = build()
    few = layers.cloud_measures(cloud(model, balls(3), 30))
    assert few.query("measure == 'twonn'")["value"].isna().all()
    with pytest.raises(ValueError, match="cosine needs a sequence of at least two tokens"):
        layers.layer_measures(model, balls(3, length=2))


def test_shuffled_sequences_keep_their_blocks():
    tokens = torch.arange(24).repeat(500, 1)
    mixed = shuffle_blocks(tokens, block_length=4, generator=generator(0, "shuffled"))
    assert torch.equal(mixed.sort(-1).values, tokens)
    blocks = mixed.unflatten(1, (6, 4))
    assert (blocks.diff(dim=-1) == 1).all() and (blocks[..., 0] % 4 == 0).all()
    first = torch.bincount(blocks[:, 0, 0] // 4, minlength=6)
    assert (first - 500 / 6).abs().max() < 6 * (
        500 / 6
    ) ** 0.5  # every block comes first equally often
    assert torch.equal(
        shuffle_blocks(tokens, block_length=24, generator=generator(0, "shuffled")), tokens
    )
    uneven = shuffle_blocks(tokens, block_length=7, generator=generator(0, "shuffled"))
    assert torch.equal(uneven.sort(-1).values, tokens)
    assert (uneven.diff(dim=1) != 1).sum(1).max() <= 3
    part = shuffle_blocks(
        tokens, block_length=1, generator=generator(0, "shuffled"), lengths=torch.full((500,), 10)
    )
    assert torch.equal(part[:, 10:], tokens[:, 10:])
    assert not torch.equal(part[:, :10], tokens[:, :10])
    assert torch.equal(part.sort(-1).values, tokens)
