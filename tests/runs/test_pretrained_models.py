"""Pretrained models are published runs with weights: each name loads, and predicts as stored."""

import pandas as pd
import pytest
from click.testing import CliRunner

from lexurn import models, runs
from lexurn.base import files, paths
from lexurn.base.errors import ParameterError
from lexurn.cli import main
from lexurn.measures import evaluation
from lexurn.runs import contents, integrity, listing, store

NAMES = list(store.pretrained_entries())


@pytest.fixture(autouse=True)
def edition(monkeypatch):
    """The published edition, beside an own store without runs."""
    monkeypatch.setattr(paths, "published_results", lambda: paths.root() / "book" / "results")


def loss_and_stored_loss(run):
    """Return the mean loss on the held-out split with the fewest sequences, anew and as stored."""
    split = min(run.splits, key=lambda name: len(run.splits[name]))
    means = evaluation.evaluate_means(
        run.predictor, {}, {split: run.splits[split]}, first_row=run.task.first_row
    )
    stored = evaluation.select(run.results, split=split, measure="loss").loc["", "mean"]
    return means[f"{split}/loss"], stored


def band():
    """Return how far rounded weights may move a mean loss, in nats.

    `rounding` is the largest mean symmetrized KL ε between predictions before and after. Where it
    is small, log-probabilities differ by about √ε in the root mean square.
    """
    return integrity.edition()["rounding"] ** 0.5


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_a_run_whose_weights_have_the_stored_losses(name):
    run = runs.pretrained(name)
    weights = contents.locate(run.path, store.WEIGHTS)
    assert store.is_published(run.path) and weights.exists()
    tokens = run.splits[run.task.splits[0]][:2]
    log_probs = run.predictor(tokens)
    assert log_probs.shape == (*tokens.shape, run.task.vocab_size)
    assert (log_probs.exp().sum(-1) - 1).abs().max() < 1e-5
    validation_loss = models.loss_as_trained(
        run.model,
        run.task.validation(),
        seed=run.settings.training.seed,
        first_row=run.task.first_row,
    )
    assert validation_loss == pytest.approx(listing.best(run)[1], abs=band())
    loss, stored = loss_and_stored_loss(run)
    assert loss == pytest.approx(stored, abs=band())


def test_other_weights_are_outside_that_band():
    """The control: the band is narrower than what three per cent of the weights change."""
    run = runs.pretrained("urns/normal")
    weights = {name: 1.03 * tensor for name, tensor in run.model.state_dict().items()}
    run.model.load_state_dict(weights)
    loss, stored = loss_and_stored_loss(run)
    assert abs(loss - stored) > 2 * band()


def test_without_a_name_all_models_are_listed():
    table = runs.pretrained()
    assert list(table["name"]) == NAMES and 8 <= len(NAMES) <= 20
    assert table[["parameters", "loss"]].notna().all(axis=None)
    tiny = table.set_index("name").loc["coins/tiny"]
    run = runs.pretrained("coins/tiny")
    assert tiny["parameters"] == sum(weights.numel() for weights in run.model.parameters())
    assert tiny["loss"] == run.metrics["validation_loss"].min()
    chapters = {path.stem for path in (paths.root() / "book").glob("*.py")}
    assert set(table["shown"]) <= chapters
    keys = [runs.pretrained(name).settings.key for name in NAMES]
    assert len(set(keys)) == len(NAMES)  # no run has two names


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(ParameterError, match=r"'urns/lexicl'; did you mean urns/lexical\?"):
        runs.pretrained("urns/lexicl")
    with pytest.raises(FileNotFoundError, match=r"did you mean urns/lexical\?"):
        runs.load("urns/lexicl")
    with pytest.raises(ParameterError, match=r"'x'; runs.pretrained\(\) lists those there are"):
        runs.pretrained("x")


def test_a_name_without_weights_says_how_to_train_them(tmp_path, monkeypatch):
    entry = {"about": "few steps", "shown": "02_train"}
    entry["settings"] = {"n_steps": 2, "eval_every": 2, "n_test_samples": 9, "context_length": 8}
    monkeypatch.setattr(store, "pretrained_entries", lambda: {"urns/few": entry})
    monkeypatch.setattr(paths, "published_results", lambda: None)  # as with LEXURN_FRESH=1
    with pytest.raises(files.StoreError, match="of urns/few are not in .*this trains") as error:
        runs.pretrained("urns/few")
    table = runs.pretrained()
    assert list(table["name"]) == ["urns/few"] and pd.isna(table["loss"][0])
    assert eval(str(error.value).split("this trains the model: ")[1], {"runs": runs})
    run = runs.pretrained("urns/few")
    assert run.path.parent == paths.runs() and runs.pretrained()["loss"].notna().all()
    (run.path / store.WEIGHTS).unlink()
    with pytest.raises(files.StoreError, match="of urns/few are not in"):
        runs.pretrained("urns/few")


def test_a_run_can_be_named_so_wherever_a_run_is_named(tmp_path, monkeypatch):
    run = runs.pretrained("coins/tiny")
    assert runs.load("coins/tiny").path == run.path
    path = tmp_path / "tiny.zip"
    done = CliRunner().invoke(main, ["export", "coins/tiny", "--to", str(path)])
    assert done.exit_code == 0 and done.output.startswith(f"{run.path.name}\n")
    monkeypatch.setattr(paths, "published_results", lambda: None)
    with pytest.raises(FileNotFoundError, match=f"no run {run.path.name}"):
        runs.load("coins/tiny")
    assert runs.import_(path) == {run.path.name: True}
    assert runs.pretrained("coins/tiny").path.parent == paths.runs()
