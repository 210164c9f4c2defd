"""A process that executes one notebook, and ends with the process that started it.

    python -m lexurn.publish.notebook_process

Its input's first line is a JSON object with `source`, `result`, `parameters`, `folder` (the working directory) and
`timeout` (seconds for one cell). It tells on its output, in lines of JSON, which `cell` it is at, `of` how many, with
its first line as `text`, and at the end what `failed` ("" where nothing did). Where its input ends, because whoever
started it was stopped or killed, it shuts its kernel down and ends too.
"""

import json
import os
import queue
import signal
import sys
import threading
import time
from typing import Any

PATIENCE = 0.25
"""Seconds for one look at a channel. Waits without end can miss a message and hang (jupyter/nbclient issue 312)."""


def main() -> None:
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever else is printed, by the kernel too, is kept apart
    job = json.loads(sys.stdin.readline())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    threading.Thread(target=_end_with_the_input, daemon=True).start()
    failed = execute(job, lambda **news: print(json.dumps(news), file=channel))
    print(json.dumps({"failed": failed}), file=channel)


def execute(job: dict[str, Any], tell: Any) -> str:
    """Execute a notebook by papermill; returns what went wrong, in a line, or nothing."""
    import jupyter_client.channels
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.engines import NBClientEngine, papermill_engines

    class Telling(NBClientEngine):
        """Papermill's own engine, which tells where it is."""

        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
            begin = nb_man.cell_start

            def cell_start(cell: Any, cell_index: int, **rest: Any) -> None:
                tell(cell=cell_index + 1, of=len(nb_man.nb.cells), text=_first_line(cell.source))
                begin(cell, cell_index, **rest)

            nb_man.cell_start = cell_start
            return super().execute_managed_notebook(nb_man, kernel_name, **options)

    papermill_engines.register("telling", Telling)
    jupyter_client.channels.AsyncZMQSocketChannel.get_msg = in_slices(
        jupyter_client.channels.AsyncZMQSocketChannel.get_msg
    )
    try:
        papermill.execute_notebook(
            job["source"],
            job["result"],
            job["parameters"],
            engine_name="telling",
            kernel_name="python3",
            progress_bar=False,
            cwd=job["folder"],
            execution_timeout=job["timeout"],
            iopub_timeout=60,
        )
    except papermill.PapermillExecutionError as error:
        return f"{error.ename}: {_first_line(error.evalue)}"
    except CellTimeoutError as error:
        lost = "IOPub" in str(error)
        return (
            "what it shows did not arrive within 60 s"
            if lost
            else f"took more than {job['timeout']} s"
        )
    except DeadKernelError:
        return "the kernel died; for want of memory?"
    except Exception as error:  # a full disk, a kernel that does not start: the chapter's failure, not this process's
        return f"{type(error).__name__}: {_first_line(str(error))}"
    return ""


def in_slices(get_msg: Any) -> Any:
    """A channel's `get_msg` that looks again and again, instead of once for the whole time."""

    async def patient(self: Any, timeout: float | None = None) -> Any:
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            try:
                return await get_msg(self, timeout=min(max(left, 0), PATIENCE))
            except queue.Empty:
                if left <= PATIENCE:
                    raise

    return patient


def _end_with_the_input() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)
    os._exit(1)


def _first_line(text: str, *, longest: int = 200) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= longest else f"{line[: longest - 2]} …"


if __name__ == "__main__":
    main()
