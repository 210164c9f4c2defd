"""Geometry of runs: prompts, shuffled sequences, and summaries of several runs."""

import base64
import math

import pandas as pd
import pytest
import torch
from small_settings import TEXT

from lexurn import runs
from lexurn.chapters.geometry import (
    calibration,
    layers,
    live,
    predictions,
    prompts,
    shuffling,
    summaries,
    token_geometry,
    trajectories,
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
    run = tiny_run(TEXT | {"n_checkpoints": 2})
    texts = ["to be, to be", "not so"]
    packed = live.pack_prompts(run, texts)
    assert sorted(packed["step"].unique())[0] == 0 and set(packed["layer"]) == {0, 1, 2}
    table = live.unpack_cosines(packed[packed["step"] == packed["step"].max()])
    (tokens, _) = prompts.encode_prompts(run.settings, texts)
    *_, (_, last) = run.checkpoints()
    expected = layers.cosine_matrices(last, tokens)
    found = table[(table["prompt"] == 0) & (table["layer"] <= 1)]
    both = found.merge(expected, on=["layer", "first", "second"])
    assert len(both) == len(expected)
    assert (both["value_x"] - both["value_y"]).abs().max() <= 0.5 / live.SCALE + 1e-6
    assert both["value_x"].min() < 0.9  # the control: not everything is alike
    names = [prompts.token_texts(run.settings, prompt) for prompt in texts]
    data = live.similarity_data({"one": packed, "two": packed}, names)
    n_values = [len(base64.b64decode(cosines)) for cosines, _ in data["cosines"]]
    n_pairs = [len(name) * (len(name) - 1) // 2 for name in names]
    assert n_values == [len(data["steps"]) * 3 * n for n in n_pairs]
    assert prompts.fingerprint(["a", "b"]) != prompts.fingerprint(["ab"])


def test_prompts_come_from_the_lines_of_a_text_file(tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text("to be\n\nor not\n")
    assert prompts.read_prompts(["first", str(path)]) == ["first", "to be", "or not"]
    path.write_text("\n")
    with pytest.raises(ParameterError, match="prompts.txt has no lines; put one prompt into each"):
        prompts.read_prompts([str(path)])
    assert prompts.read_prompts(["no such file.txt"]) == ["no such file.txt"]


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


ALONG = {
    "n_checkpoints": 3,
    "n_steps": 60,
    "eval_every": 20,
    "n_test_samples": 64,
    "context_length": 32,
    "learning_rate": 0.01,
}


def test_the_geometry_along_training_has_the_first_weights_and_the_last():
    run = runs.get(check(TEXT | {"tokenizer": "char", "n_tokens": 1024} | ALONG))
    table = trajectories.along_training(run)
    steps = sorted(table["step"].unique())
    assert steps[0] == 0 and steps[-1] == 60 and len(steps) >= 3
    last = table[table["step"] == 60].set_index(["layer", "measure"])["value"]
    tokens = token_geometry.held_out_sequences(run.settings)
    *_, (_, model) = run.checkpoints()
    again = layers.layer_measures(model, tokens).set_index(["layer", "measure"])["mean"]
    assert last[1, "cosine"] == pytest.approx(again[1, "cosine"], abs=1e-6)
    first = table[table["step"] == 0].set_index(["layer", "measure"])["value"]
    assert abs(first[1, "norm"] - last[1, "norm"]) > 0.01
    assert {"twonn_once", "isotropy_once", "spread"} <= set(table["measure"])
    assert last[0, "loss"] < first[0, "loss"] - 1
    assert last[0, "from unigram"] < 0.5 * first[0, "from unigram"]
    assert last[0, "from 5-gram"] > last[0, "from unigram"]  # 60 steps do not suffice for more


def test_early_steps_are_those_of_a_run():
    flat = TEXT | {"tokenizer": "char", "n_tokens": 1024} | ALONG | {"schedule": "constant"}
    run = runs.get(check(flat | {"n_steps": 20, "n_checkpoints": 1}))
    early = trajectories.early_training(check(flat | {"n_steps": 200}))
    assert early["step"].max() == trajectories.LAST_EARLY and early["step"].nunique() == 41
    *_, (step, model) = run.checkpoints()
    tokens = token_geometry.held_out_sequences(run.settings)[: trajectories.N_EARLY]
    expected = layers.layer_measures(model, tokens).set_index(["layer", "measure"])["mean"]
    found = early[early["step"] == step].set_index(["layer", "measure"])["value"]
    assert found[1, "cosine"] == pytest.approx(expected[1, "cosine"], abs=1e-6)
    other = early[early["step"] == step - 4].set_index(["layer", "measure"])["value"]
    assert abs(other[1, "cosine"] - expected[1, "cosine"]) > 1e-4  # the control


def test_a_model_is_similar_to_itself(tiny_run):
    run = tiny_run(TEXT | {"positions": "rotary"})
    table = token_geometry.model_similarity(run, others=[run.path.name])
    own = table[(table["who"] == run.path.name) & (table["layer"] == table["other"])]
    assert own["debiased"].tolist() == pytest.approx([1.0, 1.0])
    assert own["cka"].tolist() == pytest.approx([1.0, 1.0])
    assert (table[table["who"] == "untrained"]["debiased"] < 1 - 1e-6).all()
    assert (own["other_tokens"].abs() < 0.2).all()
    assert (own["same_type"] > own["other_tokens"] + 0.2).all()
    assert own["same_type"].iloc[0] == pytest.approx(1)  # embeddings are their types


def test_a_cipher_keeps_what_a_shuffle_breaks(tiny_run):
    run = runs.get(check(TEXT | {"tokenizer": "char", "n_tokens": 1024} | ALONG))
    table = shuffling.dimensions_by_copies(run)
    shares = table.drop_duplicates(["text", "length"]).set_index(["text", "length"])["repeated"]
    assert shares["text", 4] == shares["cipher", 4] > shares["shuffled", 4] + 0.1
    loss = shuffling.geometry_of_cipher(run).query("measure == 'loss'")["value"].item()
    ordered = shuffling.geometry_by_order(run).query("measure == 'loss' and order == 0")
    assert loss > ordered["value"].item() + 0.2


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
                ("twonn_once", 6 - (order == 5)),
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
    assert values["shuffled_dimension_once"].tolist() == pytest.approx([-1.0, -1.0])
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
        "3, long, times 1/√d": 3,
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
    assert norms["3, long, times 1/√d"] == pytest.approx(1, rel=0.05)
    for what in ("3, long embeddings", "3, larger, long"):
        assert norms[what] == pytest.approx(point.backbone.d_model**0.5, rel=0.1)


def test_equal_pairs_are_counted():
    tokens = torch.tensor([[1, 2, 1, 1, 9], [1, 2, 3, 4, 9]])  # models do not see the last token
    assert token_geometry.equal_token_share(tokens) == pytest.approx((6 / 12 + 0) / 2)


def test_calibration_recovers_simplexes_that_are_sampled_evenly(tiny_run):
    run = tiny_run(URNS)
    table = calibration.known_dimensions(run.settings, 0).set_index(["cloud", "measure"])
    assert table.loc[("spread evenly", "twonn"), "value"] == pytest.approx(2, abs=0.3)
    assert (table.query("measure == 'participation'")["value"] < 2.001).all()  # V − 1 directions
    assert table.loc[("last row", "twonn"), "n"] < table.loc[("all rows", "twonn"), "n"]
    vectors = calibration.vector_dimensions(run)
    assert set(vectors["layer"]) == {0, 1}
    assert vectors[vectors["layer"] == 1]["n"].max() > 100


def test_the_oracle_of_strings_makes_few_predictions():
    strings = check({"language": "aNbN", "context_length": 32, "n_test_samples": 64})
    assert 10 < calibration.count_predictions(strings) < 25  # lengths up to 16
    longer = check({"language": "aNbN", "context_length": 64, "n_test_samples": 64})
    assert calibration.count_predictions(longer) > calibration.count_predictions(strings)


def test_synthetic_clouds_have_their_dimension_without_noise(monkeypatch):
    small = {"DIMENSIONS": (1, 3), "SIZES": (300,), "NOISES": (0.0, 0.1), "N_REPEATS": 2}
    for name, value in small.items():
        monkeypatch.setattr(calibration, name, value)
    table = calibration.synthetic_dimensions(0)
    means = table.groupby(["measure", "noise", "d"])["value"].mean()
    for d in (1, 3):
        assert means["twonn", 0.0, d] == pytest.approx(d, rel=0.15)
        expected = (d + 0.64) ** 2 / (d * 1.01**2 + (64 - d) * 0.01**2)  # of the variances
        assert means["participation", 0.1, d] == pytest.approx(expected, rel=0.1)
    assert means["twonn", 0.1, 3] > 6


def test_perplexities_of_the_model_and_of_ngrams(tiny_run):
    run = tiny_run(TEXT | {"tokenizer": "char", "n_tokens": 1024})
    table = predictions.perplexities(run)
    assert table["who"].tolist() == ["model"]
    assert table["perplexity"].tolist() == pytest.approx(table["nats"].apply(math.exp).tolist())
    counted = predictions.n_gram_perplexities(run.settings).set_index("who")["nats"]
    assert counted.iloc[:6].is_monotonic_decreasing and len(counted) == 7
    assert counted["5-gram (Kneser–Ney)"] < counted["5-gram (Witten–Bell)"] < counted["bigram"]


def test_the_position_table_has_every_layer_and_position(tiny_run):
    run = tiny_run(TEXT)
    table = token_geometry.position_table(run)
    assert len(table) == 2 * 16 and table["cosine"].between(-1, 1).all()
