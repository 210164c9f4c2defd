"""Tracking by Weights & Biases: all is recorded, nothing leaks, and nothing that fails there reaches a training.

No test speaks to the real server; `fake_wandb` stands in for it.
"""

import base64
import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from fake_wandb import address, serve, silent

import lexurn
from lexurn import runs
from lexurn.runs import checkpoints
from lexurn.runs.tracking import Tracker, keys, weights_and_biases
from lexurn.runs.tracking.weights_and_biases import Wandb

KEY = "5ec4e7" * 6 + "c0de"
TINY = {
    "n_steps": 6,
    "eval_every": 3,
    "n_test_samples": 20,
    "context_length": 8,
    "tracker": "wandb",
}


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """No key, no `.env`, no account of the person who runs the tests, and a dead address in the place of the server."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    for name in ("home", "here", "repository"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(keys.paths, "root", lambda: tmp_path / "repository")


def recorded(folder):
    """The records of each offline run in a run's folder, oldest first: LevelDB's log format around protocol buffers."""
    from wandb.proto.wandb_internal_pb2 import Record

    def read(content):
        at, parts = 7, b""
        while at + 7 <= len(content):
            if (left := 32768 - at % 32768) < 7:  # no header fits into the rest of the block
                at += left
                continue
            length, kind = struct.unpack("<4xHB", content[at : at + 7])
            parts, at = parts + content[at + 7 : at + 7 + length], at + 7 + length
            if kind in (1, 4):  # whole, or the last part
                yield Record.FromString(parts)
                parts = b""

    paths = sorted((folder / "wandb").glob("offline-run-*/*.wandb"))
    return [list(read(path.read_bytes())) for path in paths]


def history(records):
    """The scalars of each logged step, and the names of the tables."""
    rows, tables = [], []
    for record in records:
        if record.WhichOneof("record_type") == "history":
            items = {
                tuple(item.nested_key) or (item.key,): json.loads(item.value_json)
                for item in record.history.item
            }
            tables += [name[0] for name, value in items.items() if value == "table-file"]
            rows.append({name[0]: value for name, value in items.items() if len(name) == 1})
    return [row for row in rows if "validation_loss" in row], tables


def test_an_offline_run_holds_everything_and_touches_no_network(monkeypatch, capfd):
    with serve() as server:
        monkeypatch.setenv("WANDB_BASE_URL", address(server))
        for proxy in ("HTTPS_PROXY", "HTTP_PROXY"):
            monkeypatch.setenv(proxy, address(server))
        run = runs.get(TINY | {"n_tasks": 2})
        assert server.seen == []
    (records,) = recorded(run.path)
    (started,) = [record.run for record in records if record.WhichOneof("record_type") == "run"]
    assert started.run_id == json.loads((run.path / "wandb.json").read_text())["id"]
    assert (
        started.run_id.startswith(run.settings.key)
        and started.project == "lexurn"
        and not started.host
    )
    config = {each.key: json.loads(each.value_json) for each in started.config.update}
    assert config.pop("urns") == run.pool.tolist() and config.pop("_wandb") is not None
    assert config == run.settings.flat()
    rows, tables = history(records)
    assert [row["_step"] for row in rows] == [0, 3, 6]
    for name in run.metrics.columns.drop("step"):
        told = [row.get(name) for row in rows]
        assert told == pytest.approx(
            [None if pd.isna(value) else value for value in run.metrics[name]]
        ), name
    assert tables == [f"predictions/{name}" for name in run.splits]
    models = [record.artifact for record in records if record.artifact.type == "model"]
    assert [each.manifest.contents[0].local_path for each in models] == [
        str(run.path / "model.safetensors")
    ]
    (folder,) = (run.path / "wandb").glob("offline-run-*")
    assert (
        capfd.readouterr().err
        == f"W&B: recorded offline; upload it at any time with: wandb sync {folder}\n"
    )
    assert not any(Path("../home").rglob("*")) and not any(Path().iterdir())


def test_tables_are_files_too():
    run = runs.get(TINY | {"tracker": "files"})
    for name in run.splits:
        table = pd.read_csv(run.path / "tables" / "predictions" / f"{name}.csv")
        assert table.filter(regex="^model/").sum(axis=1).to_numpy() == pytest.approx(1)
    assert not (run.path / "wandb").exists()


class CutAt(Tracker):
    def __init__(self, step):
        self.step = step

    def log(self, metrics, step):
        if step == self.step:
            raise InterruptedError


def test_a_training_that_goes_on_keeps_its_id_and_records_its_past(monkeypatch, capfd):
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    with pytest.raises(InterruptedError):
        runs.get(TINY, tracker=CutAt(6))
    run = runs.get(TINY)
    first, second = recorded(run.path)
    assert {record.run.run_id for record in first + second if record.run.run_id} == {
        json.loads((run.path / "wandb.json").read_text())["id"]
    }
    assert [[row["_step"] for row in history(each)[0]] for each in (first, second)] == [
        [0, 3],
        [0, 3, 6],
    ]
    assert [
        line
        for line in capfd.readouterr().err.splitlines()
        if not line.startswith("W&B: recorded offline")
    ] == ["going on from step 5 of 6, 1 thread(s)"]


def test_online_everything_is_sent_and_a_training_goes_on_in_the_same_run(
    store, monkeypatch, capfd
):
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    with serve() as server:
        monkeypatch.setenv("WANDB_BASE_URL", address(server))
        with pytest.raises(InterruptedError):
            runs.get(TINY, tracker=CutAt(6), wandb_key=KEY)
        cut, server.seen[:], server.lines = (
            list(server.seen),
            [],
            4,
        )  # as many as steps 0 … 3 are to wandb
        run = runs.get(TINY, wandb_key=KEY)
        sent = list(server.seen)
    name = json.loads((run.path / "wandb.json").read_text())["id"]
    steps = [
        json.loads(line)["_step"]
        for path, _, body in cut + sent
        if path.endswith(f"{name}/file_stream")
        for line in json.loads(body)
        .get("files", {})
        .get("wandb-history.jsonl", {})
        .get("content", [])
    ]
    assert steps[:3] == [0, 3, 6]  # then the tables
    said = capfd.readouterr().err.replace("going on from step 5 of 6, 1 thread(s)\n", "")
    assert said == 2 * f"W&B: this run is at {address(server)}/someone/lexurn/runs/{name}\n"
    text = "".join(body for _, _, body in sent)
    assert all(
        part in text
        for part in ("CreateArtifact", run.path.name, "model/0", "symmetrized_kl", "urns")
    )
    asked = [
        json.loads(body).get("variables") or {}
        for path, _, body in cut + sent
        if path == "/graphql"
    ]
    assert {each["host"] for each in asked if "host" in each} <= {None, ""} and str(
        store
    ) not in text


SCRIPT = """
import json, os, sys
from pathlib import Path
from lexurn.base import paths
from lexurn import runs
server, flat, sources = os.environ["WANDB_BASE_URL"], %r, json.loads(os.environ.pop("SOURCES"))
for source, (environment, argument, _) in sources.items():
    place = Path(source).resolve()
    paths.root = lambda: place / "repository"
    os.chdir(place / "here")
    changed = {"LEXURN_RUNS": str(place / "runs"), "WANDB_BASE_URL": server + "/" + source, "HOME": str(place / "home")}
    os.environ |= changed | environment
    run = runs.get(flat | {"tracker": "files" if source == "files" else "wandb"}, wandb_key=argument)
    print(source, "wandb" in sys.modules, (run.path / "wandb").exists())
    os.environ.pop("WANDB_API_KEY", None)
    os.chdir(place.parent)
"""


def hidden_in(folder):
    """Files that hold the key, plainly or as it is sent."""
    secrets = (KEY.encode(), base64.b64encode(f"api:{KEY}".encode()))
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and any(each in path.read_bytes() for each in secrets)
    ]


def test_the_key_is_used_and_left_nowhere(tmp_path, monkeypatch):
    """From each of its sources, before a server that refuses it; and with tracker=files it is not even looked at."""
    sources = {
        "files": ({"WANDB_API_KEY": KEY}, None, None),
        "argument": ({}, KEY, None),
        "environment": ({"WANDB_API_KEY": KEY}, None, None),
        "repository": ({}, None, "repository/.env"),
    }
    for source, (_, _, planted) in sources.items():
        for name in ("repository", "here", "home"):
            (tmp_path / source / name).mkdir(parents=True)
        if planted:
            (tmp_path / source / planted).write_text(f"OTHER=1\nexport WANDB_API_KEY='{KEY}'\n")
    monkeypatch.setenv("PYTHONPATH", str(Path(lexurn.__file__).parent.parent))
    monkeypatch.setenv("SOURCES", json.dumps(sources))
    with serve(status=401) as server:
        monkeypatch.setenv("WANDB_BASE_URL", address(server))
        command = [sys.executable, "-c", SCRIPT % TINY]
        done = subprocess.run(
            command, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout + done.stderr
    assert done.stdout.splitlines() == [f"{source} False {source != 'files'}" for source in sources]
    assert (
        len(
            [
                line
                for line in done.stderr.splitlines()
                if "W&B: not online (" in line and "401" in line
            ]
        )
        == 3
    )
    for source, (_, _, planted) in sources.items():
        used = {
            authorization
            for path, authorization, _ in server.seen
            if path.startswith(f"/{source}/")
        } - {None}
        assert used == (
            set()
            if source == "files"
            else {"Basic " + base64.b64encode(f"api:{KEY}".encode()).decode()}
        )
        assert hidden_in(tmp_path / source) == ([tmp_path / source / planted] if planted else [])
        assert not any((tmp_path / source / "home").rglob("*"))
    assert len(hidden_in(tmp_path)) == 1  # the control: the search finds what was planted


def test_where_the_server_is_dead_the_run_is_recorded_offline(monkeypatch, capfd):
    monkeypatch.setattr(weights_and_biases, "SECONDS_TO_BEGIN", 1)
    with silent() as nowhere:
        monkeypatch.setenv("WANDB_BASE_URL", nowhere)
        began = time.monotonic()
        run = runs.get(TINY, wandb_key=KEY)
        assert time.monotonic() - began < 20
    rows, tables = history(recorded(run.path)[0])
    assert [row["_step"] for row in rows] == [0, 3, 6] and len(tables) == 3
    first, second = capfd.readouterr().err.splitlines()
    assert first.startswith("W&B: not online (") and second.startswith("W&B: recorded offline; ")


BEGINS = """print('{"at": "there", "url": ""}', flush=True)\n"""
RECORDERS = {
    "hangs": "import time; time.sleep(60)",
    "hangs later": BEGINS + "import time; time.sleep(60)",
    "breaks": "raise SystemExit(3)",
    "breaks later": BEGINS,
}


def test_the_key_is_scrubbed_from_what_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(weights_and_biases, "RECORDER", tmp_path / "recorder.py")
    (tmp_path / "recorder.py").write_text(
        "import json; print(json.dumps({'error': 'bad\\n ' + input()}))"
    )
    (tmp_path / "metrics.jsonl").touch()
    Wandb(tmp_path, config={}, key=KEY).finish()
    said = capsys.readouterr().err
    assert KEY not in said and "***" in said and len(said.splitlines()) == 2


@pytest.mark.parametrize("what", RECORDERS)
def test_a_recorder_that_hangs_or_breaks_holds_nothing_up(tmp_path, monkeypatch, capsys, what):
    monkeypatch.setattr(weights_and_biases, "RECORDER", tmp_path / "recorder.py")
    monkeypatch.setattr(weights_and_biases, "SECONDS_TO_FINISH", 1.0)
    (tmp_path / "recorder.py").write_text(RECORDERS[what])
    (tmp_path / "metrics.jsonl").touch()
    began = time.monotonic()
    tracker = Wandb(tmp_path, config={})
    for step in range(1000):  # more than a pipe holds
        tracker.log({f"name {i}": 0.5 for i in range(20)}, step)
    assert time.monotonic() - began < 1.0
    tracker.finish()
    assert time.monotonic() - began < 3.0
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("W&B: ") for line in lines) and 1 <= len(lines) <= 2


def test_the_mode_of_the_environment_is_respected(tmp_path, monkeypatch, capsys):
    (tmp_path / "metrics.jsonl").touch()
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setattr(weights_and_biases, "find_key", None)  # it would fail
    tracker = Wandb(tmp_path, config={}, key=KEY)
    tracker.finish()
    assert list((tmp_path / "wandb").glob("offline-run-*"))
    monkeypatch.setenv("WANDB_MODE", "disabled")
    other = tmp_path / "other"
    other.mkdir()
    (other / "metrics.jsonl").touch()
    tracker = Wandb(other, config={}, key=KEY)
    tracker.finish()
    assert [path.name for path in other.iterdir()] == ["metrics.jsonl"]


def test_the_order_in_which_a_key_is_looked_for(tmp_path, monkeypatch):
    assert keys.find_key() is None  # no terminal here
    monkeypatch.setattr(keys, "_from_terminal", lambda: "typed\n")
    assert keys.find_key() == "typed"

    class Userdata:
        def get(self, name):
            raise PermissionError

    colab = type(sys)("google.colab")
    colab.userdata = Userdata()
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    assert keys.find_key() == "typed"
    monkeypatch.setattr(Userdata, "get", lambda self, name: {"WANDB_API_KEY": "colab's"}[name])
    assert keys.find_key() == "colab's"
    Path(".env").write_text("WANDB_API_KEY=here\n")
    assert keys.find_key() == "here"
    (tmp_path / "repository" / ".env").write_text(
        '# mine\nWANDB_API_KEY_OLD=no\nWANDB_API_KEY = "root"\n'
    )
    assert keys.find_key() == "root"
    monkeypatch.setenv("WANDB_API_KEY", "environment")
    assert keys.find_key() == "environment" and keys.find_key(" given ") == "given"


def test_nobody_is_asked_twice_or_in_a_notebook(monkeypatch):
    terminal = type("Terminal", (), {"isatty": lambda self: True})()
    monkeypatch.setattr(
        keys, "sys", type("Sys", (), {"stdin": terminal, "stderr": terminal, "modules": {}})
    )
    monkeypatch.setattr(keys, "getpass", lambda *_, **__: "typed")
    keys._typed.cache_clear()
    assert keys._from_terminal() == "typed"
    monkeypatch.setattr(keys, "getpass", None)  # nor is anybody asked twice
    assert keys._from_terminal() == "typed"
    keys._typed.cache_clear()
    keys.sys.modules["ipykernel"] = None
    assert keys._from_terminal() is None
    keys.sys.modules.clear()
    keys.sys.stderr = None
    assert keys._from_terminal() is None
