"""A training that is cut off goes on as if nothing had happened, to the last bit."""

import errno
import json
import random
import re
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch
import tried
from cut_off import Cut, CutAt
from processes import ForkedPython, wait_for

from lexurn import runs
from lexurn.base import files, paths
from lexurn.runs import checkpoints, fit
from lexurn.settings.resolver import check

TINY = {"n_steps": 12, "eval_every": 4, "n_test_samples": 20, "context_length": 8, "dropout": 0.2}


def same(first, second):
    """Whether two runs have equal weights, metrics and results, bit for bit."""
    names = ("model.safetensors", "last.safetensors", "metrics.jsonl", "results.json")
    return [
        name for name in names if (first / name).read_bytes() != (second / name).read_bytes()
    ] == []


@pytest.mark.parametrize(
    "flat",
    [
        {},
        {"lex": True, "vocabulary": "gaussian"},
        {"n_names": 9, "n_alphabets": 3, "name_vectors": "learned"},
        {"lex": True, "n_tables": 2, "redraw": 0.5, "n_named": 1},
        {"n_names": 16, "alphabets": "design", "n_alphabets": 7, "name_vectors": "unit"},
        {"vocabulary": "canonical", "test_alpha": [0.5, 0.5, 1, 2]},
        {"lex": True, "backbone": "equivariant"},
        {"lex": True, "backbone": "bag"},
        {"n_train_samples": 100, "n_epochs": 4},
        {"optimizer": "muon"},
        {"optimizer": "sgd", "attention_dropout": 0.2},
    ],
)
def test_a_training_goes_on_to_the_same_result(tmp_path, monkeypatch, flat, capsys):
    flat = {
        name: value
        for name, value in (TINY | flat).items()
        if (name != "n_steps" or "n_epochs" not in flat)
        and (name != "dropout" or "backbone" not in flat)  # which have none
    }
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "whole"))
    whole = runs.get(flat)
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "cut"))
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    for step in (8, 12):
        with pytest.raises(Cut):
            runs.get(flat, tracker=CutAt(step))
    torch.manual_seed(7)  # what the process has drawn does not matter
    again = runs.get(flat)
    assert re.findall(r"resuming from step (\d+)", capsys.readouterr().err) == ["7", "11"]
    assert same(whole.path, again.path) and not list(again.path.glob("state-*"))


@pytest.mark.parametrize("trainable", ["all", "vocabulary", "outside_backbone"])
def test_a_training_from_other_weights_goes_on_to_the_same_result(
    store, tmp_path, monkeypatch, trainable
):
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    origin = runs.get(TINY | {"lex": True, "seed": 1})
    flat = TINY | {"init_from": origin.settings.key, "trainable": trainable}
    whole = runs.get(flat)
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "cut"))
    shutil.copytree(origin.path, tmp_path / "cut" / origin.path.name)
    with pytest.raises(Cut):
        runs.get(flat, tracker=CutAt(8))
    again = runs.get(flat)
    assert same(whole.path, again.path)
    moved = {
        name.partition(".")[0]
        for name, weight in again.model.state_dict().items()
        if not name.startswith("vocabulary.") and not weight.equal(origin.model.state_dict()[name])
    }
    expected = {"vocabulary": {"start"}, "outside_backbone": {"start", "positions"}}
    assert moved == expected.get(trainable, {"start", "positions", "backbone"})


def test_without_a_generators_state_the_result_would_differ(tmp_path, monkeypatch):
    """The control: every part of the state matters."""
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    flat = TINY | {"lex": True}
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "cut"))
    with pytest.raises(Cut):
        runs.get(flat, tracker=CutAt(8))
    shutil.copytree(tmp_path / "cut", tmp_path / "kept")
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "kept"))
    kept = runs.get(flat).path
    for forgotten in ("tables", "global", "optimizer/0/exp_avg", "losses"):
        copy = tmp_path / forgotten.replace("/", "-")
        shutil.copytree(tmp_path / "cut", copy)
        (folder,) = copy.iterdir()
        state = checkpoints.load_state(folder, key=check(flat).key)
        blank = torch.ones_like(state[forgotten])
        fresh = torch.Generator(fit.resolve_device("auto"))
        state[forgotten] = fresh.get_state() if blank.dtype == torch.uint8 else blank
        checkpoints.remove_states(folder)
        checkpoints.save_state(folder, state, key=check(flat).key)
        monkeypatch.setenv("LEXURN_RUNS", str(copy))
        assert not same(kept, runs.get(flat).path), forgotten


SCRIPT = """
import sys, time
from lexurn.runs import checkpoints, tracking
from lexurn.base import files
from lexurn import runs
checkpoints.SECONDS = 0.03
if "slow" in sys.argv:  # dwell inside a save, with half of it written
    def slowly(path, content, real=files.write, **options):
        if path.name.startswith("state-"):
            path.with_name(".half").write_bytes(content[: len(content) // 2])
            time.sleep(5)
        real(path, content, **options)
    checkpoints.write = slowly
runs.get({flat}, tracker=type("Quiet", (tracking.Tracker,), {{}})())
"""
FLAT = {
    "n_steps": 600,
    "eval_every": 200,
    "n_test_samples": 20,
    "context_length": 8,
    "dropout": 0.1,
    "lex": True,
}


def start(*arguments):
    return ForkedPython(SCRIPT.format(flat=FLAT), *arguments)


def newest(store):
    return max((path.name for path in store.glob("*/state-*")), default="")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a training that was not interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEXURN_RUNS", str(tmp_path_factory.mktemp("whole")))
        patch.setattr(paths, "published_results", lambda: None)
        return runs.get(FLAT).path


N_KILLS = tried.scale(5, 10)


@pytest.mark.parametrize("seed", range(tried.scale(1, 30)))
def test_killed_at_random_moments_a_training_ends_the_same(seed, store, whole):
    """SIGKILL within each of as many parts of the first 300 steps, once of them in a save."""
    dice, steps = random.Random(seed), []
    slow = dice.randrange(1, N_KILLS)
    for kill in range(N_KILLS):
        step = 1 + int((kill + dice.random()) * 300 / N_KILLS)
        before = max(newest(store), f"state-{step:08d}")
        process = start("slow") if kill == slow else start()
        if kill == slow:
            wait_for(lambda: list(store.glob("*/.half")))
        else:
            wait_for(lambda before=before: newest(store) > before)
            time.sleep(dice.uniform(0, 0.03))  # until the next state
        process.send_signal(signal.SIGKILL)
        steps += map(int, re.findall(r"resuming from step (\d+)", process.communicate()[1]))
        assert newest(store), "killed after the end"
    process = start()
    steps += map(int, re.findall(r"resuming from step (\d+)", process.communicate()[1]))
    print("resumed from", steps)
    assert process.returncode == 0 and len(steps) == N_KILLS and steps == sorted(steps)
    assert steps[0] > 0
    (folder,) = store.iterdir()
    assert same(whole, folder)
    tried.count("killed at a random moment of a training", N_KILLS)


def test_ctrl_c_saves_and_says_how_to_go_on(store):
    process = start()
    wait_for(lambda: newest(store))
    process.send_signal(signal.SIGINT)
    message = process.communicate()[1]
    step = int(
        re.search(
            r"stopped at step (\d+), which is saved; run the same again to go on", message
        ).group(1)
    )
    assert process.returncode != 0 and f"state-{step:08d}" in newest(store)
    signals = signal.getsignal(signal.SIGINT)
    runs.get(TINY)
    assert signal.getsignal(signal.SIGINT) is signals


def test_a_second_process_waits_and_loads(store):
    first = start()
    wait_for(lambda: newest(store))
    second = start()
    assert second.communicate()[1].startswith("waiting for the process that is training urns-")
    assert first.communicate()[1] == "" and (first.returncode, second.returncode) == (0, 0)
    steps = [
        json.loads(line)["step"]
        for line in next(store.glob("*/metrics.jsonl")).read_text().splitlines()
    ]
    assert steps == [0, 200, 400, 600]


def saved(folder, *steps, key="k"):
    folder.mkdir(exist_ok=True)
    metrics = {"metrics": checkpoints.to_tensor("{}\n")}
    return [
        checkpoints.save_state(folder, {"step": torch.tensor(step), **metrics}, key=key)
        for step in steps
    ]


def test_the_last_two_states_are_kept_and_the_newest_is_loaded(tmp_path):
    saved(tmp_path, 5, 100, 20_000)
    assert [int(path.name.split("-")[1]) for path in sorted(tmp_path.iterdir())] == [100, 20_000]
    assert checkpoints.load_state(tmp_path, key="k")["step"] == 20_000
    assert checkpoints.load_state(tmp_path / "none", key="k") is None


def test_damaged_and_foreign_states_are_refused_by_name_and_an_older_one_is_taken(tmp_path, capsys):
    def flip(path):
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)

    def rename(path):  # a hash that fits, around something that is no safetensors file
        path.write_bytes(b"pickle")
        path.rename(path.with_name(f"state-00000009-{files.hash_bytes(b'pickle', 12)}.safetensors"))

    damages = {
        "truncated": lambda path: path.write_bytes(path.read_bytes()[:-3]),
        "tampered": flip,
        "empty": lambda path: path.write_bytes(b""),
        "no tensors": rename,
    }
    for name, damage in damages.items():
        _, newer = saved(tmp_path / name, 5, 9)
        damage(newer)
        assert checkpoints.load_state(tmp_path / name, key="k")["step"] == 5
        assert "state-00000009-" in (said := capsys.readouterr().err) and "is refused: " in said
    saved(tmp_path / "foreign", 5, key="other")
    assert checkpoints.load_state(tmp_path / "foreign", key="k") is None
    assert "it belongs to another run" in capsys.readouterr().err


def test_files_are_whole_or_not_there(tmp_path, monkeypatch):
    target = tmp_path / "file"
    files.write(target, "before")
    monkeypatch.setattr(
        files.Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full"))
    )
    with pytest.raises(OSError, match="disk full"):
        files.write(target, "after")
    assert target.read_text() == "before" and list(tmp_path.iterdir()) == [target]


def test_wherever_the_disk_is_full_the_last_state_is_kept_and_the_training_ends_the_same(
    tmp_path, monkeypatch
):
    """Every write of a training fails once, with half of it on the disk."""
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    flat = {
        "n_steps": 4,
        "eval_every": 2,
        "n_test_samples": 10,
        "context_length": 4,
        "dropout": 0.2,
    }
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "whole"))
    writes, real = [], Path.write_bytes
    monkeypatch.setattr(
        Path, "write_bytes", lambda path, *rest: (writes.append(path.name), real(path, *rest))
    )
    whole, quiet = runs.get(flat, tracker=CutAt(None)).path, CutAt(None)
    assert (
        len(writes) == 15
    )  # settings, urns, metrics, 4 states, 3 tables, best, last, provenance, sums, results
    for k in range(len(writes)):
        done = []

        def put(path, content, k=k, done=done):
            done.append(path.name)
            if len(done) > k:
                real(path, content[: len(content) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")
            real(path, content)

        monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / str(k)))
        monkeypatch.setattr(Path, "write_bytes", put)
        with pytest.raises(
            files.StoreError, match="cannot write .*: No space left on device; free some"
        ):
            runs.get(flat, tracker=quiet)
        assert len(done) == k + 1
        monkeypatch.setattr(Path, "write_bytes", real)
        (folder,) = (tmp_path / str(k)).iterdir()
        state = checkpoints.load_state(folder, key=check(flat).key)
        saved_steps = [int(name.split("-")[1]) for name in done[:k] if name.startswith(".state-")]
        assert (None if state is None else int(state["step"])) == max(saved_steps, default=None)
        assert runs.table().empty and not list(folder.glob(".*.*"))
        assert same(whole, runs.get(flat, tracker=quiet).path)
        tried.count("written to a full disk", 1)


LIMITED = """
import resource
from lexurn.runs import checkpoints
from lexurn.base import files
from lexurn import runs
for limit, seconds in ((2000, 30.0), (100_000, 0.0)):
    checkpoints.SECONDS = seconds
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        runs.get({flat})
    except files.StoreError as error:
        print(error)
"""


def test_a_write_that_the_system_stops_half_way_is_told_and_undone(store, tmp_path, monkeypatch):
    """First in the metrics, then in a state."""
    process = ForkedPython(LIMITED.format(flat=TINY))
    output = process.communicate()[0]
    assert process.returncode == 0
    (folder,) = store.iterdir()
    for line, where in zip(
        output.splitlines(), ("metrics.jsonl", "state-00000000-.*"), strict=True
    ):
        assert re.fullmatch(
            f"cannot write {folder}/{where}: File too large; set LEXURN_RUNS, or .*", line
        )
    assert not list(folder.glob(".*.*"))
    again = runs.get(TINY).path
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "whole"))
    assert same(again, runs.get(TINY).path)


def test_what_a_killed_process_left_half_written_is_removed_by_the_next_training(store):
    folder = store / check(TINY).name
    folder.mkdir(parents=True)
    (folder / ".model.safetensors.4711").write_bytes(b"half")
    runs.get(TINY)
    assert [path.name for path in folder.glob(".*")] == [".lock"]


def test_a_training_that_diverges_keeps_its_last_good_state(store, monkeypatch):
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    flat = TINY | {
        "n_steps": 40,
        "eval_every": 20,
        "learning_rate": 1e20,
        "grad_clip": 0.0,
        "warmup": 2,
    }
    for _ in range(2):  # and the same again when it goes on from there
        with pytest.raises(FloatingPointError, match="learning_rate=1e.20"):
            runs.get(flat)
        (folder,) = store.iterdir()
        state = checkpoints.load_state(folder, key=check(flat).key)
        assert all(
            tensor.isfinite().all() for name, tensor in state.items() if name.startswith("model/")
        )


def test_a_training_that_goes_on_tells_its_past_first(monkeypatch):
    class Listening(CutAt):
        past: list = []

        def resume(self, past):
            Listening.past = [line["step"] for line in past]

    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    with pytest.raises(Cut):
        runs.get(TINY, tracker=Listening(12))
    assert Listening.past == []
    runs.get(TINY, tracker=Listening(None))
    assert Listening.past == [0, 4, 8]
