"""Files are whole or missing, also on a full disk, and one process at a time holds a folder."""

import errno
import json
import os
import sys
import threading

import pytest

from lexurn import runs
from lexurn.base import files
from lexurn.runs import recording
from lexurn.runs.tracking import Files


class HalfFile:
    """A file on a disk with room for half of what comes."""

    def __init__(self, path, mode, **_):
        self.file = open(path, mode)  # noqa: SIM115

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, content):
        self.file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")


def test_on_a_full_disk_nothing_is_lost_and_one_line_says_what_to_do(tmp_path, monkeypatch):
    whole, lines = tmp_path / "whole", Files(tmp_path, [])
    files.write(whole, "before")
    lines.log({"loss": 1.5}, 0)
    monkeypatch.setattr(files.Path, "open", lambda path, mode: HalfFile(path, mode))
    for act, path in (
        (lambda: files.write(whole, "after!"), whole),
        (lambda: lines.log({"loss": 0.5}, 9), lines.metrics),
    ):
        with pytest.raises(files.StoreError) as error:
            act()
        assert str(error.value) == (
            f"cannot write {path}: No space left on device; free some space, or move the store "
            "(LEXURN_RUNS) or the book's build (LEXURN_BUILD) to another disk; the same command "
            "then resumes from the last save"
        )
        assert error.value._render_traceback_() == [f"StoreError: {error.value}"]
    assert sorted(tmp_path.iterdir()) == [lines.metrics, whole]
    monkeypatch.undo()
    assert whole.read_text() == "before"
    first = {"step": 0, "loss": 1.5}
    assert json.loads(lines.metrics.read_text().splitlines()[0]) == first
    Files(tmp_path, [first]).log({"loss": 0.5}, 9)  # as the training that goes on does
    rows = map(json.loads, lines.metrics.read_text().splitlines())
    assert [row["step"] for row in rows] == [0, 9]


def test_a_file_system_without_locks_is_named_with_what_to_do(tmp_path, monkeypatch):
    """Lustre has no locks unless it is mounted with `-o flock`."""

    def fail(code):
        def flock(*_):
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(files.fcntl, "flock", flock)

    for code in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP):
        fail(code)
        with (
            pytest.raises(files.StoreError, match=r"cannot lock files: set LEXURN_RUNS"),
            files.lock(tmp_path),
        ):
            pass
    fail(errno.EAGAIN)  # the control: another process has the lock
    with pytest.raises(files.StoreError, match="another process"), files.lock(tmp_path, wait=False):
        pass


class Recorder:
    """What is asked of the operating system, in its order: (`sync` or `rename`, name)."""

    def __init__(self, monkeypatch):
        self.calls = []
        fsync, replace = os.fsync, files.Path.replace

        def sync(descriptor):
            self.calls.append(
                ("sync", os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
            )
            fsync(descriptor)

        def rename(path, target):
            self.calls.append(("rename", target.name))
            return replace(path, target)

        monkeypatch.setattr(os, "fsync", sync)
        monkeypatch.setattr(files.Path, "replace", rename)


@pytest.mark.skipif(sys.platform != "linux", reason="reads names of open files from /proc")
def test_a_finished_run_says_so_only_when_all_of_it_is_on_the_disk(monkeypatch, store):
    recorder = Recorder(monkeypatch)
    folder = runs.get({"n_steps": 2, "n_test_samples": 4, "context_length": 3}).path
    temporary = f".results.json.{os.getpid()}"
    place = recorder.calls.index(("rename", "results.json"))
    written = {path.name for path in folder.iterdir() if path.name != "results.json"}
    before = recorder.calls[:place]
    assert {("sync", name) for name in written} <= set(before)
    assert before[-1] == ("sync", temporary)
    assert all(
        before.index(("sync", name)) > before.index(("rename", name))
        for name in ("model.safetensors", "last.safetensors", "provenance.json", "settings.json")
    )
    assert recorder.calls[place + 1] == ("sync", folder.name)


@pytest.mark.skipif(sys.platform != "linux", reason="reads names of open files from /proc")
def test_without_the_wait_for_the_disk_the_order_would_be_another(monkeypatch, tmp_path):
    recorder = Recorder(monkeypatch)
    files.write(tmp_path / "results.json", "{}")
    assert recorder.calls == [("rename", "results.json")]


def test_the_metrics_of_a_training_that_goes_on_are_those_of_its_saved_state(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 0, "loss": 1.5}\n{"step": 10, "lo')  # it has lost a line
    past = [{"step": 0, "loss": 1.5}, {"step": 5, "loss": 0.25}]
    recorder = Files(tmp_path, past)
    recorder.log({"loss": 1.0}, 10)
    assert path.read_text() == "".join(recorder.lines)
    assert [json.loads(line)["step"] for line in recorder.lines] == [0, 5, 10]


def test_a_store_that_cannot_be_written_is_refused_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "train", None)
    (tmp_path / "file").touch()
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "file" / "runs"))
    with pytest.raises(
        files.StoreError, match="cannot write .*: Not a directory; set LEXURN_RUNS, or "
    ):
        runs.get({})
    if os.geteuid():  # nothing stops root
        (tmp_path / "closed").mkdir(mode=0o500)
        monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "closed"))
        with pytest.raises(files.StoreError, match="cannot write .*: Permission denied"):
            runs.get({})


def test_what_a_killed_process_left_is_swept_and_nothing_else(tmp_path):
    kept = [
        tmp_path / name
        for name in (".lock", "model.safetensors", "state-00000005-1f0d8b602e4c.safetensors")
    ]
    for path in (*kept, tmp_path / ".model.safetensors.4711", tmp_path / ".metrics.jsonl.12"):
        path.touch()
    files.remove_leftovers(tmp_path)
    assert sorted(tmp_path.iterdir()) == kept


def test_who_waits_for_a_folder_that_is_deleted_gets_a_new_one(tmp_path, capsys):
    folder, had = tmp_path / "run", []

    def wait():
        with files.lock(folder):
            had.append(folder.is_dir() and files.is_locked(folder))

    with files.lock(folder):
        assert files.is_locked(folder)
        with (
            pytest.raises(files.StoreError, match="another process is training run"),
            files.lock(folder, wait=False),
        ):
            pass
        waiting = threading.Thread(target=wait)
        waiting.start()
        while not capsys.readouterr().err.startswith("waiting for"):
            pass
        folder.rename(tmp_path / ".deleted")
    waiting.join(10)
    assert had == [True] and not files.is_locked(folder)
