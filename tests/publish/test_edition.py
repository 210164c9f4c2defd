"""The edition has what chapters used; it serves equal keys, and altered files are refused."""

import shutil

import pytest
import torch
from click.testing import CliRunner
from recompute import recompute_first_losses, stored_first_losses
from safetensors.torch import load_file

from lexurn import cli, runs
from lexurn.base import files, paths, session
from lexurn.publish import dependencies, edition
from lexurn.runs import contents, fit, integrity, store, sweeps
from lexurn.settings import TRAINING_VERSION, run_settings
from lexurn.settings.resolver import check

TINY = {"n_steps": 30, "eval_every": 10, "n_test_samples": 20, "context_length": 8, "lex": True}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The store of two runs, trained from a working tree without changes."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch, session.fresh():
        patch.setenv("LEXURN_RUNS", str(folder))
        patch.setattr(paths, "published_results", lambda: None)
        patch.setattr(edition.provenance, "is_changed", lambda: False)
        for seed in (0, 1):
            runs.get(TINY | {"seed": seed})
    return folder


@pytest.fixture
def frozen(tmp_path, monkeypatch, trained):
    """Two published runs, the first with weights and rows, and an empty store of one's own."""
    shutil.copytree(trained, paths.runs())
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    monkeypatch.setattr(edition.provenance, "is_changed", lambda: False)
    monkeypatch.setattr(session.current(), "used_files", set())
    made = [runs.get(TINY | {"seed": seed}) for seed in (0, 1)]
    assert made[0].predictor and len(made[0].results_by_row) > len(made[0].results)
    edition.freeze(session.current().used_files, scale="smoke")
    monkeypatch.setattr(paths, "published_results", lambda: tmp_path / "book" / "results")
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "another"))
    return made


def test_a_frozen_run_says_what_it_said_before(frozen):
    for made in frozen:
        again = runs.get(made.settings)
        assert store.is_published(again.path) and not (again.path / "last.safetensors").exists()
        assert again.results.equals(made.results) and again.metrics.equals(made.metrics)
        assert again.provenance == made.provenance and again.settings == made.settings
        own, published = (contents.read(run.path, "results") for run in (made, again))
        assert own | {"table": again.results.to_dict("list")} == {  # to the last bit
            name: published[name] for name in own
        }
        assert again.results_hash == made.results_hash == published["hash"]
        assert stored_first_losses(again) == stored_first_losses(made)
        assert again.pool.equal(made.pool)
    assert not paths.runs().exists()
    first, second = (runs.get(made.settings) for made in frozen)
    assert first.results_by_row.equals(frozen[0].results_by_row)
    left_out = "without its results at single rows; train it: LEXURN_FRESH=1 papermill book/02_tr"
    with pytest.raises(files.StoreError, match=left_out):
        _ = second.results_by_row
    weights = load_file(contents.locate(first.path, store.WEIGHTS))
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16}
    tokens = frozen[0].splits["out_of_distribution"]
    moved = (first.predictor(tokens) - frozen[0].predictor(tokens)).abs().max()
    assert 0 < moved < 0.01
    assert not contents.locate(second.path, store.WEIGHTS).exists()
    assert second.predictor(tokens).equal(frozen[1].predictor(tokens))  # it was trained again
    assert (paths.runs() / second.path.name / store.WEIGHTS).exists()


def test_a_training_starts_from_a_published_run(frozen):
    settings = check(TINY | {"seed": 2, "init_from": frozen[0].settings.key})
    started, published = (
        torch.cat([weight.flatten() for weight in model.parameters()])
        for model in (fit.init_model(settings), runs.get(frozen[0].settings).model)
    )
    assert started.equal(published) and not paths.runs().exists()
    assert not started.equal(torch.cat([w.flatten() for w in frozen[1].model.parameters()]))


def test_the_edition_says_when_and_how_far_it_was_rounded(frozen):
    said = integrity.edition()
    assert said["scale"] == "smoke" and 0 < said["rounding"] < 1e-4
    assert said["frozen"].endswith("+00:00") and len(said["files"]) == 6
    assert not [
        name for name in said["files"] if "state" in name or "lock" in name or "tables" in name
    ]


@pytest.mark.parametrize("name", store.PUBLISHED)
def test_one_altered_byte_is_refused(frozen, name):
    path = contents.locate(paths.published_results() / frozen[0].path.name, name)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        files.StoreError,
        match=f"{name} is missing, was altered, or was never published: `git checkout",
    ):
        runs.get(frozen[0].settings)
    assert runs.get(frozen[1].settings)  # the others are as they were


def test_what_is_missing_or_was_added_is_refused(frozen):
    refused = r"{} is missing, was altered, or was never published"
    first, second = (paths.published_results() / made.path.name for made in frozen)
    added = contents.locate(second, store.WEIGHTS)
    added.write_bytes(contents.locate(first, store.WEIGHTS).read_bytes())
    with pytest.raises(files.StoreError, match=refused.format(added.name)):
        runs.load(second.name)
    added.unlink()
    assert runs.load(second.name)
    contents.locate(first, contents.ROWS).unlink()
    with pytest.raises(files.StoreError, match=refused.format(contents.ROWS)):
        runs.load(first.name)
    (paths.published_results() / integrity.EDITION).unlink()
    with pytest.raises(files.StoreError, match=r"was never published"):
        runs.load(frozen[1].path.name)


def test_another_training_version_or_seed_is_not_taken_for_it(frozen, monkeypatch):
    assert runs.is_stored(frozen[0].settings) and not runs.is_stored(check(TINY | {"seed": 2}))
    monkeypatch.setattr(run_settings, "TRAINING_VERSION", TRAINING_VERSION + 1)
    assert not runs.is_stored(check(TINY | {"seed": 0}))


def test_fresh_ignores_what_is_published(frozen, monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "another"))
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    assert runs.is_stored(frozen[0].settings)
    monkeypatch.setenv("LEXURN_FRESH", "1")
    assert paths.published_results() is None and not runs.is_stored(frozen[0].settings)


def test_what_is_frozen_again_stays_and_what_is_used_no_longer_goes(frozen):
    name = frozen[0].path.name
    before = integrity.edition()
    used = [f"{name}/{part}" for part in ("results.json", store.WEIGHTS, contents.ROWS)]
    edition.freeze(used, scale="smoke")
    after = integrity.edition()
    assert set(after["files"]) == {file for file in before["files"] if file.startswith(name)}
    assert all(before["files"][file] == digest for file, digest in after["files"].items())
    assert after["rounding"] == before["rounding"]


def test_what_should_not_be_published_is_refused(frozen, monkeypatch):
    before, name = integrity.edition(), frozen[0].path.name
    with pytest.raises(
        files.StoreError, match=r"no run urns-000000000000 in .*; a chapter used it"
    ):
        edition.freeze([f"{name}/results.json", "urns-000000000000/results.json"], scale="smoke")
    monkeypatch.setattr(edition, "MAX_BYTES", 1000)
    with pytest.raises(files.StoreError, match=r"has .* bytes, more than 1,000"):
        edition.freeze([f"{name}/results.json"], scale="smoke")
    monkeypatch.setattr(edition.provenance, "is_changed", lambda: True)
    dirty = runs.get(TINY | {"seed": 3})
    with pytest.raises(files.StoreError, match="uncommitted changes"):
        edition.freeze([f"{dirty.path.name}/results.json"], scale="smoke")
    assert integrity.edition() == before and runs.get(frozen[0].settings)


def test_a_run_computed_anew_begins_as_the_published_one(frozen):
    stored = stored_first_losses(frozen[0])
    assert recompute_first_losses(frozen[0].path.name) == pytest.approx(stored, rel=1e-4)
    other = recompute_first_losses(frozen[1].path.name)
    assert other != pytest.approx(stored, rel=1e-4)  # another seed is told from it


def test_weights_that_others_begin_with_are_not_rounded(store, tmp_path, monkeypatch):
    monkeypatch.setattr(edition.provenance, "is_changed", lambda: False)
    first = runs.get(TINY)
    second = runs.get(TINY | {"init_from": first.settings.key, "alpha": 2.0})
    used = [
        f"{run.path.name}/{name}"
        for run in (first, second)
        for name in ("results.json", "model.safetensors")
    ]
    root = tmp_path / "repository"
    (root / "book").mkdir(parents=True)
    monkeypatch.setattr(paths, "root", lambda: root)
    edition.freeze(used, scale="smoke")
    kinds = {
        run.path.name: {
            str(weight.dtype)
            for weight in load_file(
                root / "book" / "results" / f"{run.path.name}.model.safetensors"
            ).values()
        }
        for run in (first, second)
    }
    assert kinds == {first.path.name: {"torch.float32"}, second.path.name: {"torch.float16"}}


def test_the_finished_points_of_a_grid_are_frozen_with_the_book(monkeypatch, tmp_path):
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "runs"))
    grid = tmp_path / "grid.yaml"
    grid.write_text(
        "fixed: {n_steps: 3, eval_every: 3, n_test_samples: 10, context_length: 4}\n"
        "axes: {n_colors: [3, 4]}\nseeds: 1\n"
    )
    done, missing = sweeps.read(grid).points
    runs.get(done)
    frozen = []
    monkeypatch.setattr(dependencies, "select_chapters", lambda names, params: [])
    monkeypatch.setattr(
        edition, "freeze", lambda used, scale: frozen.extend(used) or {"rounding": 0.0}
    )
    result = CliRunner().invoke(cli.main, ["freeze", "--grid", str(grid)])
    assert result.exit_code == 0, result.output
    assert frozen == [f"{done.name}/results.json"] and missing.name not in str(frozen)
