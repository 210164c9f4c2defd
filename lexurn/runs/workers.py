"""Executors that train the points of a grid: processes here, or a Dask cluster.

Both are of the `concurrent.futures` kind, and so is whatever else `sweeps.train` may be given.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import Any

from lexurn.base.version import __version__

PATIENCE = 10.0
"""Seconds in which a cluster has to answer."""


def cores() -> int:
    """How many processes can compute side by side here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class ClusterError(RuntimeError):
    """A cluster that cannot train: it does not answer, or its workers are not what they should be."""


class Processes(ThreadPoolExecutor):
    """`n` processes side by side. One that dies loses its current call alone, which is made once more.

    (A `ProcessPoolExecutor` gives up everything when one of its processes dies.)
    """

    def __init__(self, n: int):
        super().__init__(n)
        self.own = threading.local()
        self.pools: list[ProcessPoolExecutor] = []

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future:
        return super().submit(self._call, function, *arguments)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait, cancel_futures=cancel_futures)
        for pool in self.pools:
            pool.shutdown(wait, cancel_futures=cancel_futures)

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        """After an interrupt what has not begun never does, and what has is not waited for."""
        self.shutdown(wait=kind is None, cancel_futures=kind is not None)

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return self._pool().submit(function, *arguments).result()
        except BrokenProcessPool:
            self.own.pool = None
            return self._pool().submit(function, *arguments).result()

    def _pool(self) -> ProcessPoolExecutor:
        """That of this thread, of a single process."""
        if getattr(self.own, "pool", None) is None:
            self.own.pool = ProcessPoolExecutor(
                1, mp_context=get_context("spawn"), initializer=end_with_parent
            )
            self.pools.append(self.own.pool)
        return self.own.pool


def end_with_parent() -> None:
    """However the process that started this one ends, a kill included, this one ends too."""

    def wait() -> None:
        parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def cluster(address: str) -> Executor:
    """The workers of the Dask scheduler at an address, each with this version of lexurn. Raises ClusterError.

    They share a file system, where `LEXURN_RUNS` is the same folder for all.
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
            timeout=2 * PATIENCE
        )  # what takes the connection and says nothing, Dask waits for
    except (OSError, TimeoutError, ValueError) as error:
        why = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ClusterError(
            f"no cluster answers at {address} ({why}); start one with `dask scheduler` and "
            "`dask worker`, and give the address that the scheduler prints"
        ) from None
    try:
        _refuse_other_workers(address, client.run(version_and_store, on_error="return"))
    except ClusterError:
        client.close()
        raise
    return client.get_executor(pure=False, retries=2)


def _connect(client: Callable[..., Any], address: str, connected: Future) -> None:
    try:
        connected.set_result(client(address, timeout=PATIENCE))
    except Exception as error:
        connected.set_exception(error)


def _refuse_other_workers(address: str, found: dict[str, Any]) -> None:
    if not found:
        raise ClusterError(
            f"the cluster at {address} has no workers; start some with `dask worker {address}`"
        )
    own = version_and_store()
    for worker, theirs in found.items():
        if isinstance(theirs, Exception):
            raise ClusterError(
                f"worker {worker} cannot import lexurn ({theirs}); install it in its environment"
            )
        if theirs != own:
            raise ClusterError(
                f"worker {worker} has lexurn {theirs[0]} and the store {theirs[1]}, here are {own}"
            )


def version_and_store() -> tuple[str, str]:
    """What must be the same everywhere."""
    from lexurn.base import paths

    return __version__, str(paths.runs().resolve())
