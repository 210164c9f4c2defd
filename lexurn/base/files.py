"""Files that are there whole or not at all, and folders that one process writes at a time.

Where the disk is full or cannot be written, a `StoreError` says so in one line, and what was there before is kept.
"""

import errno
import fcntl
import gzip
import hashlib
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lexurn.base.errors import StoreError


def write(path: Path, content: str | bytes) -> None:
    """Write a file beside its place and move it there; what stood there before stays until then."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with worded(path):
        try:
            _put(beside, content.encode() if isinstance(content, str) else content, "wb")
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


def read(path: Path) -> bytes:
    """What a file holds, or the compressed one beside it, `<name>.gz`, which is how large files are published."""
    packed = path.with_name(f"{path.name}.gz")
    return (
        gzip.decompress(packed.read_bytes())
        if packed.exists() and not path.exists()
        else path.read_bytes()
    )


def hash_bytes(content: bytes, length: int | None = None) -> str:
    """Return the first `length` hexadecimal digits of the SHA-256 hash of `content`, or all 64."""
    return hashlib.sha256(content).hexdigest()[:length]


def hash_file(path: Path) -> str:
    """Return all 64 hexadecimal digits of the SHA-256 hash of a file's content."""
    return hash_bytes(path.read_bytes())


def append(path: Path, line: str) -> None:
    """Add a line to a file, whole or not at all."""
    with worded(path):
        size = path.stat().st_size
        try:
            _put(path, f"{line}\n".encode(), "ab")
        except OSError:
            os.truncate(path, size)
            raise


def sweep(folder: Path) -> None:
    """Remove what processes that were killed inside `write` have left; nobody may be writing now."""
    with worded(folder):
        for path in folder.glob(".*.*"):
            if path.suffix[1:].isdigit():
                path.unlink()


def on_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextmanager
def lock(
    folder: Path,
    *,
    doing: str = "training",
    wait: bool = True,
    say: Callable[[str], None] = on_stderr,
    say_every: float = 30.0,
) -> Iterator[None]:
    """Have a folder, made where there is none, to oneself for the time of a block.

    Waits for a process that has it, and tells `say` so, and what it is `doing`; without `wait` raises StoreError.
    """
    said = float("-inf")
    while (file := _try_lock(folder)) is None:
        if not wait:
            raise StoreError(f"another process is {doing} {folder.name}; stop that one first")
        if time.monotonic() - said >= say_every:
            say(f"waiting for the process that is {doing} {folder.name}")
            said = time.monotonic()
        time.sleep(0.2)
    try:
        yield
    finally:
        os.close(file)  # gives the lock back, as does the end of the process


def is_locked(folder: Path) -> bool:
    """Whether a process has the folder to itself just now."""
    try:
        with (folder / ".lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _try_lock(folder: Path) -> int | None:
    path = folder / ".lock"
    with worded(path):
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(file), path.stat()):  # else the folder was deleted meanwhile
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(file)
    return None


def _put(path: Path, content: bytes, mode: str) -> None:
    with path.open(mode) as file:
        file.write(content)


@contextmanager
def worded(path: Path) -> Iterator[None]:
    """An OSError inside as a StoreError that says what to do."""
    try:
        yield
    except OSError as error:
        if isinstance(
            error, shutil.Error
        ):  # of a folder that was being copied: the first of what went wrong in it
            number = re.search(r"\[Errno (\d+)\]", first := str(error.args[0][0][-1]))
            error = (
                OSError(int(number[1]), os.strerror(int(number[1]))) if number else OSError(first)
            )
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            remedy = (
                "; free some, or move the store (LEXURN_RUNS) or the book's build (LEXURN_BUILD) to another disk; "
                "the same command then goes on from what was saved"
            )
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EFBIG):
            remedy = (
                "; set LEXURN_RUNS, or LEXURN_BUILD for the book, to a folder that can be written"
            )
        else:
            remedy = ""
        raise StoreError(f"cannot write {path}: {error.strerror or error}{remedy}") from None
