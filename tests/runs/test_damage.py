"""A file of the store that is not what was written is refused, in one line that says what to do."""

import json
import shutil
import sys

import pytest
import torch
import tried

from lexurn import runs
from lexurn.base import checksums, files, paths
from lexurn.publish import edition
from lexurn.runs import cache, checkpoints, integrity, listing, store

TINY = {"n_steps": 4, "eval_every": 2, "n_test_samples": 20, "context_length": 8}


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-3]),
    "flipped": flip,
    "empty": lambda path: path.write_bytes(b""),
    "null": lambda path: path.write_bytes(b"null"),
    "foreign": lambda path: path.write_bytes(b"\x80\x04K\x01."),
    "missing": lambda path: path.unlink(),
}


@pytest.fixture
def published(tmp_path, monkeypatch):
    folder = tmp_path / "published"
    folder.mkdir()
    monkeypatch.setattr(paths, "published_results", lambda: folder)
    return folder


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damaged_file_of_a_run_is_named_and_ends_no_listing(damage, tiny_run, capsys):
    kept, run = tiny_run(TINY), tiny_run(TINY | {"seed": 1, "n_checkpoints": 2})
    names = [*integrity.final_files(run.path), store.RESULTS]
    assert {"settings.json", "metrics.jsonl", "series.safetensors", checksums.NAME} < set(names)
    whole = run.path.with_name("whole")
    shutil.copytree(run.path, whole)
    assert len(runs.table()) == 2
    for name in names:
        shutil.rmtree(run.path)
        shutil.copytree(whole, run.path)
        DAMAGES[damage](run.path / name)
        if name == store.RESULTS and damage == "missing":
            with pytest.raises(FileNotFoundError, match="no finished run"):
                runs.load(run.path.name)
            continue
        with pytest.raises(files.StoreError) as error:
            runs.load(run.path.name)
        message = str(error.value)
        assert str(run.path) in message and "\n" not in message, name
        assert name in message or checksums.NAME in message, (name, message)
        assert f"lexurn runs delete {run.path.name}" in message
        with pytest.raises(files.StoreError):
            runs.get(run.settings)
        (run.path.parent / listing.INDEX).unlink(missing_ok=True)
        assert runs.table()["name"].tolist() == [kept.path.name]
        said = capsys.readouterr().err
        assert said.startswith("left out: ") and said.count("\n") == 1
    store.delete(run.path.name)  # as the message says
    tried.count("damaged files of a run", len(names))


def test_a_run_of_another_version_without_checksums_is_read(tiny_run):
    """The control: what refuses damaged files is the record, not the way of reading."""
    run = tiny_run(TINY)
    results = json.loads((run.path / store.RESULTS).read_text())
    del results[integrity.HAS_CHECKSUMS]
    (run.path / store.RESULTS).write_text(json.dumps(results))
    (run.path / checksums.NAME).unlink()
    flip(run.path / "model.safetensors")
    assert runs.load(run.path.name).settings == run.settings


def test_a_folder_that_was_renamed_is_not_taken_for_the_run_of_its_name(tiny_run):
    run, other = tiny_run(TINY), tiny_run(TINY | {"seed": 1})
    shutil.rmtree(run.path)
    other.path.rename(run.path)
    with pytest.raises(files.StoreError, match="holds another run, .*: its folder was renamed"):
        runs.get(TINY)


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damaged_published_file_is_named(damage, published, monkeypatch, capsys, tmp_path):
    with monkeypatch.context() as patch:
        patch.setattr(paths, "root", lambda: tmp_path)
        patch.setattr(edition.provenance, "is_changed", lambda: False)
        run = runs.get(TINY)
        runs.write_table("numbers", run.metrics)
        used = {f"{run.path.name}/{name}" for name in store.PUBLISHED} | {"tables/numbers.csv"}
        edition.freeze(used, scale="smoke")
    shutil.rmtree(paths.runs())
    whole = tmp_path / "book" / "results"
    names = sorted(path.relative_to(whole).as_posix() for path in whole.rglob("*.*"))
    parts = {name.removeprefix(f"{run.path.name}.") for name in names}
    assert parts == {*store.PUBLISHED, "tables/numbers.csv.gz", integrity.EDITION}
    for name in names:
        shutil.rmtree(published)
        shutil.copytree(whole, published)
        DAMAGES[damage](published / name)
        is_table = name.startswith("tables/")
        refused = (FileNotFoundError, files.StoreError) if damage == "missing" else files.StoreError
        with pytest.raises(refused) as error:
            runs.read_table("numbers") if is_table else runs.load(run.settings.name)
        assert "\n" not in str(error.value), (name, error.value)
        tried.count("damaged published files", 1)


def test_a_second_listing_opens_no_run(tiny_run, capsys):
    for seed in range(3):
        tiny_run(TINY | {"seed": seed})
    opened = []

    def watch(event, arguments):
        if event == "open" and is_watching:
            opened.append(str(arguments[0]))

    is_watching = False
    sys.addaudithook(watch)
    first = runs.table()
    is_watching = True
    second = runs.table()
    is_watching = False
    assert second.equals(first)
    assert [path for path in opened if str(paths.runs()) in path] == [
        str(paths.runs() / listing.INDEX)
    ]
    for content in ("", "null", "[1]", '{"made_by": []}'):  # an index is only a shortcut
        (paths.runs() / listing.INDEX).write_text(content)
        assert runs.table().equals(first)
    (paths.runs() / first["name"][0] / "metrics.jsonl").write_text("{}\n")
    assert (
        len(runs.table()) == 2
        and "metrics.jsonl is missing or was altered" in capsys.readouterr().err
    )


def test_what_a_training_left_that_was_killed_after_its_end_is_removed(tiny_run, monkeypatch):
    run = tiny_run(TINY)
    (run.path / "series").mkdir()
    metrics = {"metrics": checkpoints.to_tensor("{}\n")}
    state = checkpoints.save_state(run.path, {"step": torch.tensor(3), **metrics}, key="k")

    def refuse(path, missing_ok=False):
        raise PermissionError(path)

    with monkeypatch.context() as patch:  # in the store of another user
        patch.setattr(files.Path, "unlink", refuse)
        assert runs.get(TINY).path == run.path and state.exists()
    runs.get(TINY)
    assert not state.exists() and not (run.path / "series").exists()


def test_replacing_a_folder_loses_neither_wherever_it_is_killed(tmp_path, monkeypatch):
    target, results = tmp_path / "results", []
    rename = files.Path.rename
    for kill in range(4):
        for folder, text in ((target, "old"), (tmp_path / "work" / "new", "new")):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (folder / "text").write_text(text)
        n_renames = []

        def killed(path, to, kill=kill, n_renames=n_renames):
            if len(n_renames) == kill:
                raise KeyboardInterrupt
            n_renames.append(to)
            return rename(path, to)

        with monkeypatch.context() as patch:
            patch.setattr(files.Path, "rename", killed)
            try:
                files.replace_folder(target, tmp_path / "work" / "new")
            except KeyboardInterrupt:
                results.append(target.exists())
        files.restore_folder(target)
        results.append((target / "text").read_text())
    assert results == [True, "old", False, "new", "new", "new"]
    tried.count("killed while the edition is replaced", 4)
    files.replace_folder(target, tmp_path / "work")  # what a kill has left is in nobody's way
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results"]


def test_the_published_results_are_found_after_a_freeze_that_was_killed(tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    for name in (".results-before", ".results-new"):
        (tmp_path / "book" / name).mkdir(parents=True)
        (tmp_path / "book" / name / name).touch()
    found = paths.published_results()
    assert found == tmp_path / "book" / "results" and (found / ".results-new").exists()


def test_a_cached_table_that_was_altered_is_not_used(store):
    cache.table(numbers, 3)
    (path,) = (paths.runs() / "tables").glob("*.csv")
    path.write_text(path.read_text().replace("3", "4"))
    with pytest.raises(files.StoreError, match="was altered after it was written; delete it"):
        cache.table(numbers, 3)
    path.unlink()
    assert cache.table(numbers, 3)["x"].tolist() == [3]


def numbers(n):
    import pandas as pd

    return pd.DataFrame({"x": [n]})
