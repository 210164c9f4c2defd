"""Weights along a training are those that it had, also after it was cut off."""

import pytest
import torch
from safetensors.torch import load_file

from lexurn import models, runs
from lexurn.runs import checkpoints, recording
from lexurn.runs.tracking import Tracker

FLAT = {
    "n_steps": 60,
    "eval_every": 30,
    "n_test_samples": 20,
    "context_length": 6,
    "d_model": 8,
    "schedule": "constant",
}
FLAT |= {"warmup": 0}


def test_steps_are_evenly_spaced_in_their_roots_from_the_first_to_the_last():
    steps = checkpoints.choose_steps(100_000, 100)
    assert (len(steps), steps[0], steps[-1]) == (100, 20, 100_000)
    roots = torch.tensor(steps).double().sqrt()
    gaps = roots.diff()
    assert (gaps - gaps.mean()).abs().max() < 0.2 < gaps.mean()
    assert (
        checkpoints.choose_steps(100, 0) == []
        and checkpoints.choose_steps(10, 4) == [10]
        and checkpoints.choose_steps(25, 50) == [20, 21, 22, 23, 24, 25]
    )


def test_the_weights_kept_are_those_of_trainings_that_end_there():
    run = runs.get(FLAT | {"n_checkpoints": 4})
    kept = dict(checkpoints.read_snapshots(run.path))
    assert list(kept) == [20, 31, 44, 60] == [step for step, _ in run.checkpoints()]
    for step in (20, 44):
        shorter = runs.get(FLAT | {"n_steps": step, "eval_every": step})
        last = load_file(shorter.path / "last.safetensors")
        assert all(torch.equal(weight, last[name]) for name, weight in kept[step].items())
    assert all(
        torch.equal(weight, kept[60][name])
        for name, weight in load_file(run.path / "last.safetensors").items()
    )
    assert (
        not torch.equal(kept[20]["start"], kept[60]["start"]) and not (run.path / "series").exists()
    )
    assert run.settings.key != runs.get(FLAT).settings.key  # a run without them is another


@pytest.mark.parametrize("lex", [False, True])
def test_predictors_along_a_training_are_those_of_its_weights(lex):
    run = runs.get(FLAT | {"n_checkpoints": 3, "lex": lex})
    fresh, said = run.splits["out_of_distribution"], []
    for _, model in run.checkpoints():
        said.append(models.as_trained_predictor(model, seed=run.settings.training.seed)(fresh))
    logged = run.metrics.set_index("step")["out_of_distribution/loss"]
    last = -said[-1].gather(-1, fresh[..., None]).squeeze(-1)[:, 1:].mean().item()
    assert last == pytest.approx(logged[60], abs=1e-6)
    assert (said[0] - said[-1]).abs().max() > 0.01


class CutOff(Tracker):
    def log(self, metrics, step):
        if step == 30:
            raise KeyboardInterrupt


def test_a_training_that_was_cut_off_keeps_the_same_weights(tmp_path, monkeypatch):
    flat = FLAT | {"n_checkpoints": 4}
    whole = runs.get(flat)
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "again"))
    with pytest.raises(KeyboardInterrupt):
        runs.get(flat, tracker=CutOff())
    parts = tmp_path / "again" / whole.path.name / "series"
    assert [path.stem for path in parts.iterdir()] == ["00000020"]
    again = runs.get(flat)
    one, two = (load_file(run.path / checkpoints.SNAPSHOTS) for run in (whole, again))
    assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_a_training_that_is_killed_at_its_end_keeps_the_same_weights(tmp_path, monkeypatch):
    """The single snapshots stay until the run is whole: after a resume they are joined again."""
    flat = FLAT | {"n_checkpoints": 4}
    whole = runs.get(flat)
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "again"))
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)

    def kill(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(recording, "duration", kill)  # behind the joining of snapshots
        runs.get(flat)
    again = runs.get(flat)
    one, two = ((run.path / checkpoints.SNAPSHOTS).read_bytes() for run in (whole, again))
    assert one == two and not (again.path / "series").exists()


def test_a_run_that_kept_none_says_so():
    with pytest.raises(
        FileNotFoundError,
        match="has no snapshots of its training; set n_checkpoints, for example 100",
    ):
        next(runs.get(FLAT).checkpoints())
