"""The edition in `book/results` is whole, small, and what this library computes."""

import pytest
from recompute import recompute_first_losses, stored_first_losses

from lexurn import runs
from lexurn.base import paths
from lexurn.publish import edition
from lexurn.runs import integrity, store


@pytest.fixture
def results(monkeypatch):
    root = paths.root() / "book" / "results"
    monkeypatch.setattr(paths, "published_results", lambda: root)
    return root


def test_the_published_edition_is_whole_and_small(results):
    manifest = integrity.edition()
    assert manifest["scale"] == "book" and manifest["rounding"] < 1e-4
    present = {path.relative_to(results).as_posix() for path in results.rglob("*.*")}
    assert present == {*manifest["files"], integrity.EDITION}  # nothing is missing or added
    for name in manifest["files"]:
        integrity.check_published(results / name)
    assert store.size(results) < edition.MAX_BYTES
    for folder in store.finished():
        run = runs.load(folder)
        assert run.settings.name == folder.name, (
            "the key no longer follows from the settings; freeze the edition again"
        )
        assert run.provenance["dirty"] is False


@pytest.mark.parametrize("kind", ["normal", "lexical", "permuted"])
def test_a_published_run_computed_anew_begins_the_same(results, kind):
    name = next(
        folder.name
        for folder in store.folders(results)
        if f"-{kind}-" in folder.name and runs.Run(folder).provenance["device"] == "cpu"
    )
    stored = stored_first_losses(runs.load(name))
    assert recompute_first_losses(name) == pytest.approx(stored, rel=1e-4)
