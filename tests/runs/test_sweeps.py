"""A grid gives the same table whatever trains it; points fail alone; a wrong grid is an error."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pandas as pd
import pytest
from click.testing import CliRunner
from dask.distributed import Client
from processes import Here, fork_workers

from lexurn import cli, parameters, runs
from lexurn.base import files, paths
from lexurn.base.errors import ClusterError
from lexurn.figures import widgets
from lexurn.runs import store, sweeps, workers

GRID = """
fixed: {n_steps: 30, n_test_samples: 20, context_length: 8, eval_every: 15, d_model: 8}
axes:
  kind: [normal, lexical]
  n_colors: [2, 3]
seeds: 2
"""


@pytest.fixture
def grid(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(GRID)
    return path


def command(*arguments, **options):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(
        [sys.executable, "-m", "lexurn", "sweep", *map(str, arguments)], **pipes, **options
    )


def finished(process, code=0):
    said = "".join(process.communicate(timeout=240))
    assert process.returncode == code, said
    return said


def until(condition, seconds=60.0):
    began = time.monotonic()
    while not (found := condition()):
        assert time.monotonic() - began < seconds, "it did not come to that"
        time.sleep(0.02)
    return found


@pytest.fixture(scope="module")
def one_by_one(tmp_path_factory):
    """The results of the small grid, trained in this process."""
    folder = tmp_path_factory.mktemp("one by one")
    (folder / "small.yaml").write_text(GRID)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEXURN_RUNS", str(folder / "runs"))
        patch.setattr(paths, "published_results", lambda: None)
        sweep = sweeps.read(folder / "small.yaml")
        told = []
        assert (
            workers.train(sweep.missing(), Here(), report=lambda point, *_: told.append(point))
            == {}
        )
        assert set(told) == set(sweep.points) and sweep.missing() == []
        return sweep.table()


def test_the_table_is_tidy_and_in_the_order_of_the_points(one_by_one):
    assert list(one_by_one)[:4] == ["name", "kind", "seed", "n_colors"]
    assert {"step", "split", "row", "reference", "measure", "mean", "sem", "n"} < set(one_by_one)
    points = one_by_one.drop_duplicates("name")[["kind", "n_colors", "seed"]].values.tolist()
    assert points == [
        [kind, colors, seed]
        for kind in ("normal", "lexical")
        for colors in (2, 3)
        for seed in (0, 1)
    ]


def test_processes_give_the_same_table_and_nothing_is_trained_twice(
    grid, one_by_one, store, monkeypatch
):
    fork_workers(monkeypatch)
    done = CliRunner().invoke(cli.main, ["sweep", str(grid), "--jobs", "2"])
    said = done.output
    assert done.exit_code == 0, said
    assert (
        "8 points: 0 done, 8 missing" in said and "8 of 8" in said and "results of 8 points" in said
    )
    pd.testing.assert_frame_equal(runs.read_table("sweep-small"), one_by_one)
    before = {path: path.stat().st_mtime_ns for path in store.glob("*/results.json")}
    again = CliRunner().invoke(cli.main, ["sweep", str(grid)])
    assert again.exit_code == 0 and "8 points: 8 done, 0 missing" in again.output
    assert before == {path: path.stat().st_mtime_ns for path in store.glob("*/results.json")}


def test_a_grid_that_was_interrupted_goes_on_to_the_same_table(
    grid, one_by_one, store, monkeypatch
):
    default = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)}
    process = command(grid, "--jobs", "2", start_new_session=True, **default)
    until(lambda: len(list(store.glob("*/results.json"))) >= 2)
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
    assert "stopped; trained runs are stored, the same command continues" in finished(process, 130)
    n_done = len(list(store.glob("*/results.json")))
    assert 2 <= n_done < 8
    monkeypatch.setattr(workers, "Processes", lambda jobs: Here())
    again = CliRunner().invoke(cli.main, ["sweep", str(grid), "--jobs", "2"])
    assert again.exit_code == 0
    assert f"8 points: {n_done} done, {8 - n_done} missing" in again.output
    pd.testing.assert_frame_equal(runs.read_table("sweep-small"), one_by_one)


def test_a_process_that_dies_loses_its_point_alone_which_is_trained_all_the_same(
    grid, one_by_one, monkeypatch
):
    fork_workers(monkeypatch)
    sweep = sweeps.read(grid)
    executor, killed = workers.Processes(2), []

    def tell(*_):
        if not killed:
            (pool, *_) = [pool for pool in executor.pools if pool._processes]
            killed.extend(pool._processes)
            os.kill(killed[0], signal.SIGKILL)

    assert workers.train(sweep.missing(), executor, report=tell) == {} and killed
    executor.shutdown()
    pd.testing.assert_frame_equal(sweep.table(), one_by_one)


class Cluster:
    """A Dask scheduler with workers, each a process of its own."""

    def __init__(self, folder, n_workers, **environment):
        self.folder, self.environment = folder, os.environ | environment
        address = folder / "scheduler.json"
        self.scheduler = self._start(
            "scheduler", "--port", "0", "--dashboard-address", ":0", "--scheduler-file", address
        )
        until(lambda: address.exists() and address.read_text().strip().endswith("}"))
        self.address = re.search(r'"address": "([^"]+)"', address.read_text())[1]
        self.workers = [self.worker() for _ in range(n_workers)]
        with Client(self.address) as client:
            until(lambda: len(client.scheduler_info(n_workers=-1)["workers"]) == n_workers)

    def worker(self, n_threads=1, **environment):
        options = [
            "--nthreads",
            n_threads,
            "--no-nanny",
            "--local-directory",
            self.folder,
            "--dashboard-address",
            ":0",
        ]
        return self._start("worker", self.address, *options, **environment)

    def _start(self, *arguments, **environment):
        started = [sys.executable, "-m", "dask", *map(str, arguments)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(
            started, env=self.environment | environment, cwd=self.folder, **quiet
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        open_clients = [client for client in Client._instances if client.status != "closed"]
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()
        assert not open_clients  # such a client reports, much later, that it lost its scheduler


def test_two_workers_of_a_cluster_one_of_them_killed_give_the_same_table(
    grid, one_by_one, tmp_path
):
    with Cluster(tmp_path, 2) as cluster:
        process = command(grid, "--cluster", cluster.address)
        until(lambda: "training" in "".join(store.unfinished().values()))
        until(lambda: sweeps.read(grid).done())
        until(lambda: sum("training" in state for state in store.unfinished().values()) >= 2)
        cluster.workers[0].kill()
        finished(process)
    pd.testing.assert_frame_equal(runs.read_table("sweep-small"), one_by_one)


def test_a_cluster_that_cannot_train_is_refused_in_a_line(grid, tmp_path):
    def said(address):
        return CliRunner().invoke(cli.main, ["sweep", str(grid), "--cluster", address]).output

    assert "no cluster answers at tcp://127.0.0.1:9" in said("tcp://127.0.0.1:9")
    with Cluster(tmp_path, 0) as cluster:
        text = said(cluster.address)
        assert "got no workers; install lexurn in their environment, set LEXURN_RUNS" in text
        assert f"start them with `dask worker {cluster.address} --nthreads 1`" in text
        other = tmp_path / "other" / "lexurn"
        shutil.copytree(paths.root() / "lexurn", other)
        version = other / "base" / "version.py"
        text = version.read_text()
        version.write_text(re.sub(r'__version__ = "[^"]+"', '__version__ = "9.9.9"', text))
        cluster.workers.append(cluster.worker(PYTHONPATH=str(other.parent)))
        assert ": ('9.9.9', '" in until(lambda: "9.9.9" in (text := said(cluster.address)) and text)
        cluster.workers.pop().kill()
        shutil.rmtree(other)
        other.mkdir()
        (other / "__init__.py").write_text("raise ImportError('no lexurn here')\n")
        cluster.workers.append(cluster.worker(PYTHONPATH=str(other.parent)))
        assert "no lexurn here" in until(
            lambda: "no lexurn here" in (text := said(cluster.address)) and text
        )


def test_workers_that_would_train_two_runs_in_one_process_are_refused(tmp_path):
    with Cluster(tmp_path, 1) as cluster:
        workers.cluster(cluster.address).shutdown()  # one thread is accepted
        interrupted = workers.cluster(cluster.address)
        call = interrupted.submit(time.sleep, 60)
        interrupted.shutdown(wait=False, cancel_futures=True)
        assert futures.wait([call], timeout=10).not_done == set()
        cluster.workers.append(cluster.worker(n_threads=2))
        with Client(cluster.address) as client:
            until(lambda: sorted(client.nthreads().values()) == [1, 2])
        fix = f"dask worker {cluster.address} --nworkers 8 --nthreads 1"
        with pytest.raises(ClusterError, match=f"one run at a time, got more threads at .*{fix}"):
            workers.cluster(cluster.address)


def test_an_address_that_answers_nothing_is_given_up_in_time(grid, monkeypatch):
    monkeypatch.setattr(workers, "SECONDS_TO_ANSWER", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address, began = f"tcp://127.0.0.1:{silent.getsockname()[1]}", time.monotonic()
        said = CliRunner().invoke(cli.main, ["sweep", str(grid), "--cluster", address]).output
    assert f"no cluster answers at {address} (" in said and time.monotonic() - began < 30


def test_a_process_that_is_lost_for_good_leaves_what_it_was_as_the_point_s_failure(grid):
    class Lost(Here):
        def submit(self, function, /, *arguments):
            future = Future()
            future.set_exception(BrokenProcessPool("a process died"))
            return future

    sweep = sweeps.read(grid)
    failed = workers.train(sweep.points[:1], Lost(), report=lambda *_: None)
    assert failed[sweep.points[0]].strip().endswith("BrokenProcessPool: a process died")


def test_lists_along_an_axis_come_back_as_text(grid):
    grid.write_text(
        GRID.replace("n_colors: [2, 3]", "alpha: [1.0, [1, 2, 1, 1]]").replace(
            "seeds: 2", "seeds: 1"
        )
    )
    sweep = sweeps.read(grid)
    workers.train(sweep.points[:2], Here(), report=lambda *_: None)
    assert list(sweep.table()["alpha"].unique()) == ["1.0", "[1.0, 2.0, 1.0, 1.0]"]


def test_a_point_that_fails_is_told_with_its_traceback_and_the_others_go_on(
    grid, store, monkeypatch
):
    grid.write_text(GRID.replace("seeds: 2", "seeds: 1"))
    real = runs.get

    def get(settings, **options):
        if settings.kind == "lexical":
            raise RuntimeError("the loss is not finite at step 7")
        return real(settings, **options)

    monkeypatch.setattr(runs, "get", get)
    monkeypatch.setattr(workers, "Processes", lambda jobs: Here())
    done = CliRunner().invoke(cli.main, ["sweep", str(grid)])
    assert (
        done.exit_code == 1
        and done.output.count("RuntimeError: the loss is not finite at step 7") == 1
    )
    (names,) = re.findall(r"^failed: (.*)", done.output, re.MULTILINE)
    first, second = sorted(names.split(", "))
    assert "lexical" in first and "V2" in first and "lexical" in second and "V3" in second
    assert "2 of 4 points failed" in done.output and "results of 2 points" in done.output
    dry = CliRunner().invoke(cli.main, ["sweep", str(grid), "--dry-run"]).output
    assert "4 points: 2 done, 2 missing" in dry
    monkeypatch.setattr(runs, "get", real)
    assert CliRunner().invoke(cli.main, ["sweep", str(grid)]).exit_code == 0
    assert len(list(store.glob("*/results.json"))) == 4


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "n_colors:",
            "n_colours:",
            "n_colours is no parameter of any chapter; did you mean n_colors?",
        ),
        ("axes:", "axis:", "axis: Extra inputs are not permitted"),
        ("[2, 3]", "[]", "axes: Value should have at least 1 item"),
        ("[2, 3]", "2", "axes: Input should be a valid list, got 2; a grid holds fixed"),
        (
            "[2, 3]",
            "[2, 2]",
            "the point kind=normal, n_colors=2, seed=0 comes twice; give each value once",
        ),
        ("[2, 3]", "[2, 1]", "at kind=normal, n_colors=1, seed=0: n_colors (colours of balls"),
        (
            "[normal, lexical]",
            "[normal, lexicl]",
            "kind must be one of normal, lexical, permuted, got 'lexicl'",
        ),
        (
            "n_colors: [2, 3]",
            "n_steps: [2, 3]",
            "n_steps is given twice, by seeds, fixed settings, changes or axes; give it once",
        ),
        ("n_colors: [2, 3]", "seed: [2, 3]", "seed is given twice, by seeds, fixed"),
        ("n_colors: [2, 3]", "lex: [true, false]", "kind says what lex is; leave lex out"),
        ("seeds: 2", "seeds: 0", "seeds: Input should be greater than 0, got 0"),
        ("seeds: 2", "seeds: [0, a]", "seeds: Input should be a valid integer"),
        (
            "seeds: 2",
            "seeds: 300",
            "has 1200 points, more than 1000; make it smaller, or allow more with --max-points",
        ),
        ("fixed: {", "fixed: [", "is not YAML"),
    ],
)
def test_a_wrong_grid_is_refused_before_any_work(grid, store, old, new, said):
    grid.write_text(grid.read_text().replace(old, new))
    done = CliRunner().invoke(cli.main, ["sweep", str(grid)])
    assert done.exit_code == 2 and said in done.output and not store.exists()


def test_a_point_whose_loss_is_no_number_fails_alone_and_is_named(grid, monkeypatch):
    grid.write_text(
        "fixed: {n_steps: 20, n_test_samples: 20, context_length: 8, eval_every: 10, d_model: 8, "
        "grad_clip: 0.0}\n"
        "axes: {learning_rate: [0.01, 1.0e+30]}\n"
    )
    monkeypatch.setattr(workers, "Processes", lambda jobs: Here())
    done = CliRunner().invoke(cli.main, ["sweep", str(grid)])
    good, bad = sweeps.read(grid).points
    assert (
        done.exit_code == 1
        and f"failed: {bad.name}" in done.output
        and "1 of 2 points failed" in done.output
    )
    assert (
        "the training loss became nan between steps 0 and 10, with learning_rate=1e+30"
        in done.output
    )
    assert runs.is_stored(good) and not runs.is_stored(bad)


def test_a_grid_is_read_by_name_and_with_changes_seeds_and_a_scale():
    whole = sweeps.read("headline")
    small = sweeps.read("headline", changes={"n_layers": 2}, seeds=[7], scale=0.1)
    assert len(whole.points) == 72 and len(small.points) == 6
    assert {point.training.seed for point in small.points} == {7}
    for large, point in zip(whole.points[::12], small.points, strict=True):
        assert (
            point.training.n_steps * 10 == large.training.n_steps and point.backbone.n_layers == 2
        )
        assert (
            point.training.eval_every * 10 == large.training.eval_every and point.kind == large.kind
        )
    for changes, said in (
        ({"n_colors": 5}, "n_colors is given twice"),
        ({"n_layer": 2}, "n_layer is no parameter of any chapter; did you mean n_layers"),
    ):
        with pytest.raises(parameters.ParameterError, match=said):
            sweeps.read("headline", changes=changes)


SHIPPED = sorted((paths.root() / "params" / "sweeps").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_grids_that_come_with_the_book_are_whole_and_say_what_they_take(path):
    points, text = sweeps.read(path).points, path.read_text()
    assert f" {len(points)} points." in text and f"lexurn sweep {path.stem} --jobs" in text
    assert ("GPU minutes on one H200" in text) == path.stem.startswith("gpu_")


def test_the_longer_trainings_are_of_the_headline_s_urns_and_ten_times_as_long():
    short, long = (sweeps.read(name).points for name in ("headline", "long"))
    alike = {(point.task.n_colors, point.kind, point.training.seed): point for point in short}
    for point in long:
        brief = alike[point.task.n_colors, point.kind, point.training.seed]
        assert point.training.n_steps == 10 * brief.training.n_steps
        assert point.backbone == brief.backbone and point.task == brief.task


def test_processes_end_with_the_one_that_started_them():
    code = (
        "import os, signal\nfrom lexurn.runs.workers import Processes\n"
        "print(Processes(1).submit(os.getpid).result(), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL

    def is_gone(child=int(done.stdout)):
        try:
            return "Z" in open(f"/proc/{child}/stat").read().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True

    until(is_gone)


def test_an_interrupt_in_a_chapter_does_not_train_the_rest_first():
    with pytest.raises(KeyboardInterrupt), workers.Processes(1) as executor:
        futures = [executor.submit(time.sleep, 2) for _ in range(20)]
        raise KeyboardInterrupt
    assert sum(future.cancelled() for future in futures) >= 18


def test_chapters_train_side_by_side_what_they_would_train_in_turn(grid, monkeypatch, capsys):
    monkeypatch.setattr(workers, "Processes", lambda jobs: Here())
    points = sweeps.read(grid).points[:2]
    first, second = widgets.get_all(points, jobs=2)
    assert [first.settings, second.settings] == list(points)
    assert "2 runs trained in" in capsys.readouterr().err
    again = widgets.get_all(points)
    assert [each.path for each in again] == [first.path, second.path]
    assert "0 runs trained in" in capsys.readouterr().err
    bad = points[0].of_kind("normal", seed=9).flat() | {"learning_rate": 1e30, "grad_clip": 0.0}
    with pytest.raises(RuntimeError, match="(?s)1 run failed: urns-.*the training loss became nan"):
        widgets.get_all([parameters.check(bad)], jobs=2)


def test_a_grid_tells_what_runs_while_the_first_point_trains(grid, store, monkeypatch):
    """Before the first evaluation there is no time left, which is the negative control."""
    points = sweeps.read(grid).points[:2]
    folder, told, has_ended = store / points[0].name, [], threading.Event()

    def train_slowly(*_):
        with files.lock(folder):
            has_ended.wait(60)

    def say(text):
        told.append(text)
        n = len(told)
        files.write(
            folder / "metrics.jsonl", "".join(f'{{"step": {k}, "a": 1}}\n' for k in range(n))
        )
        if n == 4:
            has_ended.set()

    monkeypatch.setattr(workers, "train_one", train_slowly)
    with ThreadPoolExecutor(1) as executor:
        workers.train(points, executor, say=say)
    assert told[0] == "0 of 2 runs done, starting, 1 running"
    assert told[1] == "0 of 2 runs done, estimating, 1 running"
    assert re.fullmatch("0 of 2 runs done, about .* left, 1 running", told[3])
    assert told[-1] == "2 of 2 runs done, almost done, 0 running"


def test_a_grid_that_is_not_there_names_those_that_are(tmp_path):
    with pytest.raises(parameters.ParameterError, match="no grid .*; in params/sweeps there are"):
        sweeps.read(tmp_path / "nothing.yaml")
