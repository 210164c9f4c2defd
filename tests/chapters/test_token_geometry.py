"""Geometry of runs: prompts, shuffled sequences, and summaries of several runs."""

import math

import pandas as pd
import pytest
import torch
from small_settings import TEXT

from lexurn import runs
from lexurn.chapters.geometry import (
    layers,
    predictions,
    prompts,
    shuffling,
    summaries,
    token_geometry,
)
from lexurn.settings.resolver import ParameterError, check

URNS = {
    "n_tasks": 0,
    "n_colors": 3,
    "context_length": 16,
    "n_steps": 150,
    "eval_every": 150,
    "n_test_samples": 100,
}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            [""],
            "prompt 1 of prompts must have 2 to context_length=16 tokens, got 0; make it longer",
        ),
        (
            ["to be", "x"],
            "prompt 2 of prompts must have 2 to context_length=16 tokens, got 1; make it longer",
        ),
        (["to be or not to be " * 5], "tokens, got .*; shorten it, or raise context_length"),
    ],
)
def test_prompts_of_a_wrong_length_are_errors(texts, message):
    with pytest.raises(ParameterError, match=message):
        prompts.encode_prompts(check(TEXT), texts)


def test_unknown_characters_are_an_error_that_names_them():
    settings = check(TEXT | {"tokenizer": "char", "n_tokens": 1024})
    with pytest.raises(
        ParameterError,
        match="prompt 1 of prompts: the tokenizer char has no 'é'.*use tokenizer bpe",
    ):
        prompts.encode_prompts(settings, ["café"])
    assert prompts.token_texts(settings, "to be") == ["t", "o", "·", "b", "e"]


def test_prompts_are_compared_token_by_token(tiny_run):
    run = tiny_run(TEXT)
    table = token_geometry.prompt_cosines(run, ["to be, to be", "not so"])
    (tokens, _) = prompts.encode_prompts(run.settings, ["to be, to be", "not so"])
    n = tokens.shape[1] - 1
    assert len(table[(table["prompt"] == 0) & (table["layer"] == 1)]) == n**2
    same = table[(table["prompt"] == 0) & (table["first"] == table["second"])]
    assert same["value"].tolist() == pytest.approx([1.0] * len(same))
    assert prompts.fingerprint(["a", "b"]) != prompts.fingerprint(["ab"])


def test_order_matters_for_text_and_not_for_exchangeable_sequences(tiny_run):
    balls = tiny_run(URNS)
    table = summaries.shuffling_effects(shuffling.geometry_by_order(balls))
    moved = table.set_index(["layer", "measure"])["value"]
    assert abs(moved[1, "cosine"]) < 0.05 and abs(moved[0, "loss"]) < 0.05
    text = runs.get(check(TEXT | {"n_steps": 150, "eval_every": 150, "learning_rate": 0.01}))
    table = summaries.shuffling_effects(shuffling.geometry_by_order(text))
    assert table.set_index(["layer", "measure"])["value"][0, "loss"] > 0.2  # the control
    assert set(shuffling.geometry_by_order(text)["block"]) == {16, 8, 4, 2, 1}


def test_strings_are_shuffled_without_their_eos_and_padding(monkeypatch):
    run = runs.get(check({"language": "aNbN", "context_length": 12, "n_steps": 2, "eval_every": 2}))
    inputs = []
    layer_measures = layers.layer_measures
    monkeypatch.setattr(
        layers,
        "layer_measures",
        lambda model, tokens, **options: (
            inputs.append(tokens) or layer_measures(model, tokens, **options)
        ),
    )
    shuffling.geometry_by_order(run)
    assert len(inputs) == 6 and not torch.equal(inputs[0], inputs[-1])
    for tokens in inputs:
        assert torch.equal(tokens.sort(-1).values, inputs[0].sort(-1).values)
        assert torch.equal(tokens <= 2, inputs[0] <= 2)  # EOS and PAD keep their positions


def test_the_geometry_along_training_has_the_first_weights_and_the_last():
    run = runs.get(
        check(
            TEXT
            | {
                "n_checkpoints": 3,
                "n_steps": 40,
                "eval_every": 20,
                "n_test_samples": 64,
                "context_length": 32,
            }
        )
    )
    table = token_geometry.geometry_along_training(run)
    steps = sorted(table["step"].unique())
    assert steps[0] == 0 and steps[-1] == 40 and len(steps) >= 3
    best = table[table["best"]].set_index(["layer", "measure"])["mean"]
    again = layers.layer_measures(
        run.model, token_geometry.held_out_sequences(run.settings)
    ).set_index(["layer", "measure"])["mean"]
    assert best[1, "cosine"] == pytest.approx(again[1, "cosine"], abs=1e-6)
    first = table[table["step"] == 0].set_index(["layer", "measure"])["mean"]
    assert abs(first[1, "norm"] - best[1, "norm"]) > 0.01 and {
        "twonn_once",
        "overlap",
        "same_kind",
    } <= set(table["measure"])


def test_a_model_is_similar_to_itself(tiny_run):
    run = tiny_run(TEXT)
    table = token_geometry.model_similarity(run, others=[run.path.name])
    diagonal = table[(table["who"] == run.path.name) & (table["layer"] == table["other"])]["value"]
    assert diagonal.tolist() == pytest.approx([1.0, 1.0])
    assert table.loc[diagonal.index, "procrustes"].tolist() == pytest.approx([0.0, 0.0], abs=1e-6)
    assert (table[table["who"] == "untrained"]["value"] < 1 - 1e-6).all()
    # The control is not zero for so few points.
    assert (table[table["who"] == "other tokens"]["value"] < 0.3).all()


def test_the_summary_follows_from_the_tables():
    systems, seeds = ("pre a", "pre b", "post a", "post b"), (0, 1)
    cosine = {"pre a": 0.1, "pre b": 0.3, "post a": 0.5, "post b": 0.9}
    ends = pd.DataFrame(
        [
            {
                "system": s,
                "seed": k,
                "layer": layer,
                "measure": "cosine",
                "value": layer * cosine[s] + k,
            }
            for s in systems
            for k in seeds
            for layer in (0, 1)
        ]
    )
    starts = ends.assign(n_layers=1, what="1 layers", value=2 * ends["value"])
    orders = pd.DataFrame(
        [
            {"system": s, "seed": k, "order": order, "layer": layer, "measure": m, "value": v}
            for s in systems
            for k in seeds
            for order in (0, 5)
            for layer in range(5)
            for m, v in (
                ("twonn", 5 + (order == 5) * (3 - layer)),
                ("cosine", 0.1 + order * 0.02 * layer),
            )
        ]
        + [
            {"system": s, "seed": k, "order": o, "layer": 0, "measure": "loss", "value": 2.0 + o}
            for s in systems
            for k in seeds
            for o in (0, 5)
        ]
    )
    values = summaries.summary(starts, ends, orders)
    assert values["trained_post_minus_pre"].tolist() == pytest.approx([0.5, 0.5])
    assert values["start_post_minus_pre"].tolist() == pytest.approx([1.0, 1.0])
    assert values["shuffled_dimension"].tolist() == pytest.approx(
        [2.0, 2.0]
    )  # 7 in layer 1, minus 5
    assert values["shuffled_cosine"].tolist() == pytest.approx([0.4, 0.4])
    assert values["shuffled_loss"].tolist() == pytest.approx([5.0, 5.0])
    assert values["shuffled_lower_less_upper"].tolist() == pytest.approx([1.5 - -0.5] * 2)


def test_untrained_models_have_their_depths_and_norms():
    point = check(
        TEXT | {"n_layers": 2, "n_test_samples": 10, "initial_std": 0.02, "positions": "none"}
    )
    table = token_geometry.untrained_geometry(point, [1, 3])
    assert table.groupby("what")["layer"].max().to_dict() == {
        "1 layers": 1,
        "3 layers": 3,
        "3, long embeddings": 3,
        "3, larger weights": 3,
        "3, larger, long": 3,
    }
    norms = table[(table["layer"] == 0) & (table["measure"] == "norm")].set_index("what")["mean"]
    short, large = (
        point.backbone.d_model**0.5 * std for std in (0.02, point.backbone.d_model**-0.5)
    )
    assert norms["3 layers"] == pytest.approx(short, rel=0.1) and norms[
        "3, larger weights"
    ] == pytest.approx(large, rel=0.1)
    for what in ("3, long embeddings", "3, larger, long"):
        assert norms[what] == pytest.approx(point.backbone.d_model**0.5, rel=0.1)


def test_equal_pairs_are_counted():
    tokens = torch.tensor([[1, 2, 1, 1, 9], [1, 2, 3, 4, 9]])  # models do not see the last token
    assert token_geometry.equal_token_share(tokens) == pytest.approx((6 / 12 + 0) / 2)


def test_predictions_of_urns_lie_on_a_simplex(tiny_run):
    run = tiny_run(URNS)
    table = predictions.prediction_dimensions(run).set_index("who")
    assert set(table.index) == {"model", "exact", "spread evenly"}
    assert (table["effective_rank"] < 2.001).all()  # at most V − 1 directions
    assert table.loc["spread evenly", "twonn"] == pytest.approx(2, abs=0.3)


def test_perplexities_of_the_model_and_of_ngrams(tiny_run):
    run = tiny_run(TEXT)
    table = predictions.perplexities(run).set_index("who")
    assert set(table.index) == {"model", "unigram", "bigram"}
    assert table["perplexity"].tolist() == pytest.approx(table["nats"].apply(math.exp).tolist())
    assert table.loc["bigram", "nats"] < table.loc["unigram", "nats"] - 0.5


def test_the_position_table_has_every_layer_and_position(tiny_run):
    run = tiny_run(TEXT)
    table = token_geometry.position_table(run)
    assert len(table) == 2 * 16 and table["cosine"].between(-1, 1).all()
