"""How long a build of the book takes: from a fresh clone, with nothing to do, with a new sentence.

    python tests/benchmarks/book.py --repeats 5 --jobs 2

It prints medians of seconds and of CPU seconds, those of all processes together. The plain form of
the build with a new sentence reads and writes every page of the site again, so the line `all pages`
shows what is saved. It works in a copy of the repository, with a store of its own. (Linux)
"""

import ctypes
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import pandas as pd

from lexurn.base import paths

PR_SET_CHILD_SUBREAPER = 36


def cpu_seconds() -> float:
    """Return the CPU seconds of all processes that this one has waited for."""
    times = os.times()
    return times.children_user + times.children_system


def run(command: list[str], **options) -> dict[str, float]:
    """Run a command; return its seconds, and the CPU seconds of it and of all that it started."""
    start, before = time.monotonic(), cpu_seconds()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)
    seconds = time.monotonic() - start
    while True:  # orphans of the command become children of this process
        try:
            os.wait()
        except ChildProcessError:
            return {"seconds": seconds, "CPU seconds": cpu_seconds() - before}


def copy_repository(root: Path, copy: Path) -> None:
    """Copy a repository without what was built or trained in it."""

    def ignored(folder: str, names: list[str]) -> set[str]:
        at_root = {"_build", "runs", ".git", ".venv"} if Path(folder) == root else set()
        return set(names) & (at_root | {"__pycache__"})

    shutil.copytree(root, copy, ignore=ignored)


def measure(root: Path, arguments: list[str]) -> pd.DataFrame:
    """Return a row per build of the repository at `root`, from which the build is removed."""
    own = {"LEXURN_RUNS": str(root / "runs"), "LEXURN_BUILD": str(root), "PYTHONPATH": str(root)}
    options = {"cwd": root, "env": os.environ | own}
    command = [sys.executable, "-m", "lexurn", "book"]
    chapter = min((root / "book").glob("[0-9][0-9]_*.py"))

    def add_sentence() -> None:
        text = chapter.read_text()
        chapter.write_text(re.sub(r"(\n# ## .*\n)", r"\1#\n# A sentence.\n", text, count=1))

    shutil.rmtree(root / "_build", ignore_errors=True)
    rows = {"edition": run(command + arguments, **options)}
    rows["nothing to do"] = run(command, **options)
    add_sentence()
    rows["a sentence"] = run(command, **options)
    add_sentence()
    shutil.rmtree(root / "_build" / "read")
    rows["a sentence, all pages"] = run(command, **options)
    return pd.DataFrame.from_dict(rows, orient="index")


@click.command()
@click.option("--root", type=click.Path(path_type=Path), help="Another repository to build.")
@click.option("--repeats", default=5, show_default=True)
@click.option("--jobs", default=2, show_default=True)
def main(root: Path | None, repeats: int, jobs: int) -> None:
    """Print the table."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    tables = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(repeats):
            copy = Path(folder) / str(number)
            copy_repository(root or paths.root(), copy)
            tables.append(measure(copy, ["--jobs", str(jobs)]))
            shutil.rmtree(copy)
    medians = pd.concat(tables).groupby(level=0, sort=False).median()
    print(medians.assign(share=medians["seconds"] / medians.loc["edition", "seconds"]).round(3))


if __name__ == "__main__":
    main()
