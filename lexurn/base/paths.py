"""Paths: the repository root, the store of runs, the book's build, and the published results."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from lexurn.base import files

LIBRARY = Path(__file__).resolve().parents[1]
"""The folder of the package."""


def root() -> Path:
    """Return the repository root.

    It is the folder above the imported package, or else the nearest folder upward from the working
    directory that is a Lexurn repository. Raises FileNotFoundError if neither exists.
    """
    if (LIBRARY.parent / "book" / "_toc.yml").exists():
        return LIBRARY.parent
    working = Path.cwd()
    for folder in (working, *working.parents):
        if (folder / "_config.yml").exists() and (folder / "lexurn").is_dir():
            return folder
    raise FileNotFoundError(
        f"no Lexurn repository at {LIBRARY.parent} nor above {working}; run this inside a clone, "
        "or set LEXURN_RUNS and LEXURN_BUILD to folders of your own, for runs and for figures"
    )


def runs() -> Path:
    """Return the store of runs: `LEXURN_RUNS` if it is set, else `runs/` in the repository root."""
    configured = os.environ.get("LEXURN_RUNS")
    return Path(configured).expanduser() if configured else root() / "runs"


def build_folder() -> Path:
    """Return the folder of the book's build: `_build/` in `LEXURN_BUILD` or the repository root."""
    folder = os.environ.get("LEXURN_BUILD") or root()
    return Path(folder).expanduser().resolve() / "_build"


def published_results() -> Path | None:
    """Return `book/results`, the read-only runs and tables of the published edition.

    None if the folder does not exist, or if `LEXURN_FRESH` is set, which ignores it.
    """
    with suppress(FileNotFoundError):
        folder = root() / "book" / "results"
        files.restore_folder(folder)
        if folder.is_dir() and not os.environ.get("LEXURN_FRESH"):
            return folder
    return None


_is_ignored: ContextVar[bool] = ContextVar("published results are ignored", default=False)


@contextmanager
def ignoring_published() -> Iterator[None]:
    """Make `roots` leave out the published edition within the block."""
    token = _is_ignored.set(True)
    try:
        yield
    finally:
        _is_ignored.reset(token)


def roots() -> list[Path]:
    """Return the folders that hold runs and tables: the own store first, then the published one."""
    published = None if _is_ignored.get() else published_results()
    return [runs()] if published is None else [runs(), published]
