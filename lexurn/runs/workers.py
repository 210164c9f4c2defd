"""Train the points of a grid on an executor: processes on this machine, or a Dask cluster.

Both follow `concurrent.futures`, as must any other executor that `train` is given. If a point
fails, the other points are trained all the same.
"""

import asyncio
import json
import os
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context, parent_process
from typing import Any

from lexurn import runs
from lexurn.base import errors, files, paths, terminal
from lexurn.base.version import __version__
from lexurn.runs import fit, scoring, tracking
from lexurn.runs.tracking import Clock
from lexurn.settings import Settings, registry

SECONDS_TO_ANSWER = 10.0  # of a cluster


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def train(
    points: Iterable[Settings],
    executor: futures.Executor,
    *,
    report: Callable[[Settings, str], None] = lambda *_: None,
    say: terminal.Say = lambda _: None,
    clock: Clock | None = None,
    score: str = "",
) -> dict[Settings, str]:
    """Train points, and score them if a scorer is named; return the tracebacks of failed points.

    When a point has ended, `report` receives it with its traceback, which is empty if it succeeded.
    Every second `say` receives a text such as `2 of 6 runs done, about 1 min 5 s left, 2 running`;
    the time is from a `clock` of these points, which by default counts their steps.
    """
    points = list(points)
    clock = clock or Clock([float(point.training.n_steps) for point in points])
    failed = {}
    shares = dict.fromkeys(points, 0.0)
    outside = registry.outside_entries()
    submitted = {
        executor.submit(train_one, point.model_dump_json(), outside, score): point
        for point in points
    }
    for ended in wait(submitted):
        for future in ended:
            point = submitted.pop(future)
            shares[point] = 1.0
            error = future.exception()
            trace = "".join(traceback.format_exception(error)) if error else ""
            if trace:
                failed[point] = trace
            report(point, trace)
        say(_status(shares, clock) + f", {len(failed)} failed" * bool(failed))
    return failed


def _status(shares: dict[Settings, float], clock: Clock) -> str:
    """Return how many points are done, how many are running, and the time left.

    Running points note their progress in their folders. The clock starts with the first evaluation
    of the first one, because processes take some seconds to start.
    """
    n_done = sum(share == 1.0 for share in shares.values())
    folders = {point: paths.runs() / point.name for point in shares if shares[point] < 1.0}
    running = [point for point in folders if files.is_locked(folders[point])]
    steps = {point: tracking.last_step(folders[point]) for point in running}
    for point, step in steps.items():
        shares[point] = (step or 0) / (point.training.n_steps + 1)
    clock.n_processes = max(clock.n_processes, len(running))  # of a cluster, nobody knows it before
    is_started = n_done or any(step is not None for step in steps.values())
    time_left = clock.remaining(list(shares.values())) if is_started else "starting"
    return f"{n_done} of {len(shares)} runs done, {time_left}, {len(running)} running"


def wait(waiting: Iterable[futures.Future]) -> Iterator[list[futures.Future]]:
    """Yield the calls that have ended, every second and when one ends, until all have ended."""
    waiting = list(waiting)
    while waiting:
        ended = futures.wait(waiting, timeout=1.0, return_when=futures.FIRST_COMPLETED).done
        yield [future for future in waiting if future in ended]
        waiting = [future for future in waiting if future not in ended]


def expected_seconds(
    points: Sequence[Settings], *, say: terminal.Say = lambda _: None
) -> list[float]:
    """Return about how long each point trains here in one process; the seed changes nothing.

    A few steps of each kind of point show it. Where that fails, training the point will tell why;
    it counts as 0, as does a trained point that is only scored.
    """
    untrained = [point for point in points if not runs.is_stored(point)]
    kinds = {point: point.of_kind(point.kind, seed=0) for point in untrained}
    seconds = dict.fromkeys(kinds.values(), 0.0)
    for number, kind in enumerate(seconds, 1):
        say(f"measuring how long a run takes: {number} of {len(seconds)} kinds of runs")
        with suppress(Exception):
            seconds[kind] = fit.estimate(kind)
    return [seconds[kinds[point]] if point in kinds else 0.0 for point in points]


def train_one(point: str, outside: list[tuple[str, str, str]], score: str = "") -> None:
    """Train the point with these settings (JSON) in a worker, and score it if there is a scorer.

    `outside` is what the caller has registered (`registry.outside_entries`), and `score` the name
    of the scorer (`lexurn.runs.scoring`).
    """
    registry.register_again(outside)
    run = runs.get(Settings.from_stored(json.loads(point)), tracker=tracking.Tracker())
    if score:
        scoring.score_run(score, run)


class Processes(futures.ThreadPoolExecutor):
    """`n` processes side by side. If one dies, its current call alone is repeated.

    A `ProcessPoolExecutor` drops all calls when one of its processes dies, so each thread of this
    executor has a pool with a single process.
    """

    def __init__(self, n: int):
        self.of_thread = threading.local()
        self.pools: list[futures.ProcessPoolExecutor] = []
        super().__init__(n, initializer=self._start_process)

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> futures.Future:
        return super().submit(self._call, function, *arguments)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait, cancel_futures=cancel_futures)
        for pool in self.pools:
            pool.shutdown(wait, cancel_futures=cancel_futures)

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        """After an interrupt, cancel the calls that wait, and do not wait for the others."""
        self.shutdown(wait=kind is None, cancel_futures=kind is not None)

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return self.of_thread.pool.submit(function, *arguments).result()
        except BrokenProcessPool:
            self._start_process()
            return self.of_thread.pool.submit(function, *arguments).result()

    def _start_process(self) -> None:
        self.of_thread.pool = futures.ProcessPoolExecutor(
            1, mp_context=get_context("spawn"), initializer=exit_with_parent
        )
        self.pools.append(self.of_thread.pool)


def exit_with_parent() -> None:
    """End this process when the process that started it ends, even if that one is killed."""

    def wait() -> None:
        parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def cluster(address: str) -> futures.Executor:
    """Return the workers of the Dask scheduler at an address, each with this version of lexurn.

    They share a file system, on which `LEXURN_RUNS` is the same folder for all. Each worker has one
    thread: runs that are trained by threads of one process share the random numbers of dropout, so
    they could not be repeated. Raises ClusterError.
    """
    try:
        from dask.distributed import Client
        from distributed.comm import connect
    except ImportError:
        raise errors.ClusterError(
            "dask.distributed is not installed; pip install -e '.[cluster]'"
        ) from None
    try:  # a client itself waits forever for a silent server
        asyncio.run(asyncio.wait_for(connect(address), SECONDS_TO_ANSWER))
    except (OSError, TimeoutError, ValueError) as error:
        raise errors.ClusterError(
            f"no cluster answers at {address} ({type(error).__name__} {error}); start one with "
            "`dask scheduler` and `dask worker ADDRESS --nthreads 1`, and give the address "
            "that the scheduler prints"
        ) from None
    client = Client(address)
    try:
        _check_workers(client, address)
    except BaseException:
        client.close()
        raise
    return Cluster(client)


class Cluster(futures.Executor):
    """The workers of a Dask cluster. The connection is closed when the executor is shut down."""

    def __init__(self, client: Any):
        self.client = client
        self.executor = client.get_executor(pure=False, retries=2)

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> futures.Future:
        return self.executor.submit(function, *arguments)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for all calls, or cancel all: Dask does not tell running calls from waiting ones."""
        self.executor.shutdown(wait and not cancel_futures)
        self.client.close()


def _check_workers(client: Any, address: str) -> None:
    """Raise ClusterError unless there are workers like this process, each with one thread."""
    own = version_and_store()
    answers = client.run(version_and_store, on_error="return")
    others = [f"{worker}: {answer}" for worker, answer in answers.items() if answer != own]
    if others or not answers:
        raise errors.ClusterError(
            f"the workers at {address} need lexurn {own[0]} and the store {own[1]}, got "
            f"{'; '.join(others) or 'no workers'}; install lexurn in their environment, set "
            f"LEXURN_RUNS, and start them with `dask worker {address} --nthreads 1`"
        )
    if crowded := [worker for worker, n_threads in client.nthreads().items() if n_threads > 1]:
        raise errors.ClusterError(
            f"a worker must train one run at a time, got more threads at {', '.join(crowded)}; "
            f"start 8 workers with `dask worker {address} --nworkers 8 --nthreads 1`"
        )


def version_and_store() -> tuple[str, str]:
    """Return the version of lexurn and the store's folder, which all workers must share."""
    return __version__, str(paths.runs().resolve())
