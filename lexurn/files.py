"""Files that are there whole or not at all, and folders that one process writes at a time."""

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write(path: Path, content: str | bytes) -> None:
    """Write a file beside its place and move it there; what stood there before stays until then."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def lock(folder: Path, *, say_every: float = 30.0) -> Iterator[None]:
    """Have a folder to oneself for the time of a block; waits for a process that has it, and says so."""
    with (folder / ".lock").open("w") as file:
        said = float("-inf")
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() - said >= say_every:
                    print(f"waiting for the process that is training {folder.name}", file=sys.stderr, flush=True)
                    said = time.monotonic()
                time.sleep(0.2)
        yield  # closing the file gives the lock back, as does the end of the process
