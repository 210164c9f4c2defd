"""Scorers that a grid names: what may be named, and a table that joins the grid's."""

import sys

import pandas as pd
import pytest
from click.testing import CliRunner
from processes import Here, fork_workers

from lexurn import cli, runs
from lexurn.base import paths
from lexurn.base.errors import ParameterError
from lexurn.chapters.rules import languages, scores
from lexurn.runs import cache, scoring, sweeps, workers
from lexurn.runs.run import Run
from lexurn.settings import registry

SCORER = "lexurn.chapters.rules.scores:rule_scores"
GRID = """
fixed: {language: aNbN, context_length: 12, d_model: 8, n_steps: 20, eval_every: 10,
  n_test_samples: 20}
axes: {positions: [learned, alibi]}
"""


@pytest.fixture
def grid(tmp_path):
    path = tmp_path / "scored.yaml"
    path.write_text(f"{GRID}score: {SCORER}\n")
    return path


def sweep(path, *arguments):
    return CliRunner().invoke(cli.main, ["sweep", str(path), *arguments])


def test_the_scores_of_every_point_join_the_table_of_the_grid(grid, store, monkeypatch):
    fork_workers(monkeypatch)
    done = sweep(grid, "--jobs", "2")
    assert done.exit_code == 0, done.output
    table = runs.read_table("sweep-scored")
    assert list(table)[:4] == ["name", "kind", "seed", "positions"]
    is_score = table["measure"].isin([*scores.MEASURES, "excess"])
    results = table[~is_score].dropna(axis=1, how="all").reset_index(drop=True)
    grid.write_text(GRID)
    plain = sweeps.read(grid).table()
    pd.testing.assert_frame_equal(results, plain)  # the control: a grid without a scorer
    for point in sweeps.read(grid).points:
        run = runs.load(point.name)
        wanted = scores.rule_scores(run)
        found = table[is_score & (table["name"] == point.name)][list(wanted)]
        assert found["mean"].tolist() == pytest.approx(wanted["mean"].tolist(), rel=1e-4)
        assert found["measure"].tolist() == wanted["measure"].tolist()
        excess = found[(found["measure"] == "excess") & (found["reference"] == "oracle")]
        known = languages.excess(run).query("reference == 'oracle'")["value"]
        assert excess["mean"].tolist() == pytest.approx(known.tolist(), rel=1e-4)
        kept = found[found["measure"] == "rule_1_and_finished"]
        assert set(zip(kept["split"], kept["decoding"], strict=True)) == {
            (split, decoding)
            for split in ("in_distribution", "out_of_distribution", "start")
            for decoding in ("greedy", "sampled")
        }


def test_points_that_were_trained_before_are_scored_and_nothing_twice(grid, store, monkeypatch):
    monkeypatch.setattr(scoring.sources, "code_hash", lambda *_: "0" * 12)
    scoring._scores_name.cache_clear()
    monkeypatch.setattr(workers, "Processes", lambda jobs: Here())
    text = grid.read_text()
    grid.write_text(GRID)
    assert sweep(grid).exit_code == 0
    grid.write_text(text)
    before = {path: path.stat().st_mtime_ns for path in store.glob("*/results.json")}
    assert "2 points: 0 done, 2 missing" in sweep(grid).output
    assert "2 points: 2 done, 0 missing" in sweep(grid).output
    assert before == {path: path.stat().st_mtime_ns for path in store.glob("*/results.json")}
    monkeypatch.setattr(scoring.sources, "code_hash", lambda *_: "1" * 12)  # other code
    scoring._scores_name.cache_clear()
    assert len(sweeps.read(grid).missing()) == 2
    scoring._scores_name.cache_clear()


def test_a_scorer_that_fails_is_the_failure_of_its_point(grid, store, monkeypatch):
    monkeypatch.setattr(workers, "Processes", lambda jobs: Here())
    grid.write_text(grid.read_text().replace("language: aNbN", "language: abN"))
    done = sweep(grid)
    assert done.exit_code == 1 and "abN has no prompts" in done.output
    assert "2 of 2 points failed" in done.output
    assert len(list(store.glob("*/results.json"))) == 2  # the runs themselves are stored


@pytest.mark.parametrize(
    "name",
    [
        *("rule_scores", "lexurn.chapters.rules.scores", ":rule_scores", "lexurn:"),
        "lexurn.chapters.rules.scores:rule_score",
        "lexurn.chapters.rules.score:rule_scores",
        "lexurn.chapters.rules.scores:completion_rates",  # of another module
        "lexurn.chapters.rules.scores:MEASURES",
        "lexurn.runs.store:delete",  # returns no table
        "lexurn.runs.scoring:pd.read_pickle",
        "os:system",
        "builtins:eval",
        "pandas:read_pickle",
    ],
)
def test_a_name_of_no_scorer_is_refused_before_any_work(grid, store, name):
    grid.write_text(grid.read_text().replace(SCORER, f"'{name}'"))
    done = sweep(grid)
    assert done.exit_code == 2 and not store.exists()
    assert "score must name a function of lexurn that takes a run" in done.output
    assert repr(name) in done.output and SCORER in done.output


OUTSIDE = """
import pandas as pd

def steps(run) -> pd.DataFrame:
    return pd.DataFrame({"measure": ["steps"], "mean": [float(run.settings.training.n_steps)],
                         "is_long": [False]})
"""


def test_a_registered_package_may_have_scorers(grid, store, tmp_path, monkeypatch):
    (tmp_path / "my_scores.py").write_text(OUTSIDE)
    monkeypatch.syspath_prepend(tmp_path)
    name = "my_scores:steps"
    with pytest.raises(ParameterError, match="a function of lexurn that"):
        scoring.load_scorer(name)
    assert "my_scores" not in sys.modules  # what is not allowed is not even imported
    entry = ("task", "my_scores:MySettings", "my_scores:MyTask")
    monkeypatch.setattr(registry, "outside_entries", lambda: [entry])
    monkeypatch.setattr(registry, "register_again", lambda outside: None)
    monkeypatch.setattr(workers, "Processes", lambda jobs: Here())
    grid.write_text(grid.read_text().replace(SCORER, name))
    done = sweep(grid)
    assert done.exit_code == 0, done.output
    table = runs.read_table("sweep-scored")
    rows = table[table["measure"] == "steps"]
    assert rows["mean"].tolist() == [20, 20] and rows["is_long"].tolist() == [0, 0]
    with pytest.raises(ParameterError, match="a function of lexurn or my_scores that"):
        scoring.load_scorer("pandas:read_pickle")


def test_grids_of_the_repository_name_scorers_that_there_are():
    folder = paths.root() / "params" / "sweeps"
    scored = {file.stem for file in folder.glob("*.yaml") if sweeps.read(file).score == SCORER}
    assert {f"gpu_{number:02d}" for number in (*range(7, 12), 13)} == {name[:6] for name in scored}


def test_a_cached_table_of_a_run_is_found_under_its_name(tiny_run):
    run: Run = tiny_run({"n_steps": 4, "eval_every": 2, "n_test_samples": 10, "context_length": 4})
    (table,) = cache.tables([run], count_rows, name="rows-1")
    assert table["n"].item() == len(run.metrics)
    assert scoring.is_cached("rows-1", run.settings)
    assert not scoring.is_cached("rows-2", run.settings)


def count_rows(run):
    return pd.DataFrame({"n": [len(run.metrics)]})
