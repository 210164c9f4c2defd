"""A process that executes one notebook, and ends with the process that started it.

`start` returns the process and a connection. The connection yields a mapping for each cell, with
its number `cell` and its first line `text`, and at the end one with `error` ("" for none). When the
connection is closed, because the process that started this one was stopped or killed, this one
shuts its kernel down and ends too.

On Linux, imports are paid once: the processes are forked from a server (see `multiprocessing`) that
has imported packages (`import_ahead`), and each forks its kernel before it starts threads. The
server computes nothing, because threads do not survive a fork. Kernels import lexurn themselves, so
that they have its present source, and so that a chapter's modules are known.
"""

import contextlib
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lexurn.publish.cards import first_line

# Seconds for one look at a channel. A single long wait can miss a message and hang
# (jupyter/nbclient issue 312).
POLL_SECONDS = 0.25

CAN_FORK = sys.platform == "linux"  # the numerical libraries of macOS do not survive a fork
CONTEXT = multiprocessing.get_context("forkserver" if CAN_FORK else "spawn")
PACKAGES = ("papermill", "nbclient", "ipykernel.kernelapp", "ipykernel.zmqshell")
"""What every notebook needs."""
INLINE = "module://matplotlib_inline.backend_inline"  # where kernels draw by default


def import_ahead(packages: Sequence[str]) -> None:
    """Let the server import `packages`, besides what every notebook needs, when it starts."""
    CONTEXT.set_forkserver_preload([*PACKAGES, *packages])


def start(job: dict[str, Any], log: Path) -> tuple[BaseProcess, Connection]:
    """Start to execute a notebook; what the process or its kernel prints is written to `log`.

    `job` has `source`, `result`, `parameters`, `folder` (the working directory) and `timeout`
    (seconds for one cell).
    """
    connection, remote = CONTEXT.Pipe()
    process = CONTEXT.Process(target=main, args=(job, dict(os.environ), remote, log))
    process.start()
    remote.close()
    return process, connection


def main(
    job: dict[str, Any], environment: dict[str, str], connection: Connection, log: Path
) -> None:
    """Execute a notebook, and report on the connection."""
    with own_session(environment, log):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        threading.Thread(target=_end_with_connection, args=[connection], daemon=True).start()
        connection.send({"error": execute(job, connection)})


@contextlib.contextmanager
def own_session(environment: dict[str, str], log: Path) -> Iterator[None]:
    """Give this process an environment, a log, and a kernel to launch; Ctrl-C is kept from it."""
    os.setsid()
    for output in (1, 2):
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), output)
    os.environ.clear()
    os.environ.update(environment)
    if not CAN_FORK:
        yield
        return
    from jupyter_client.provisioning import local_provisioner

    pipe = multiprocessing.Pipe(duplex=False)
    kernel = multiprocessing.get_context("fork").Process(target=wait_to_be_kernel, args=pipe)
    kernel.start()
    local_provisioner.launch_kernel = partial(launch_forked, kernel, pipe[1])
    try:
        yield
    finally:
        kernel.kill()


def execute(job: dict[str, Any], connection: Connection) -> str:
    """Execute a notebook by papermill; return one line about what failed, or an empty text."""
    import papermill
    from jupyter_client.channels import AsyncZMQSocketChannel
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    def report(cell: Any, cell_index: int) -> None:
        connection.send({"cell": cell_index + 1, "text": first_line(cell.source)})

    AsyncZMQSocketChannel.get_msg = poll_in_slices(AsyncZMQSocketChannel.get_msg)
    try:
        papermill.execute_notebook(
            job["source"],
            job["result"],
            job["parameters"],
            kernel_name="python3",
            progress_bar=False,
            cwd=job["folder"],
            execution_timeout=job["timeout"],
            iopub_timeout=60,
            on_cell_start=report,
        )
    except papermill.PapermillExecutionError as error:
        return f"{error.ename}: {first_line(error.evalue)}"
    except CellTimeoutError as error:
        return (
            "its output did not arrive within 60 s"
            if "IOPub" in str(error)
            else f"took more than {job['timeout']} s"
        )
    except DeadKernelError:
        return "the kernel died; out of memory?"
    except Exception as error:  # a full disk, or a kernel that does not start
        return f"{type(error).__name__}: {first_line(str(error))}"
    return ""


def launch_forked(
    kernel: BaseProcess, pipe: Connection, command: list[str], *, env: dict[str, str], **_: Any
) -> Any:
    """Let a waiting process be a kernel, in place of `jupyter_client.launch_kernel`.

    Returns what stands for the `Popen` of an ordinary kernel.
    """
    pipe.send((command[command.index("ipykernel_launcher") + 1 :], env, os.getcwd()))
    return SimpleNamespace(
        pid=kernel.pid,
        poll=lambda: kernel.exitcode,
        wait=lambda: kernel.exitcode,  # called when the kernel has ended
        send_signal=lambda number: os.kill(kernel.pid, number),
        kill=kernel.kill,
        terminate=kernel.terminate,
        stdin=None,
        stdout=None,
        stderr=None,
    )


def wait_to_be_kernel(remote: Connection, connection: Connection) -> None:
    """Wait for the launch, forget the modules of lexurn, and be a kernel."""
    os.setpgid(0, 0)  # a signal to the kernel is sent to its group
    connection.close()
    arguments, environment, folder = remote.recv()
    os.environ.update(environment)
    os.chdir(folder)
    for name in [name for name in sys.modules if name.partition(".")[0] == "lexurn"]:
        del sys.modules[name]
    if matplotlib := sys.modules.get("matplotlib"):  # it has read another environment
        matplotlib.rcParams["backend"] = environment.get("MPLBACKEND", INLINE)
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance(argv=arguments)


def poll_in_slices(get_msg: Any) -> Any:
    """Return a channel's `get_msg` that waits in short slices instead of once."""

    async def patient_get_msg(self: Any, timeout: float | None = None) -> Any:
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > POLL_SECONDS:
            with contextlib.suppress(queue.Empty):
                return await get_msg(self, timeout=POLL_SECONDS)
        return await get_msg(self, timeout=max(left, 0))

    return patient_get_msg


def _end_with_connection(connection: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        connection.recv()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)
    os._exit(1)
