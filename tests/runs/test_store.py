"""Which folder a name means, in two roots, and what is deleted."""

import pytest

from lexurn import runs
from lexurn.base import files, paths
from lexurn.publish import edition
from lexurn.runs import store
from lexurn.settings.resolver import check

KEYS = ("aaaa11112222", "aaaa33334444", "bbbb11112222")


def make(root, key, *, finished=True, kind="normal"):
    folder = root / f"urns-V4-{kind}-s0-{key}"
    folder.mkdir(parents=True)
    (folder / ("results.json" if finished else "settings.json")).write_text("{}")
    return folder


@pytest.fixture
def published(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "published_results", lambda: tmp_path / "published")
    return tmp_path / "published"


def test_a_run_is_found_by_name_path_key_and_the_beginning_of_its_key(tmp_path, monkeypatch):
    first, second, third = (make(paths.runs(), key) for key in KEYS)
    make(paths.runs(), "cccc11112222", kind="lexical")
    for name in (first.name, first, str(first), "aaaa11112222", "aaaa1"):
        assert store.find(name) == first
    assert store.find("b") == third
    monkeypatch.chdir(paths.runs())
    assert store.find(f"./{second.name}") == second
    with pytest.raises(
        FileNotFoundError, match=f"several runs: {first.name}, {second.name}; give more digits"
    ):
        store.find("aaaa")
    for name, near in {
        "aaaa11112223": "did you mean aaaa11112222",
        "urns-V4-lexical-s0": "did you mean urns-V4-lexical-s0-cccc11112222",
        "": "`lexurn runs` lists",
        "zzz": "`lexurn runs` lists",
        "tables": "`lexurn runs` lists",
        "..": "`lexurn runs` lists",
    }.items():
        with pytest.raises(FileNotFoundError, match=f"no run .*; {near}"):
            store.find(name)


def test_ones_own_runs_come_before_published_ones(published):
    own, theirs = make(paths.runs(), KEYS[0]), [make(published, key) for key in KEYS[:2]]
    make(published, KEYS[2], finished=False)
    assert store.finished() == [own, theirs[1]]
    assert store.find(own.name) == store.find(KEYS[0]) == own and store.find(KEYS[1]) == theirs[1]
    begun = make(paths.runs(), KEYS[1], finished=False)  # a finished run is found before it
    assert store.find(begun.name) == store.find(KEYS[1]) == theirs[1] and store.find(begun) == begun


def test_unfinished_runs_are_told_with_their_last_state():
    begun, cut, _ = (make(paths.runs(), key, finished=i == 2) for i, key in enumerate(KEYS))
    for step in (5, 10):
        (cut / f"state-{step:08d}-1f0d8b602e4c.safetensors").touch()
    (paths.runs() / "tables").mkdir()
    assert store.unfinished() == {begun.name: "no saved state", cut.name: "saved at step 10"}
    with files.lock(cut):
        assert store.unfinished()[cut.name] == "training, saved at step 10"


def test_a_run_is_deleted_whole(monkeypatch):
    first, second, third = (make(paths.runs(), key, finished=key != KEYS[1]) for key in KEYS)
    store.delete(first.name)
    store.delete(KEYS[1])
    assert list(paths.runs().iterdir()) == [third]

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(store.shutil, "rmtree", killed)
        store.delete(third)
    assert store.finished() == [] and store.folders() == [third]  # no run, and deleted again
    store.delete(third)
    assert list(paths.runs().iterdir()) == []


def test_published_foreign_and_trained_runs_are_not_deleted(published, tmp_path):
    theirs, foreign, own = (
        make(published, KEYS[0]),
        make(tmp_path / "other", KEYS[1]),
        make(paths.runs(), KEYS[2]),
    )
    with files.lock(own):
        for folder, said in {
            KEYS[0]: "is published or elsewhere, and only runs in .* are deleted",
            theirs: "is published or elsewhere",
            foreign: "is published or elsewhere",
            own: "is being trained by another process; stop it first",
        }.items():
            with pytest.raises(files.StoreError, match=said):
                store.delete(folder)
    assert theirs.exists() and foreign.exists() and own.exists()


def test_a_published_run_is_loaded_and_listed_and_never_written(published, tmp_path, monkeypatch):
    flat = {"n_steps": 4, "eval_every": 2, "n_test_samples": 20, "context_length": 8}
    own = paths.runs()
    with monkeypatch.context() as patch:
        patch.setattr(paths, "published_results", lambda: None)
        patch.setenv("LEXURN_RUNS", str(published))
        made = runs.get(flat).path
    edition.seal(published)
    assert runs.table()["published"].tolist() == [True]
    before = {path: path.stat().st_mtime_ns for path in published.rglob("*")}
    assert runs.is_stored(check(flat)) and runs.get(flat).path == made and not own.exists()
    mine = runs.get(flat | {"seed": 1})
    table = runs.table().set_index("seed")
    assert table["published"].to_dict() == {0: True, 1: False} and mine.path.parent == own
    assert runs.load(check(flat).key[:6]).path == made
    assert {path: path.stat().st_mtime_ns for path in published.rglob("*")} == before
