"""Executors that train the points of a grid: processes on this machine, or a Dask cluster.

Both follow `concurrent.futures`, as must any other executor that `sweeps.train` is given.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import Any

from lexurn.base import paths
from lexurn.base.version import __version__

SECONDS_TO_ANSWER = 10.0  # of a cluster


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class ClusterError(RuntimeError):
    """A cluster does not answer, or its workers cannot train."""


class Processes(ThreadPoolExecutor):
    """`n` processes side by side. If one dies, its current call alone is repeated.

    A `ProcessPoolExecutor` drops all calls when one of its processes dies, so each thread of this
    executor has a pool with a single process.
    """

    def __init__(self, n: int):
        super().__init__(n)
        self.of_thread = threading.local()
        self.pools: list[ProcessPoolExecutor] = []

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future:
        return super().submit(self._call, function, *arguments)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait, cancel_futures=cancel_futures)
        for pool in self.pools:
            pool.shutdown(wait, cancel_futures=cancel_futures)

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        """After an interrupt, cancel the calls that wait, and do not wait for the others."""
        self.shutdown(wait=kind is None, cancel_futures=kind is not None)

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        if not hasattr(self.of_thread, "pool"):
            self._start_process()
        try:
            return self.of_thread.pool.submit(function, *arguments).result()
        except BrokenProcessPool:
            self._start_process()
            return self.of_thread.pool.submit(function, *arguments).result()

    def _start_process(self) -> None:
        self.of_thread.pool = ProcessPoolExecutor(
            1, mp_context=get_context("spawn"), initializer=exit_with_parent
        )
        self.pools.append(self.of_thread.pool)


def exit_with_parent() -> None:
    """End this process when the process that started it ends, even if that one is killed."""

    def wait() -> None:
        parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def cluster(address: str) -> Executor:
    """Return the workers of the Dask scheduler at an address, each with this version of lexurn.

    They share a file system, on which `LEXURN_RUNS` is the same folder for all. Raises
    ClusterError.
    """
    try:
        from dask.distributed import Client
    except ImportError:
        raise ClusterError(
            "dask.distributed is not installed; pip install -e '.[cluster]'"
        ) from None
    connected: Future = Future()
    threading.Thread(target=_connect, args=(Client, address, connected), daemon=True).start()
    try:
        client = connected.result(
            2 * SECONDS_TO_ANSWER
        )  # Dask itself waits forever for a silent server
    except (OSError, TimeoutError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ClusterError(
            f"no cluster answers at {address} ({reason}); start one with `dask scheduler` and "
            "`dask worker`, and give the address that the scheduler prints"
        ) from None
    if problem := _find_problem(address, client.run(version_and_store, on_error="return")):
        client.close()
        raise ClusterError(problem)
    return client.get_executor(pure=False, retries=2)


def _connect(client: Callable[..., Any], address: str, connected: Future) -> None:
    try:
        connected.set_result(client(address, timeout=SECONDS_TO_ANSWER))
    except Exception as error:
        connected.set_exception(error)


def _find_problem(address: str, answers: dict[str, Any]) -> str | None:
    """Return why these workers cannot train, from what `version_and_store` gives on each."""
    own = version_and_store()
    for worker, answer in answers.items():
        if isinstance(answer, Exception):
            return f"worker {worker} cannot import lexurn ({answer}); install it in its environment"
        if answer != own:
            return (
                f"worker {worker} has lexurn {answer[0]} and the store {answer[1]}, but this "
                f"process has {own[0]} and {own[1]}; use the same on all machines"
            )
    no_workers = f"the cluster at {address} has no workers; start some with `dask worker {address}`"
    return None if answers else no_workers


def version_and_store() -> tuple[str, str]:
    """Return the version of lexurn and the store's folder, which all workers must share."""
    return __version__, str(paths.runs().resolve())
