"""A cached table is used, verified, and computed again when what it depends on changes."""

import functools
import shutil

import pandas as pd
import pytest
import torch

from lexurn import runs
from lexurn.base import files, paths, session, sources
from lexurn.chapters.analysis import headline
from lexurn.chapters.architectures import published
from lexurn.chapters.data import discrimination
from lexurn.publish import edition
from lexurn.runs import cache, contents, store
from lexurn.settings.resolver import check

CELLS = [[2, 4, 1, 3], [3, 4, 2, 3]]
TINY = {"n_steps": 4, "eval_every": 2, "n_test_samples": 30, "context_length": 4}


def counted(compute, calls):
    """A function that computes the same, under the same name, and counts."""

    @functools.wraps(compute)
    def count(*inputs):
        calls.append(inputs)
        return compute(*inputs)

    return count


@pytest.fixture
def grid():
    """The table of exact distances as a function of its number of pools, and the list of calls."""
    calls = []
    compute = counted(discrimination.kl_grid, calls)
    return (lambda n_pools=3: cache.table(compute, CELLS, n_pools, 0)), calls


def test_a_cached_table_is_not_computed_again_and_equals_what_is_computed(grid):
    table, calls = grid
    first, second = table(), table()
    assert len(calls) == 1 and session.current().used_files == {
        f"tables/{path.name}" for path in (paths.runs() / "tables").glob("*.csv")
    }
    computed = discrimination.kl_grid(CELLS, 3, 0)
    for other in (second, computed):
        pd.testing.assert_frame_equal(first, other, check_exact=True)
    table(4)
    assert len(calls) == 2  # another input is another table


def test_other_code_computes_it_again(grid, monkeypatch):
    table, calls = grid
    table()
    original, module = sources.definitions, "lexurn.predictors.symmetrized"

    def edited(name):
        found = original(name)
        if name != module:
            return found
        return found | {"_mixture": ("def _mixture(): ...", set())}

    monkeypatch.setattr(sources, "definitions", edited)
    table()
    assert len(calls) == 2
    module = "lexurn.models.lstm"  # no part of exact distances
    table()
    assert len(calls) == 2


def publish(tmp_path, monkeypatch):
    """Make what is in the store the published edition, and begin with an empty store."""
    published = tmp_path / "published"
    shutil.move(paths.runs(), published)
    edition.seal(published)
    monkeypatch.setattr(paths, "published_results", lambda: published)
    return published


def test_a_published_table_is_verified_and_fresh_computes_an_equal_one(grid, tmp_path, monkeypatch):
    table, calls = grid
    before = table()
    published = publish(tmp_path, monkeypatch)
    pd.testing.assert_frame_equal(table(), before, check_exact=True)
    assert len(calls) == 1 and not paths.runs().exists()
    (path,) = (published / "tables").glob("[!.]*")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(files.StoreError, match=f"{path.name} is missing, was altered, or"):
        table()
    assert len(calls) == 1
    monkeypatch.setattr(paths, "published_results", lambda: None)  # as --fresh does
    pd.testing.assert_frame_equal(table(), before, check_exact=True)
    assert len(calls) == 2


def test_a_table_of_runs_depends_on_their_numbers_and_keeps_their_weights(tiny_run, monkeypatch):
    calls = []
    compute = counted(headline.standings, calls)
    run = tiny_run(TINY)
    weights = f"{run.path.name}/{store.WEIGHTS}"
    for _ in range(2):
        session.current().used_files.clear()
        table = cache.table(compute, [run])
        assert weights in session.current().used_files
    assert len(calls) == 1 and table["name"].tolist() == [run.path.name]
    cache.table(compute, [tiny_run(TINY | {"seed": 1})])
    assert len(calls) == 2
    results = contents.read(run.path, "results")
    results["table"]["mean"][3] += 1e-12  # trained on another machine
    read = contents.read
    parts = {"results": results}
    monkeypatch.setattr(
        contents, "read", lambda folder, part: parts.get(part) or read(folder, part)
    )
    cache.table(compute, [runs.Run(run.path)])
    assert len(calls) == 3


def test_trainings_of_a_table_are_done_once(monkeypatch):
    settings = check({"language": "aNbN", "n_steps": 2, "n_test_samples": 10, "context_length": 8})
    first = cache.table(published.compare_linear, settings)
    monkeypatch.setattr(published, "train_model", None)
    again = cache.table(published.compare_linear, settings.replace(threads=2))
    pd.testing.assert_frame_equal(first, again)
    with pytest.raises(TypeError):  # the control: another seed has to be trained
        cache.table(published.compare_linear, settings.replace(seed=1))


def test_inputs_are_told_apart_and_others_are_refused():
    frame = pd.DataFrame({"x": [1.0, 2.0], "y": ["a", "b"]})
    inputs = [
        *(frame, frame.assign(x=[1.0, 2.0 + 1e-15]), frame.rename(columns={"x": "z"})),
        *(torch.ones(2), torch.ones(2, dtype=torch.float64), torch.ones(1, 2)),
        *(1, 1.5, "1", None, [1, [2]], [1, 2]),
    ]
    described = [str(cache._describe(part)) for part in inputs]
    assert len(set(described)) == len(inputs)
    assert described == [str(cache._describe(part)) for part in inputs]
    with pytest.raises(TypeError, match="a cached table is identified by .*, got generator"):
        cache.table(discrimination.kl_grid, (cell for cell in CELLS), 3, 0)
