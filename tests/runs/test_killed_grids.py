"""A grid of trainings that is killed at random moments ends as if nothing had happened."""

import os
import random
import signal
from contextlib import suppress

import pytest
import tried
from cut_off import contents
from processes import ForkedPython, wait_for

from lexurn import runs
from lexurn.base import paths
from lexurn.runs import store, sweeps, tracking

SWEEP = """
import multiprocessing, os, sys, torch
from lexurn import cli
from lexurn.runs import checkpoints, fit, workers
os.setpgid(0, 0)
checkpoints.SECONDS = 0.02
fit.estimate = None  # workers are forked here, and no thread of a training survives that
workers.get_context = lambda _: multiprocessing.get_context("fork")
if "faulty" in sys.argv:
    def load_state(folder, *, key, load=checkpoints.load_state):
        state = load(folder, key=key) or {}
        model = {name: torch.ones_like(state[name]) for name in state if name[:6] == "model/"}
        return state | model
    checkpoints.load_state = load_state
cli.main(["sweep", sys.argv[1], "--jobs", "2"])
"""

GRID = """
fixed: {n_steps: 150, eval_every: 150, n_test_samples: 8, context_length: 4, dropout: 0.1}
axes: {kind: [normal, lexical]}
seeds: 2
"""


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """A grid's file, and the contents of its runs, trained one after the other."""
    path = tmp_path_factory.mktemp("grid") / "small.yaml"
    path.write_text(GRID)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEXURN_RUNS", str(path.with_name("runs")))
        patch.setattr(paths, "published_results", lambda: None)
        points = sweeps.read(path).points
        made = [runs.get(point, tracker=tracking.Tracker()).path for point in points]
        return path, {folder.name: contents(folder) for folder in made}


def kill_grid(path, dwells, *arguments):
    """Train a grid, killed so many seconds after it has saved something; return how often."""

    def saved():
        return {*paths.runs().glob("*/state-*"), *paths.runs().glob("*/results.json")}

    for n_kills, dwell in enumerate([*dwells, 300.0]):
        before = saved()
        process = ForkedPython(SWEEP, str(path), *arguments)
        wait_for(lambda process=process, before=before: process.returncode == 0 or saved() - before)
        process.process.join(dwell)
        with suppress(ProcessLookupError):  # it has just ended
            os.killpg(process.process.pid, signal.SIGKILL)  # and its workers
        output = process.communicate()
        if process.returncode == 0:
            assert "results of 4 points" in output[0], output
            return n_kills
        assert process.returncode == -signal.SIGKILL, output
    raise AssertionError("it does not end")


@pytest.mark.parametrize("seed", range(tried.scale(1, 20)))
def test_a_grid_killed_at_random_moments_loses_no_run_and_ends_the_same(seed, grid):
    path, whole = grid
    dice = random.Random(seed)
    n_kills = kill_grid(path, [dice.uniform(0, 0.3) for _ in range(tried.scale(2, 8))])
    folders = store.folders(paths.runs())
    assert {folder.name: contents(folder) for folder in folders} == whole
    assert n_kills >= 1
    tried.count("killed at a random moment of a grid of trainings", n_kills)


def test_a_grid_whose_states_lose_the_model_would_end_otherwise(grid):
    path, whole = grid
    assert kill_grid(path, [0.0, 0.0], "faulty") >= 1
    folders = store.folders(paths.runs())
    assert {folder.name: contents(folder) for folder in folders} != whole
