"""Where things are: the repository root, the store of runs, and the published runs, which are a second root of it."""

import os
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[1]
"""The folder of the package."""


def root() -> Path:
    """The repository: the folder above the imported package, or the nearest one upward from the working directory.

    Raises FileNotFoundError where neither is a Lexurn repository.
    """
    above = LIBRARY.parent
    if (above / "book" / "_toc.yml").exists():
        return above
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "_config.yml").exists() and (folder / "lexurn").is_dir():
            return folder
    raise FileNotFoundError(
        f"no Lexurn repository at {above} nor above {here}; run inside a clone, or set LEXURN_RUNS and LEXURN_BUILD"
    )


def runs() -> Path:
    """The store of runs: `LEXURN_RUNS` where it is set, else `runs/` at the repository's root."""
    moved = os.environ.get("LEXURN_RUNS")
    return Path(moved).expanduser() if moved else root() / "runs"


def build() -> Path:
    """Where the book is built: `_build/` at the repository's root, or in `LEXURN_BUILD` where that is set."""
    return Path(os.environ.get("LEXURN_BUILD") or root()).expanduser().resolve() / "_build"


def published() -> Path | None:
    """The runs and tables of the published edition, `book/results`, which are only read.

    None where there are none, or where they are to be ignored because `LEXURN_FRESH` is set.
    """
    if os.environ.get("LEXURN_FRESH"):
        return None
    try:
        folder = root() / "book" / "results"
    except FileNotFoundError:
        return None
    return folder if folder.is_dir() else None


def roots() -> list[Path]:
    """Where runs and tables are looked for: one's own store first, then the published ones."""
    theirs = published()
    return [runs()] if theirs is None else [runs(), theirs]
