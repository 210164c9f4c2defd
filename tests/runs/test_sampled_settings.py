"""Whatever settings are valid make a model that trains, or are refused in one line."""

import random

import pytest
import torch
import tried
from random_settings import CHOICES, of_one_class, valid

from lexurn import runs
from lexurn.base.errors import ParameterError
from lexurn.runs import tracking
from lexurn.settings.resolver import check

SMALL = {"n_test_samples": 2, "eval_every": 1, "batch_size": 2, "n_layers": 1, "device": "cpu"}
SMALL |= {"tracker": "files", "threads": 1}


def shrink(values):
    """The same settings with little to compute: one step, few sequences, short contexts."""
    small = values | SMALL
    for name in ("n_steps", "n_train_samples", "n_epochs", "patience", "min_delta", "corpus"):
        small.pop(name, None)
    small["context_length"] = min(values.get("context_length", 16), 16)
    if "n_train_samples" in values:
        small |= {"n_train_samples": 4, "n_epochs": 1}
    else:
        small["n_steps"] = 1
    return small


@pytest.mark.parametrize("seed", range(tried.scale(2, 140)))
def test_sampled_settings_train_a_step_or_are_refused_in_a_line(seed, store):
    dice = random.Random(5000 + seed)
    n_trained = 0
    for _ in range(8):
        values = shrink(valid(dice))
        try:
            run = runs.get(check(values), tracker=tracking.Tracker())
        except ParameterError as error:
            assert "\n" not in str(error), values
            continue
        weights = run.model.state_dict().values()
        assert all(torch.isfinite(weight).all() for weight in weights), values
        assert run.results["mean"].notna().all(), values
        n_trained += 1
    assert n_trained >= 4
    tried.count("models of sampled settings, built and trained a step", n_trained)
    tried.count("sampled settings refused in one line before work", 8 - n_trained)


@pytest.mark.parametrize("seed", range(tried.scale(2, 40)))
def test_sampled_trainings_go_on_from_runs_with_another_vocabulary(seed, store):
    """Lexical, permuted, fresh-urn and normal origins; embeddings of either kind on another urn."""
    dice, n_trained = random.Random(7000 + seed), 0
    for _ in range(4):
        values = shrink(valid(dice)) | {"task": "urns"}
        backbone = dice.choice(CHOICES["backbone"])
        values = of_one_class(
            values, {"task": "urns", "backbone": backbone, "vocabulary": "one_hot"}
        )
        values |= {"backbone": backbone, "lex": False, "seed": 1}
        values |= {"n_layers": 1, "vocabulary": "one_hot", "n_tables": 0, "n_named": 0}
        origin = dice.choice([{"lex": True}, {"label_permuted": True}, {"n_tasks": 0}, {}])
        try:
            first = runs.get(check(values | origin), tracker=tracking.Tracker())
        except ParameterError as error:
            assert "\n" not in str(error), values
            continue
        trainable = dice.choice(["all", "vocabulary", "outside_backbone"])
        start = {"init_from": first.settings.key, "trainable": trainable, "seed": 2}
        if trainable == "all":  # a lexical vocabulary may have nothing to train
            start["lex"] = dice.choice([True, False])
        second = runs.get(check(values | start), tracker=tracking.Tracker())
        pairs = zip(
            *(run.model.backbone.state_dict().values() for run in (first, second)), strict=True
        )
        is_kept = all(before.equal(after) for before, after in pairs)
        assert is_kept == (trainable != "all"), (values, origin, start)
        n_trained += 1
    assert n_trained >= 2
    tried.count("trainings that go on from a run with another vocabulary", n_trained)
