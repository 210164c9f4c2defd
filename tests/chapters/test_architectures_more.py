"""States of fixed size, default models, and second choices of rates."""

import pandas as pd
import pytest
import torch

from lexurn import evaluation, models
from lexurn.base.seeding import generator
from lexurn.chapters.architectures import costs, defaults, published, states, tuning
from lexurn.runs import sweeps

FLAT = {"n_steps": 20, "eval_every": 20, "n_test_samples": 30, "context_length": 6}
NAMES = {"lex": True, "vocabulary": "names", "n_names": 12, "tied": False, "d_model": 16}
LSTM = {"backbone": "lstm", "d_hidden": 2, "n_colors": 3, "alpha": 0.5}


def test_the_share_left_is_zero_for_the_optimum_and_one_for_the_uniform_predictor(tiny_run):
    run = tiny_run(FLAT | NAMES | LSTM)
    share = states.share_left(run)
    split = "in_distribution"
    loss = evaluation.select(run.results, split=split, measure="loss")["mean"].item()
    of_optimum = (
        loss
        - evaluation.select(run.results, split=split, measure="regret").loc["symmetrized", "mean"]
    )
    tokens = run.splits[split]
    log_probs = run.references["symmetrized"](tokens).gather(-1, tokens[..., None])
    of_s = -log_probs[:, 1:].mean().item()  # row 0 is reported apart
    assert of_optimum == pytest.approx(of_s, abs=1e-6)
    one_table = run.metrics[f"{split}/loss"].iloc[-1]
    log_3 = torch.tensor(3.0).log().item()
    assert share == pytest.approx((one_table - of_s) / (log_3 - of_s), abs=1e-5)
    assert 0.5 < share < 1.5  # twenty steps teach nothing: it is not S
    row = states.shares_left([run]).iloc[0]
    assert row["value"] == share and row["alphabets"] == "all alphabets"
    assert row[["model", "n_colors", "numbers", "rate"]].tolist() == ["lstm", 3, 4, 0.01]


def test_shares_are_compared_by_seeds_that_both_sizes_have():
    cells = [(4, 0, 0.5), (4, 1, 0.8), (64, 1, 0.2), (64, 0, 0.1), (4, 2, 0.9)]
    table = pd.DataFrame(cells, columns=["numbers", "seed", "value"])
    table = table.assign(n_colors=3, alphabets="all alphabets")
    where = {"n_colors": 3, "alphabets": "all alphabets"}
    small, large = (states.by_seed(table, numbers, **where) for numbers in (4, 64))
    assert (small - large).dropna().to_dict() == pytest.approx({0: 0.4, 1: 0.6})
    found = states.ratio(small, large)
    assert found.value == pytest.approx(20**0.5) and found.n == 2
    assert states.by_seed(table, 16, **where).empty
    assert states.by_seed(table, 4, n_colors=6, alphabets="all alphabets").empty


def test_states_have_the_numbers_that_their_grids_say():
    for name in ("states", "states_mamba", "states_longer", "states_tuning"):
        grid = sweeps.read(f"architectures_{name}")
        for point in grid.points:
            where = grid.coordinates[point.name]
            told = int(where.get("cell", where.get("state")).split()[-1])
            assert costs.state_size(point.backbone, 16) == told
            assert point.vocabulary.n_names == 12 and point.task.alpha == 0.5


def test_rates_of_states_are_tuned_with_a_seed_that_is_not_evaluated_and_never_at_an_end():
    rates, seeds = {}, set()
    for name in ("states_tuning", "states_tuning_more"):
        for point in sweeps.read(f"architectures_{name}").points:
            rates.setdefault((point.task, point.backbone), set()).add(point.training.learning_rate)
            seeds.add(point.training.seed)
    for name in ("states", "states_mamba", "states_longer"):
        for point in sweeps.read(f"architectures_{name}").points:
            tried = rates[point.task, point.backbone]
            assert point.training.seed not in seeds and point.training.learning_rate in tried
            assert min(tried) < point.training.learning_rate < max(tried)


def test_default_models_have_the_weights_of_the_source_and_are_trained_a_little():
    short = {"context_length": 32, "n_steps": 2, "eval_every": 2, "warmup": 0, "batch_size": 2}
    settings = defaults.default_settings(short | {"n_test_samples": 10, "n_checkpoints": 0})
    assert {each.task.vocab_size for each in settings} == {7}
    light = [each for each in settings if each.backbone.name in ("transformer", "linear")]
    table = defaults.compare_defaults(light).set_index("model")
    assert table.loc["transformer", "weights"] == 498_951
    assert table.loc[defaults.PUBLISHED_LINEAR, "weights"] == 976_871
    assert (table["before"] != table["after"]).all()
    counts = {
        each.backbone.name: models.summary(models.build(each, generator=generator(0, "weights")))
        for each in settings
    }
    wanted = {"lstm": 2_963_655, "mamba": 315_392, "xlstm": 766_640}
    assert {name: counts[name]["all"] for name in wanted} == wanted
    assert published.VOCAB_SIZE == 7


def test_two_choices_of_a_rate_are_compared_at_the_price_of_the_second_seed():
    columns = ["data", "model", "learning_rate", "seed", "value"]
    first, second = (
        pd.DataFrame([("coins", "a", rate, seed, loss) for rate, loss in losses], columns=columns)
        for seed, losses in (
            (100, [(0.1, 3.0), (0.01, 1.0), (0.001, 2.0)]),
            (101, [(0.1, 3.0), (0.01, 1.5), (0.001, 1.2)]),
        )
    )
    row = tuning.compare_choices(first, second).iloc[0]
    assert (row["first"], row["second"]) == (0.01, 0.001)
    assert row["cost"] == pytest.approx(0.3)
    same = tuning.compare_choices(first, first).iloc[0]
    assert same["first"] == same["second"] and same["cost"] == 0
    assert tuning.compare_choices(first, second.assign(model="b")).empty


def test_neighbours_of_a_rate_are_the_next_lower_and_the_next_higher_one():
    grids = [sweeps.read(f"architectures_tuning{part}", seeds=[101]) for part in ("", "_more")]
    evaluated = sweeps.read("architectures_evaluated")
    rates = {
        tuple(tuning.cell_of(evaluated.coordinates[point.name])): point.training.learning_rate
        for point in evaluated.points
    }
    points = tuning.neighbours(grids, rates)
    by_model = {}
    for point in points:
        if point.kind != "normal" and point.task.name == "language":
            by_model.setdefault(point.backbone.name, []).append(point.training.learning_rate)
    assert by_model["lstm"] == [0.03, 0.1, 0.3] and by_model["xlstm"] == [0.003, 0.01, 0.03]
    assert len(points) == 60 and {point.training.seed for point in points} == {101}
    at_an_end = rates | {("coins", "lstm"): 0.1}
    assert len(tuning.neighbours(grids, at_an_end)) == 59
