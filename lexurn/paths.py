"""Where things are: the repository root and the store of runs."""

import os
from pathlib import Path

import lexurn


def root() -> Path:
    """The repository: the folder above the imported package, or the nearest one upward from the working directory.

    Raises FileNotFoundError where neither is a Lexurn repository.
    """
    above = Path(lexurn.__file__).resolve().parent.parent
    if (above / "book" / "_toc.yml").exists():
        return above
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "_config.yml").exists() and (folder / "lexurn").is_dir():
            return folder
    raise FileNotFoundError(
        f"no Lexurn repository at {above} nor above {here}; run from inside a clone, or set LEXURN_RUNS"
    )


def runs() -> Path:
    """The store of runs: `LEXURN_RUNS` where it is set, else `runs/` at the repository's root."""
    moved = os.environ.get("LEXURN_RUNS")
    return Path(moved).expanduser() if moved else root() / "runs"
