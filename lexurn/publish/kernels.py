"""Execute one notebook in a kernel of its own, which ends with the process that launched it.

On Linux, imports are paid once: kernels are forked from a server (see `multiprocessing`) that has
imported packages (`import_ahead`). The server computes nothing, because threads do not survive a
fork. Kernels import lexurn themselves, so that they have its present source, and so that a
chapter's modules are known.
"""

import asyncio
import multiprocessing
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from multiprocessing import forkserver
from pathlib import Path
from subprocess import DEVNULL
from types import SimpleNamespace
from typing import Any

from lexurn.publish.cards import first_line

# Seconds for one look at a channel. A single long wait can miss a message and hang
# (jupyter/nbclient issue 312).
POLL_SECONDS = 0.25

CAN_FORK = sys.platform == "linux"  # the numerical libraries of macOS do not survive a fork
CONTEXT = multiprocessing.get_context("forkserver" if CAN_FORK else "spawn")
INLINE = "module://matplotlib_inline.backend_inline"  # where kernels draw by default


def import_ahead(packages: Sequence[str]) -> None:
    """Start the server, which imports `packages`, besides what every kernel needs."""
    if CAN_FORK:
        CONTEXT.set_forkserver_preload(["ipykernel.kernelapp", "ipykernel.zmqshell", *packages])
        forkserver.ensure_running()


@cache
def patch_jupyter_client() -> None:
    """Let `jupyter_client` wait in short slices, and fork kernels where that is possible."""
    from jupyter_client.channels import AsyncZMQSocketChannel
    from jupyter_client.provisioning import local_provisioner

    AsyncZMQSocketChannel.get_msg = poll_in_slices(AsyncZMQSocketChannel.get_msg)
    if CAN_FORK:
        local_provisioner.launch_kernel = launch_forked


async def execute(
    notebook: Any, *, folder: Path, timeout: int, on_cell_start: Callable[..., None]
) -> str:
    """Execute a notebook, in place; return one line about what failed, or an empty text.

    `timeout` is in seconds for one cell. `on_cell_start` gets each cell and its index.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    patch_jupyter_client()
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=timeout,
        iopub_timeout=60,
        raise_on_iopub_timeout=True,
        record_timing=False,
        shutdown_kernel="immediate",
        on_cell_start=on_cell_start,
    )
    # Otherwise Ctrl-C would end the kernel, and not the build.
    asyncio.get_running_loop().add_signal_handler = _refuse
    try:
        await client.async_execute(cwd=str(folder), stdout=DEVNULL, stderr=DEVNULL)
    except CellExecutionError as error:
        return f"{error.ename}: {first_line(error.evalue)}"
    except DeadKernelError:
        if asyncio.current_task().cancelling():
            raise asyncio.CancelledError from None
        return "the kernel died; out of memory?"
    except Exception as error:  # a cell takes too long, or the kernel does not start
        return f"{type(error).__name__}: {first_line(str(error))}"
    return ""


def launch_forked(
    command: list[str], *, env: dict[str, str], cwd: str | None = None, **_: Any
) -> Any:
    """Fork a kernel from the server, in place of `jupyter_client.launch_kernel`.

    Returns what stands for the `Popen` of an ordinary kernel.
    """
    arguments = command[command.index("ipykernel_launcher") + 1 :]
    kernel = CONTEXT.Process(target=run_kernel, args=(arguments, env, cwd or os.getcwd()))
    kernel.start()
    while kernel.is_alive() and os.getpgid(kernel.pid) != kernel.pid:
        time.sleep(0.01)  # signals to the kernel will be sent to its group
    return SimpleNamespace(
        pid=kernel.pid,
        poll=lambda: kernel.exitcode,
        wait=kernel.join,
        send_signal=lambda number: os.kill(kernel.pid, number),
        kill=kernel.kill,
        terminate=kernel.terminate,
        stdin=None,
        stdout=None,
        stderr=None,
    )


def run_kernel(arguments: list[str], environment: dict[str, str], folder: str) -> None:
    """Forget the modules of lexurn, and be a kernel until the launching process ends.

    Outputs reach the notebook; what a kernel prints beside it is dropped.
    """
    os.setpgid(0, 0)
    for output in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), output)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for name in [name for name in sys.modules if name.partition(".")[0] == "lexurn"]:
        del sys.modules[name]
    if matplotlib := sys.modules.get("matplotlib"):  # it has read another environment
        matplotlib.rcParams["backend"] = environment.get("MPLBACKEND", INLINE)
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance(argv=arguments)


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


def poll_in_slices(get_msg: Any) -> Any:
    """Return a channel's `get_msg` that waits in short slices instead of once."""

    async def patient_get_msg(self: Any, timeout: float | None = None) -> Any:
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > POLL_SECONDS:
            with suppress(queue.Empty):
                return await get_msg(self, timeout=POLL_SECONDS)
        return await get_msg(self, timeout=max(left, 0))

    return patient_get_msg


def _refuse(*_: Any) -> None:
    raise RuntimeError("signals are handled by asyncio.run")
