"""Longer strings than in training: the same weights, and which models have them."""

import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

from lexurn import runs
from lexurn.chapters.rules import lengths, plots
from lexurn.chapters.rules.completion import complete
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import string_lengths
from lexurn.publish import claims

FLAT = {
    "language": "aNbN",
    "context_length": 8,
    "d_model": 16,
    "n_steps": 60,
    "eval_every": 60,
    "n_test_samples": 60,
}
ENDLESS = [
    *({"positions": name} for name in ("rotary", "none", "sinusoidal", "alibi")),
    *({"backbone": name} for name in ("lstm", "mamba", "xlstm")),
]


@pytest.fixture(scope="module", autouse=True)
def store(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEXURN_RUNS", str(tmp_path_factory.mktemp("runs")))
        yield


@pytest.mark.parametrize("given", ENDLESS, ids=lambda given: next(iter(given.values())))
def test_a_lengthened_model_predicts_short_strings_as_before(given):
    run = runs.get(FLAT | {"n_steps": 2, "eval_every": 2} | given)
    model = lengths.lengthen_model(run, 32)
    tokens = LANGUAGES["aNbN"].encode(["aaaabbbb", "abababab"], length=9)
    with torch.no_grad():
        torch.testing.assert_close(model(tokens), run.model(tokens))
        longer = model(LANGUAGES["aNbN"].encode(["a" * 16 + "b" * 16], length=33))
        assert longer.shape[1] == 33 and not longer.isnan().any()
        for parameter in model.parameters():  # negative control: other weights predict otherwise
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.manual_seed(0)))
        assert (model(tokens).exp() - run.model(tokens).exp()).abs().max() > 1e-3


@pytest.mark.parametrize("given", [{"positions": "learned"}, {"backbone": "linear"}])
def test_weights_of_positions_cannot_be_lengthened(given):
    run = runs.get(FLAT | {"n_steps": 2, "eval_every": 2} | given)
    assert lengths.lengthen_model(run, 32) is run.model
    assert lengths.completion_accuracy(run)["length"].tolist() == [2, 4, 6, 8]


def test_the_accuracy_by_length_counts_every_length():
    run = runs.get(FLAT | {"positions": "rotary"})
    table = lengths.completion_accuracy(run)
    assert table["length"].tolist() == list(range(2, 33, 2))
    assert table["trained"].tolist() == [True] * 4 + [False] * 12
    assert table["n"].tolist() == [1] * 16 and table["value"].isin([0.0, 1.0]).all()
    words = lengths.strings_by_length(LANGUAGES["dyck"], 8)
    assert list(words) == [2, 4, 6, 8]
    for length, tokens in words.items():
        assert (string_lengths(tokens) == length).all()
        assert len(tokens.unique(dim=0)) == len(tokens) <= lengths.MAX_STRINGS


@pytest.mark.parametrize("given", [{"positions": "rotary"}, {"backbone": "lstm"}, {"lex": True}])
def test_prompts_of_different_lengths_are_completed_as_one_by_one(given):
    run = runs.get(FLAT | {"language": "dyck", "context_length": 16} | given)
    strings = lengths.strings_by_length(LANGUAGES["dyck"], 16)
    tokens = torch.cat([each[:5] for each in strings.values()])
    n_given = torch.tensor([length // 2 + 1 for length, each in strings.items() for _ in each[:5]])
    table = run.model.vocabulary.draw(len(tokens), generator=torch.manual_seed(0))
    completed = lengths.complete_beginnings(run.model, tokens, n_given, table=table)
    for number, (string, n) in enumerate(zip(tokens, n_given.tolist(), strict=True)):
        own = table[number : number + 1] if table.ndim == 3 else table
        alone = complete(run.model, string[None, :n], limit=17, table=own)[0]
        assert completed[number].tolist() == alone.tolist()
    assert (completed != tokens).any()  # so that the models did complete


def a_table():
    """Return a table of two models, one without positions beyond 4, the other right up to 8."""
    rows = [
        (model, length, length <= 4, float(length <= 8))
        for model, longest in (("rotary", 16), ("linear", 4))
        for length in range(2, longest + 1, 2)
    ]
    table = pd.DataFrame(rows, columns=["model", "length", "trained", "value"])
    return table.assign(language="aNbN", seed=0)


def test_ranges_count_only_strings_longer_than_in_training():
    table = lengths.by_range(a_table()).set_index(["model", "range"])["value"]
    assert table.to_dict() == {("rotary", "6 … 8"): 1.0, ("rotary", "10 … 16"): 0.0}


def test_the_forecasts_on_longer_strings_have_values_by_seed():
    models = ["rotary", "no positions", "sinusoidal", "alibi", "lstm", "xlstm"]
    rows = [
        (language, model, seed, name, 0.1 * number + share)
        for language in ("aNbN", "dyck")
        for number, model in enumerate(models)
        for seed in (5, 6)
        for name, share in (("18 … 32", 0.4), ("34 … 64", 0.0))
    ]
    columns = ["language", "model", "seed", "range", "value"]
    values = lengths.length_values(pd.DataFrame(rows, columns=columns))
    assert {f"rules/{name}" for name in values} <= claims.read().keys()
    assert all(list(value.index) == [5, 6] for value in values.values())
    means = {name: round(value.mean(), 6) for name, value in values.items()}
    assert means["longer_no_positions_64"] == 0.1 and means["longer_alibi_32"] == 0.7
    assert means["longer_xlstm_minus_lstm_32"] == 0.1


def test_the_heat_map_leaves_lengths_without_positions_empty():
    axes = Figure().subplots()
    assert plots.lengths(a_table().rename(columns={"value": "right"}), axes) is axes
    mesh = axes.collections[0].get_array()
    assert mesh.shape == (2, 8) and mesh.mask.sum() == 6
    assert axes.lines[0].get_xdata()[0] == 2  # behind the lengths 2 and 4
