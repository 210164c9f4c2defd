"""Files that are written whole or not at all, and folders that one process writes at a time.

If the disk is full or not writable, functions raise a `StoreError` of one line that names the fix,
and the previous content of the file is kept.
"""

import errno
import fcntl
import gzip
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lexurn.base.errors import StoreError

FIXES = (
    dict.fromkeys(
        (errno.ENOSPC, errno.EDQUOT),
        "; free some space, or move the store (LEXURN_RUNS) or the book's build (LEXURN_BUILD) to "
        "another disk; the same command then resumes from the last save",
    )
    | dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EFBIG),
        "; set LEXURN_RUNS, or LEXURN_BUILD for the book, to a writable folder",
    )
    | dict.fromkeys(
        (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP),
        "; this file system cannot lock files: set LEXURN_RUNS, or LEXURN_BUILD for the book, to a "
        "folder on another one, or have it mounted with locks (`-o flock` for Lustre)",
    )
)


def write(path: Path, content: str | bytes, *, durable: bool = False) -> None:
    """Write a file under a temporary name and rename it, so that readers never see half of it.

    The file's folder is created if it is missing. A `durable` file is on the disk when the function
    returns, so that a power failure does not undo it.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with store_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
            if durable:
                _sync(temporary)
            temporary.replace(path)
            if durable:
                _sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def commit(path: Path, content: str | bytes) -> None:
    """Write the file that says that its folder is whole, after the other files are on the disk."""
    with store_errors(path):
        for other in path.parent.rglob("*"):
            if (other.is_file() or other.is_dir()) and not other.is_symlink():
                with suppress(FileNotFoundError):  # another program has a log of its own there
                    _sync(other)
    write(path, content, durable=True)


def read(path: Path) -> bytes:
    """Return a file's content; published files may be stored compressed as `<name>.gz` instead."""
    compressed = path.with_name(f"{path.name}.gz")
    if compressed.exists() and not path.exists():
        return gzip.decompress(compressed.read_bytes())
    return path.read_bytes()


def hash_bytes(content: bytes, length: int | None = None) -> str:
    """Return the first `length` hexadecimal digits of the SHA-256 hash of `content`, or all 64."""
    return hashlib.sha256(content).hexdigest()[:length]


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of processes that were killed inside `write`, also in sub-folders.

    The caller must hold the folder's lock.
    """
    with store_errors(folder):
        for path in folder.rglob(".*.*"):
            if path.suffix[1:].isdigit():
                path.unlink()


def replace_folder(target: Path, new: Path) -> None:
    """Put the folder `new` in the place of `target`.

    A folder that is not empty cannot be renamed over, so the old one is renamed first. A process
    that is killed between the two renames leaves both; `restore_folder` then finishes its work.
    """
    staged, previous = _staged(target), _previous(target)
    with store_errors(target):
        restore_folder(target)
        for leftover in (staged, previous):
            shutil.rmtree(leftover, ignore_errors=True)
        shutil.move(new, staged)  # may copy from another disk, which takes time
        if target.exists():
            target.rename(previous)
        staged.rename(target)
        shutil.rmtree(previous, ignore_errors=True)


def restore_folder(target: Path) -> None:
    """Finish what a `replace_folder` that was killed between its two renames began."""
    if not target.exists() and _previous(target).exists():
        with suppress(FileNotFoundError):  # another process has just done it
            (_staged(target) if _staged(target).exists() else _previous(target)).rename(target)


def _staged(target: Path) -> Path:
    return target.with_name(f".{target.name}-new")


def _previous(target: Path) -> Path:
    return target.with_name(f".{target.name}-before")


PROGRESS = {"lexurn": "progress"}
"""The metadata of an output that only reports progress; the site leaves it out."""


def print_to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextmanager
def lock(
    folder: Path,
    *,
    activity: str = "training",
    wait: bool = True,
    notify: Callable[[str], None] = print_to_stderr,
) -> Iterator[None]:
    """Hold a folder's lock for the time of a block; the folder is created if it is missing.

    While another process holds the lock, this one waits and calls `notify` with a message that
    names the `activity`, every 30 seconds. With `wait=False` it raises StoreError.
    """
    last_notified = float("-inf")
    while (descriptor := _try_lock(folder)) is None:
        if not wait:
            raise StoreError(f"another process is {activity} {folder.name}; stop that one first")
        if time.monotonic() - last_notified >= 30:
            notify(f"waiting for the process that is {activity} {folder.name}")
            last_notified = time.monotonic()
        time.sleep(0.2)
    try:
        yield
    finally:
        os.close(descriptor)  # releases the lock, as does the end of the process


def is_locked(folder: Path) -> bool:
    """Return True if a process holds the folder's lock at this moment."""
    try:
        with suppress(FileNotFoundError), (folder / ".lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _try_lock(folder: Path) -> int | None:
    """Return the file descriptor that holds the lock, or None if another process holds it."""
    path = folder / ".lock"
    with store_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    with store_errors(path), suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor  # otherwise the folder was deleted in the meantime
    os.close(descriptor)
    return None


def _sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Raise every OSError of a block as a StoreError that says what to do."""
    try:
        yield
    except OSError as error:
        fix = FIXES.get(error.errno, "")
        raise StoreError(f"cannot write {path}: {error.strerror or error}{fix}") from None
