"""Paths: the repository root, the store of runs, the book's build, and the published results."""

import os
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[1]
"""The folder of the package."""


def root() -> Path:
    """Return the repository root.

    It is the folder above the imported package, or else the nearest folder upward from the working
    directory that is a Lexurn repository. Raises FileNotFoundError if neither exists.
    """
    package_parent = LIBRARY.parent
    if (package_parent / "book" / "_toc.yml").exists():
        return package_parent
    working = Path.cwd()
    for folder in (working, *working.parents):
        if (folder / "_config.yml").exists() and (folder / "lexurn").is_dir():
            return folder
    raise FileNotFoundError(
        f"no Lexurn repository at {package_parent} nor above {working}; "
        "run inside a clone, or set LEXURN_RUNS and LEXURN_BUILD"
    )


def runs() -> Path:
    """Return the store of runs: `LEXURN_RUNS` if it is set, else `runs/` in the repository root."""
    configured = os.environ.get("LEXURN_RUNS")
    return Path(configured).expanduser() if configured else root() / "runs"


def build_folder() -> Path:
    """Return the folder of the book's build: `_build/` in `LEXURN_BUILD` or the repository root."""
    return Path(os.environ.get("LEXURN_BUILD") or root()).expanduser().resolve() / "_build"


def published_results() -> Path | None:
    """Return `book/results`, the read-only runs and tables of the published edition.

    None if the folder does not exist, or if `LEXURN_FRESH` is set, which ignores it.
    """
    if os.environ.get("LEXURN_FRESH"):
        return None
    try:
        folder = root() / "book" / "results"
    except FileNotFoundError:
        return None
    return folder if folder.is_dir() else None


def roots() -> list[Path]:
    """Return the folders that hold runs and tables: the own store first, then the published one."""
    published = published_results()
    return [runs()] if published is None else [runs(), published]
