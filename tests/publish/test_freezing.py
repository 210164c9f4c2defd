"""Runs of every task can be frozen with their weights, and what is frozen predicts as before."""

import pytest
import torch

from lexurn import runs
from lexurn.base import paths, session
from lexurn.publish import edition

TINY = {"n_steps": 6, "eval_every": 3, "n_test_samples": 20, "context_length": 8}
TASKS = [{}, {"language": "aNbN"}, {"language": "dyck", "lex": True}, {"task": "text"}]


@pytest.mark.parametrize("flat", TASKS, ids=["urns", "strings", "lexical strings", "text"])
def test_a_run_is_frozen_with_its_weights(flat, tmp_path, monkeypatch):
    root = tmp_path / "repository"
    (root / "book" / "assets").mkdir(parents=True)
    (root / "book" / "assets" / "plays").symlink_to(paths.root() / "book" / "assets" / "plays")
    monkeypatch.setattr(paths, "root", lambda: root)
    monkeypatch.setattr(edition.provenance, "is_changed", lambda: False)
    if flat.get("task") == "text":
        flat = flat | {"n_tokens": 300, "d_model": 16}
    run = runs.get(TINY | flat)
    before = run.predictor(run.splits[run.task.splits[0]])
    frozen = edition.freeze(session.current().used_files, scale="smoke")
    assert frozen["rounding"] < 1e-4
    assert f"{run.path.name}.model.safetensors" in frozen["files"]
    published = runs.Run(root / "book" / "results" / run.path.name)
    after = published.predictor(published.splits[published.task.splits[0]])
    assert torch.allclose(before.exp(), after.exp(), atol=1e-2)
