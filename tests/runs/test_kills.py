"""A run that is killed at any moment ends as if nothing had happened, and nothing is left behind.

What a killed process leaves behind is the folder as it is at that moment. So one training is
watched: before each of its operations on files (Python reports them as audit events) the folder is
copied, also with half of what was written last. Then the training goes on from every copy.
"""

import itertools
import shutil
from contextlib import suppress

import pytest
import tried
from click.testing import CliRunner
from cut_off import WATCH, Cut, CutAt, contents

from lexurn import cli, runs
from lexurn.runs import checkpoints, store, tracking
from lexurn.settings.resolver import check

TINY = {"n_test_samples": 8, "context_length": 4, "d_model": 8, "batch_size": 4, "warmup": 0}

RUNS = {
    "checkpoints": {"n_steps": 9, "eval_every": 4, "n_checkpoints": 4, "lex": True},
    "early stopping, strings": {
        **{"task": "language", "language": "aNbN", "n_checkpoints": 6, "dropout": 0.2},
        **{"n_steps": 20, "eval_every": 3, "patience": 1, "min_delta": 10.0},
    },
}

SIX = {"n_steps": 6, "eval_every": 3, "n_checkpoints": 2}
MORE = {
    **{backbone: SIX | {"backbone": backbone} for backbone in ("lstm", "mamba", "xlstm", "linear")},
    "text": SIX | {"task": "text", "tokenizer": "char", "batch_size": 2},
    "a finite set": {"n_train_samples": 24, "n_epochs": 2, "eval_every": 4},
}
RUNS |= tried.scale({}, MORE)

N_MOMENTS = tried.scale(16, 10**6)
"""Moments from which a training goes on: half of them the last ones, half spread evenly."""


def cut_last_write(folder):
    """Cut the newest file that is not written whole in half; return whether there is one."""
    growing = list(folder.rglob(".*.*"))
    if not (folder / "results.json").exists():
        growing.append(folder / "metrics.jsonl")
    growing = [path for path in growing if path.is_file() and path.stat().st_size]
    for path in growing:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    return bool(growing)


@pytest.mark.parametrize("name", RUNS)
def test_a_run_killed_at_any_operation_on_files_ends_the_same(name, tmp_path, monkeypatch):
    flat = TINY | RUNS[name]
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)  # a state after every step
    monkeypatch.setattr(checkpoints, "FIRST_STEP", 2)
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "whole"))
    folder = tmp_path / "whole" / check(flat).name
    copies = tmp_path / "copies"
    copies.mkdir()
    folder.mkdir(parents=True)
    WATCH.active = folder, copies
    try:
        runs.get(flat, tracker=tracking.Tracker())
    finally:
        WATCH.active = None
    whole = contents(folder)
    copied = sorted(copies.iterdir())
    half = N_MOMENTS // 2
    moments = sorted({*copied[-half:], *copied[:: -(-len(copied) // half)]})
    monkeypatch.setattr(checkpoints, "SECONDS", 1e9)
    n_kills = 0
    for copy, is_cut in itertools.product(moments, (False, True)):
        root = tmp_path / f"store-{copy.name}-{is_cut}"
        shutil.copytree(copy, root / folder.name)
        if is_cut and not cut_last_write(root / folder.name):
            continue
        monkeypatch.setenv("LEXURN_RUNS", str(root))
        run = runs.get(flat, tracker=tracking.Tracker())
        assert contents(run.path) == whole, (copy.name, is_cut)
        n_kills += 1
    print(f"{name}: killed {n_kills} times, at {len(moments)} of {len(copied)} operations")
    tried.count("killed at an operation on files", n_kills)
    assert n_kills >= min(N_MOMENTS, len(copied))
    if run.settings.training.n_checkpoints:
        assert [step for step, _ in run.checkpoints()][0] == 2


def read_all(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def delete_results_last(folder):
    """Delete a run so that a kill leaves half of a finished run: the planted fault."""
    for path in sorted(folder.rglob("*"), key=lambda path: path.name == "results.json"):
        if path.is_file():
            path.unlink()
    shutil.rmtree(folder)


def states_of_a_deletion(folder, copies):
    """Delete a run and return what each kill would leave of it: a whole run, none, or half."""
    copies.mkdir()
    before = read_all(folder)
    WATCH.active = folder, copies
    try:
        done = CliRunner().invoke(cli.main, ["runs", "delete", folder.name, "--yes"])
    finally:
        WATCH.active = None
    assert done.exit_code == 0 and not folder.exists()
    for copy in sorted(copies.iterdir())[:: tried.scale(4, 1)]:
        is_whole = read_all(copy) == before
        yield copy, "no run" if not store.is_finished(copy) else "whole" if is_whole else "half"


@pytest.mark.parametrize("cut_at", [None, 8], ids=["finished", "unfinished"])
def test_a_run_whose_deletion_is_killed_at_any_operation_is_whole_or_gone(
    cut_at, tmp_path, monkeypatch
):
    flat = TINY | RUNS["checkpoints"]
    name = check(flat).name
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoints, "FIRST_STEP", 2)
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "whole"))
    whole = contents(runs.get(flat, tracker=tracking.Tracker()).path)
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "deleted"))
    with suppress(Cut):
        runs.get(flat, tracker=CutAt(cut_at))
    folder = tmp_path / "deleted" / name
    monkeypatch.setattr(checkpoints, "SECONDS", 1e9)
    n_kills = 0
    for copy, state in states_of_a_deletion(folder, tmp_path / "copies"):
        assert state != "half" and (cut_at is None or state == "no run"), copy
        for command in ("delete", "list", "get"):  # whichever comes next
            root = tmp_path / f"{copy.name}-{command}"
            shutil.copytree(copy, root / name)
            monkeypatch.setenv("LEXURN_RUNS", str(root))
            if command == "get":
                assert contents(runs.get(flat, tracker=tracking.Tracker()).path) == whole
                continue
            arguments = ["delete", name, "--yes"] if command == "delete" else ["list"]
            done = CliRunner().invoke(cli.main, ["runs", *arguments])
            assert done.exit_code == 0 and (root / name).exists() == (command == "list")
            assert command == "delete" or ("no finished run" in done.output) == (state == "no run")
        n_kills += 1
    assert n_kills >= 4
    tried.count("killed at an operation of a deletion", n_kills)


def test_a_deletion_that_removes_the_results_last_would_leave_half_a_run(tmp_path, monkeypatch):
    folder = runs.get(TINY | SIX, tracker=tracking.Tracker()).path
    monkeypatch.setattr(store, "delete", delete_results_last)
    assert "half" in dict(states_of_a_deletion(folder, tmp_path / "copies")).values()
