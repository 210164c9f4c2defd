"""A process that executes one notebook, and ends with the process that started it.

    python -m lexurn.publish.notebook_process

The first line of its input is a JSON object with `source`, `result`, `parameters`, `folder` (the
working directory) and `timeout` (seconds for one cell). Its output has JSON lines: for each cell
the number `cell` and the first line `text`; at the end, `error` ("" for none). When its input ends,
because the process that started it was stopped or killed, it shuts its kernel down and ends too.
"""

import json
import os
import queue
import signal
import sys
import threading
import time
from typing import Any, TextIO

# Seconds for one look at a channel. A single long wait can miss a message and hang
# (jupyter/nbclient issue 312).
POLL_SECONDS = 0.25


def main() -> None:
    """Execute the notebook that standard input describes, and report on standard output."""
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # everything else that is printed, also by the kernel, goes to stderr
    job = json.loads(sys.stdin.readline())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    threading.Thread(target=_end_with_input, daemon=True).start()
    print(json.dumps({"error": execute(job, channel)}), file=channel)


def execute(job: dict[str, Any], channel: TextIO) -> str:
    """Execute a notebook by papermill; return one line about what failed, or an empty text."""
    import papermill
    from jupyter_client.channels import AsyncZMQSocketChannel
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    def report(cell: Any, cell_index: int) -> None:
        print(json.dumps({"cell": cell_index + 1, "text": _first_line(cell.source)}), file=channel)

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
        return f"{error.ename}: {_first_line(error.evalue)}"
    except CellTimeoutError as error:
        return (
            "its output did not arrive within 60 s"
            if "IOPub" in str(error)
            else f"took more than {job['timeout']} s"
        )
    except DeadKernelError:
        return "the kernel died; out of memory?"
    except Exception as error:  # a full disk, or a kernel that does not start
        return f"{type(error).__name__}: {_first_line(str(error))}"
    return ""


def poll_in_slices(get_msg: Any) -> Any:
    """Return a channel's `get_msg` that waits in short slices instead of once."""

    async def patient_get_msg(self: Any, timeout: float | None = None) -> Any:
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            try:
                return await get_msg(self, timeout=min(max(left, 0), POLL_SECONDS))
            except queue.Empty:
                if left <= POLL_SECONDS:
                    raise

    return patient_get_msg


def _end_with_input() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)
    os._exit(1)


def _first_line(text: str) -> str:
    """Return the first line that is not empty, with at most 200 characters."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= 200 else f"{line[:198]} …"


if __name__ == "__main__":
    main()
