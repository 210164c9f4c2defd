"""Weights & Biases records everything and leaks nothing, and its failures never reach a training.

No test contacts the real server; `fake_wandb` stands in for it.
"""

import base64
import getpass
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
import wandb
from cut_off import Cut, CutAt
from fake_wandb import address, serve, silent
from processes import ForkedPython

import lexurn
from lexurn import runs
from lexurn.base import files, paths
from lexurn.runs import checkpoints
from lexurn.runs.tracking import Tracker, weights_and_biases
from lexurn.runs.tracking.weights_and_biases import Wandb, find_key

KEY = "5ec4e7" * 6 + "c0de"
BASIC = "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode()
LIBRARY = Path(lexurn.__file__).parent.parent
TINY = {
    "n_steps": 6,
    "eval_every": 3,
    "n_test_samples": 20,
    "context_length": 8,
    "tracker": "wandb",
}


@pytest.fixture(autouse=True)
def isolated(tmp_path, monkeypatch):
    """Hide the key, the `.env` files and the account of the person who runs the tests.

    The address of the server is one where nobody answers.
    """
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    for name in ("home", "here", "repository"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(weights_and_biases.paths, "root", lambda: tmp_path / "repository")
    yield
    wandb.teardown()  # a process reads the environment of wandb once


@pytest.fixture
def folder(tmp_path):
    """The folder of a run that has nothing yet."""
    folder = tmp_path / "name-key"
    folder.mkdir()
    return folder


def read_offline_runs(folder):
    """Return the records of each offline run in a run's folder, oldest first.

    A `.wandb` file holds protocol buffers in LevelDB's log format.
    """
    from wandb.proto.wandb_internal_pb2 import Record

    def read(content):
        position = 7
        parts = b""
        while position + 7 <= len(content):
            rest_of_block = 32768 - position % 32768
            if rest_of_block < 7:  # too short for a header
                position += rest_of_block
                continue
            length, kind = struct.unpack("<4xHB", content[position : position + 7])
            parts += content[position + 7 : position + 7 + length]
            position += 7 + length
            if kind in (1, 4):  # a whole record, or its last part
                yield Record.FromString(parts)
                parts = b""

    wandb.teardown()  # waits until the files are whole
    paths = sorted((folder / "wandb").glob("offline-run-*/*.wandb"))
    return [list(read(path.read_bytes())) for path in paths]


def history(records):
    """Return the scalars of each logged step, and the names of the tables."""
    rows = []
    tables = []
    for record in records:
        if record.WhichOneof("record_type") == "history":
            items = {
                tuple(item.nested_key) or (item.key,): json.loads(item.value_json)
                for item in record.history.item
            }
            tables += [name[0] for name, value in items.items() if value == "table-file"]
            rows.append({name[0]: value for name, value in items.items() if len(name) == 1})
    return [row for row in rows if "validation_loss" in row], tables


def steps(records):
    return [row["_step"] for row in history(records)[0]]


def sent_steps(requests):
    """Return the steps whose metrics were sent to a server."""
    contents = [
        json.loads(body).get("files", {}).get("wandb-history.jsonl", {}).get("content", [])
        for path, _, body in requests
        if path.endswith("/file_stream")
    ]
    return [json.loads(line)["_step"] for content in contents for line in content]


def graphql_variables(requests):
    return [
        json.loads(body).get("variables") or {} for path, _, body in requests if path == "/graphql"
    ]


def recorded_id(folder):
    """Return the one id of all recordings in a run's folder."""
    (run_id,) = {path.stem.removeprefix("run-") for path in folder.glob("wandb/*/*.wandb")}
    return run_id


def test_an_offline_run_holds_everything_and_touches_no_network(monkeypatch, capfd):
    with serve() as server:
        monkeypatch.setenv("WANDB_BASE_URL", address(server))
        for proxy in ("HTTPS_PROXY", "HTTP_PROXY"):
            monkeypatch.setenv(proxy, address(server))
        run = runs.get(TINY | {"n_tasks": 2}, tracker=Tracker())
        assert server.seen == []
    (records,) = read_offline_runs(run.path)
    (started,) = [record.run for record in records if record.WhichOneof("record_type") == "run"]
    assert started.run_id == recorded_id(run.path)
    assert started.project == "lexurn" and not started.host
    config = {item.key: json.loads(item.value_json) for item in started.config.update}
    assert config.pop("urns") == run.pool.tolist() and config.pop("_wandb") is not None
    assert config == run.settings.flat()
    rows, tables = history(records)
    assert [row["_step"] for row in rows] == [0, 3, 6]
    for name in run.metrics.columns.drop(["step", "n_tables"]):
        values = [None if pd.isna(value) else value for value in run.metrics[name]]
        assert [row.get(name) for row in rows] == pytest.approx(values), name
    assert sorted(tables) == sorted(f"predictions/{name}" for name in run.splits)
    downloaded = artifact_files(records)
    assert downloaded["model.safetensors"] == run.path / "model.safetensors"
    texts = "".join(
        path.read_text() for path in downloaded.values() if path.suffix != ".safetensors"
    )
    assert leaks(texts, run.path.parent) == []
    (folder,) = (run.path / "wandb").glob("offline-run-*")
    message = f"W&B: recorded offline; upload it at any time with: wandb sync {folder}\n"
    assert capfd.readouterr().err == message
    assert not any(Path().iterdir())
    runs.get(TINY | {"n_tasks": 2})  # loaded, so nothing is recorded again
    assert len(read_offline_runs(run.path)) == 1 and not capfd.readouterr().err


def artifact_files(records):
    """Return the files of the one model that was recorded, by their names in the artifact."""
    (model,) = [record.artifact for record in records if record.artifact.type == "model"]
    return {entry.path: Path(entry.local_path) for entry in model.manifest.contents}


def test_a_downloaded_artifact_can_be_imported(tmp_path, monkeypatch):
    run = runs.get(TINY | {"lex": True, "n_checkpoints": 1}, tracker=Tracker())
    (records,) = read_offline_runs(run.path)
    folder = tmp_path / f"{run.path.name}:v0"  # as wandb names a download
    for name, path in artifact_files(records).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
    monkeypatch.setenv("LEXURN_RUNS", str(tmp_path / "another"))
    assert runs.import_(folder) == {run.path.name: True}
    again = runs.load(run.path.name)
    assert again.path.parent == paths.runs() and again.results.equals(run.results)
    assert again.predictor and [step for step, _ in again.checkpoints()] == [6]
    assert runs.import_(folder) == {run.path.name: False}
    runs.delete(run.path.name)
    (folder / "last.safetensors").unlink()  # the control
    with pytest.raises(files.StoreError, match="last.safetensors is missing"):
        runs.import_(folder)


def test_tables_are_files_too():
    run = runs.get(TINY | {"tracker": "files"})
    for name in run.splits:
        table = pd.read_csv(run.path / "tables" / "predictions" / f"{name}.csv")
        assert table.filter(regex="^model/").sum(axis=1).to_numpy() == pytest.approx(1)
    assert not (run.path / "wandb").exists()


def test_a_training_that_goes_on_keeps_its_id_and_records_its_past(monkeypatch, capfd):
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    with pytest.raises(Cut):
        runs.get(TINY, tracker=CutAt(6))
    run = runs.get(TINY, tracker=Tracker())
    first, second = read_offline_runs(run.path)
    ids = {record.run.run_id for record in first + second if record.run.run_id}
    assert ids == {recorded_id(run.path)}
    assert steps(first) == [0, 3] and steps(second) == [0, 3, 6]
    assert history(first)[1] == []  # a training that was cut off has no tables
    lines = capfd.readouterr().err.splitlines()
    others = [line for line in lines if not line.startswith("W&B: recorded offline")]
    assert others == ["resuming from step 5 of 6, 1 thread"]


def leaks(text, store):
    """Return what a text says about the code or the machine, paths included."""
    private = (
        str(store),
        str(LIBRARY),
        str(Path.home()),
        str(Path.cwd()),
        sys.executable,
        f'"{socket.gethostname()}"',
        f'"{getpass.getuser()}"',
        "requirements",
    )
    return [word for word in private if word in text]


def test_online_everything_is_sent_and_a_training_goes_on_in_the_same_run(
    store, monkeypatch, capfd
):
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    with serve() as server:
        monkeypatch.setenv("WANDB_BASE_URL", address(server))
        with pytest.raises(Cut):
            runs.get(TINY, tracker=CutAt(6), wandb_key=KEY)
        n_requests = len(server.seen)
        server.n_rows = 4  # W&B counts the steps 0 … 3
        run = runs.get(TINY, tracker=Tracker(), wandb_key=KEY)
        requests = list(server.seen)
    run_id = recorded_id(run.path)
    assert sent_steps(requests)[:3] == [0, 3, 6]  # the steps of the tables follow
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("W&B")]
    assert lines == 2 * [f"W&B: this run is at {address(server)}/someone/lexurn/runs/{run_id}"]
    resumed = "".join(body for _, _, body in requests[n_requests:])
    for part in ("CreateArtifact", run.path.name, "model/0", "symmetrized_kl", "urns"):
        assert part in resumed, part
    variables = graphql_variables(requests)
    assert {given["host"] for given in variables if "host" in given} <= {None, ""}
    assert {given["program"] for given in variables if "program" in given} <= {None, "lexurn"}
    text = "".join(body for _, _, body in requests)
    assert leaks(text, store) == [] and sys.executable in leaks(text + sys.executable, store)
    configs = [json.loads(given["config"]) for given in variables if given.get("config")]
    for config in configs:
        telemetry = config["_wandb"]["value"]["t"]
        assert "linux" in telemetry["13"] or "darwin" in telemetry["13"]
        assert telemetry["4"] == sys.version.split()[0]


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
    os.environ |= environment | {
        "LEXURN_RUNS": str(place / "runs"),
        "WANDB_BASE_URL": server + "/" + source,
        "HOME": str(place / "home"),
    }
    settings = flat | {"tracker": "files" if source == "files" else "wandb"}
    run = runs.get(settings, wandb_key=argument)
    "wandb" in sys.modules and sys.modules["wandb"].teardown()
    print(source, "wandb" in sys.modules, (run.path / "wandb").exists())
    os.environ.pop("WANDB_API_KEY", None)
    os.chdir(place.parent)
"""


def files_with_key(folder):
    """Return the files that hold the key, plainly or in the form in which it is sent."""
    secrets = (KEY.encode(), BASIC.removeprefix("Basic ").encode())
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if any(secret in path.read_bytes() for secret in secrets)]


def test_the_key_is_used_and_left_nowhere(tmp_path, monkeypatch):
    """From each source, with a server that refuses the key; `tracker=files` never looks for one."""
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
    monkeypatch.setenv("PYTHONPATH", str(LIBRARY))
    monkeypatch.setenv("SOURCES", json.dumps(sources))
    with serve(status=401) as server:
        monkeypatch.setenv("WANDB_BASE_URL", address(server))
        command = [sys.executable, "-c", SCRIPT % TINY]
        options = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
        done = subprocess.run(command, cwd=tmp_path, **options)
    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "files False False"
    assert lines[1:] == [f"{source} True True" for source in list(sources)[1:]]
    refused = [line for line in done.stderr.splitlines() if "W&B: CommError: " in line]
    assert len(refused) == 3 and all("401" in line for line in refused)
    for source, (_, _, planted) in sources.items():
        requests = [request for request in server.seen if request[0].startswith(f"/{source}/")]
        keys_sent = {authorization for _, authorization, _ in requests} - {None}
        assert keys_sent == (set() if source == "files" else {BASIC})
        expected = [tmp_path / source / planted] if planted else []
        assert files_with_key(tmp_path / source) == expected
    assert len(files_with_key(tmp_path)) == 1  # the control: the search finds the planted key


def test_without_an_answer_of_the_server_the_run_is_recorded_offline(monkeypatch, capfd):
    assert weights_and_biases.SECONDS_TO_BEGIN == 15
    monkeypatch.setattr(weights_and_biases, "SECONDS_TO_BEGIN", 1)
    with silent() as url:
        monkeypatch.setenv("WANDB_BASE_URL", url)
        start = time.monotonic()
        run = runs.get(TINY, tracker=Tracker(), wandb_key=KEY)
        assert time.monotonic() - start < 20
    rows, tables = history(read_offline_runs(run.path)[0])
    assert [row["_step"] for row in rows] == [0, 3, 6] and len(tables) == 3
    lines = capfd.readouterr().err.splitlines()
    first, second = [line for line in lines if line.startswith("W&B")]
    assert first.startswith("W&B: CommError: ") and second.startswith("W&B: recorded offline; ")


def test_a_service_of_wandb_that_does_not_end_is_left_behind(folder, monkeypatch, capfd):
    """The service of wandb 0.28, Colab's version, waits for minutes for a server that is silent."""
    monkeypatch.setattr(weights_and_biases, "SECONDS_TO_BEGIN", 0.2)
    may_end = threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr(wandb, "teardown", lambda: may_end.wait(60))
        start = time.monotonic()
        tracker = Wandb(folder, config={})
        assert time.monotonic() - start < 20 and not may_end.is_set()
    may_end.set()
    tracker.log({"loss": 1.0}, 7)
    tracker.finish()
    assert "W&B: recorded offline; " in capfd.readouterr().err


def test_uploads_are_waited_for_until_their_time_is_over(folder, monkeypatch, capfd):
    """Also: `WANDB_PROJECT` and `WANDB_ENTITY` are respected."""
    assert weights_and_biases.SECONDS_TO_FINISH == 30
    monkeypatch.setattr(weights_and_biases, "SECONDS_TO_FINISH", 1.0)
    monkeypatch.setenv("WANDB_PROJECT", "urns")
    monkeypatch.setenv("WANDB_ENTITY", "team")
    with serve() as server:
        monkeypatch.setenv("WANDB_BASE_URL", address(server))
        tracker = Wandb(folder, config={}, key=KEY)
        server.may_answer.clear()
        tracker.log({"loss": 1.0}, 7)
        start = time.monotonic()
        tracker.finish()
        assert time.monotonic() - start < 3
        assert "W&B: TimeoutError: " in capfd.readouterr().err
        start = time.monotonic()
        wandb.teardown()  # what the end of the process does
        assert time.monotonic() - start < 3
        first = graphql_variables(server.seen)[0]
        assert (first["entity"], first["project"]) == ("team", "urns")
        server.may_answer.set()
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        command = [sys.executable, "-m", "wandb", "sync", "--include-online", "--yes"]
        subprocess.run([*command, *folder.glob("wandb/*run-*")], check=True)
        assert sent_steps(server.seen) == [7]


def wait_until(condition, *, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_training_that_is_killed_loses_nothing(store):
    """What was logged before `kill -9` is in our files, from which W&B gets it when it goes on."""
    flat = TINY | {"n_steps": 100_000, "eval_every": 1}
    script = f"from lexurn import runs; runs.get({flat})"
    process = ForkedPython(script)
    wait_until(lambda: list(store.glob("*/wandb/*/*.wandb")))
    (path,) = store.glob("*/metrics.jsonl")
    wait_until(lambda: path.read_text().count("\n") > 2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    lines = path.read_text().split("\n")[:-1]  # the last one is cut off, or empty
    rows = list(map(json.loads, lines))
    assert [row["step"] for row in rows] == list(range(len(rows)))


def test_a_problem_of_wandb_is_reported_once_and_never_raised(folder, monkeypatch, capsys):
    """And a message holds no key."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    tracker = Wandb(folder, config={})
    tracker.key = KEY

    def fail(*_, **__):
        raise OSError(f"no room for {KEY}")

    tracker.run.log = fail
    tracker.log({"loss": 1.0}, 0)
    tracker.log({"loss": 1.0}, 1)
    tracker.finish()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("W&B: OSError: no room for ***") and str(folder) in line


def test_the_mode_of_the_environment_is_respected(folder, monkeypatch):
    monkeypatch.setattr(weights_and_biases, "find_key", None)  # calling it would fail
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert not (runs.get(TINY).path / "wandb").exists()
    monkeypatch.setenv("WANDB_MODE", "offline")
    Wandb(folder, config={}, key=KEY).finish()
    assert list((folder / "wandb").glob("offline-run-*"))


def test_the_order_in_which_a_key_is_looked_for(tmp_path, monkeypatch):
    assert find_key() is None  # no terminal here
    monkeypatch.setattr(weights_and_biases, "_from_terminal", lambda: "typed\n")
    assert find_key() == "typed"

    class Userdata:
        def get(self, name):
            raise PermissionError

    colab = type(sys)("google.colab")
    colab.userdata = Userdata()
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    assert find_key() == "typed"
    monkeypatch.setattr(Userdata, "get", lambda self, name: {"WANDB_API_KEY": "colab's"}[name])
    assert find_key() == "colab's"
    Path(".env").write_text("WANDB_API_KEY=here\n")
    assert find_key() == "here"
    (tmp_path / "repository" / ".env").write_text(
        '# a comment\nWANDB_API_KEY_OLD=no\nWANDB_API_KEY = "root"\n'
    )
    assert find_key() == "root"
    monkeypatch.setenv("WANDB_API_KEY", "environment")
    assert find_key() == "environment" and find_key(" given ") == "given"


def test_a_key_is_asked_for_once_and_never_in_a_notebook(monkeypatch):
    terminal = type("Terminal", (), {"isatty": lambda self: True})()
    fake_sys = type("Sys", (), {"stdin": terminal, "stderr": terminal, "modules": {}})
    monkeypatch.setattr(weights_and_biases, "sys", fake_sys)
    monkeypatch.setattr(weights_and_biases, "getpass", lambda *_, **__: "typed")
    ask = weights_and_biases._from_terminal
    ask.cache_clear()
    assert ask() == "typed"
    monkeypatch.setattr(weights_and_biases, "getpass", None)  # a second question would fail
    assert ask() == "typed"
    ask.cache_clear()
    fake_sys.modules["ipykernel"] = None
    assert ask() is None
    ask.cache_clear()
    fake_sys.modules.clear()
    fake_sys.stderr = None
    assert ask() is None
    ask.cache_clear()
