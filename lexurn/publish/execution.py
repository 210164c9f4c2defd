"""Executing chapters: each in a process of its own, by papermill, several side by side where that is asked for.

What an execution leaves is put in place at its end: the notebook and the record that belongs to it. One that is stopped
or killed leaves what was there before, and the same command goes on: runs that it had trained are in their store.
"""

import asyncio
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lexurn.base import files, paths
from lexurn.publish import cards
from lexurn.publish.dependencies import RECORD, Chapter, hashed, module_hashes
from lexurn.runs.tracking import duration

BANNER = """
````{{error}}
**This chapter failed.** Below is what it had shown until then.
```text
{failed}
```
````
"""


OURS = "lexurn-record"
"""The tag of the cell that records what a chapter depended on."""

ERRORS = ("papermill-error-cell-tag",)
NOT_MADE: dict[str, Any] = {"modules": [], "used": {}, "claims": {}, "device": "", "commit": ""}


class Progress:
    """Where several executions are: one line that is written over at a terminal, elsewhere a line now and then."""

    def __init__(
        self, expected: dict[str, float | None], say: Callable[[str, bool], None], *, every: float
    ):
        self.expected, self.say, self.every = expected, say, every
        self.began: dict[str, float] = {}
        self.at: dict[str, str] = {}

    def cell(self, name: str, number: int, n_cells: int) -> None:
        """A chapter has come to a cell."""
        self.began.setdefault(name, time.monotonic())
        self.at[name] = f"cell {min(number, n_cells)} of {n_cells}"

    def end(self, name: str, result: str) -> None:
        """A chapter has ended."""
        self.at.pop(name, None)
        self.say(f"{name}: {result}", True)

    async def tell(self) -> None:
        """Say where everything is, every so many seconds, for as long as this is not cancelled."""
        while True:
            await asyncio.sleep(self.every)
            if self.at:
                self.say(self.now(), False)

    def now(self) -> str:
        return "; ".join(f"{name}: {cell}{self._left(name)}" for name, cell in self.at.items())

    def _left(self, name: str) -> str:
        left = (self.expected[name] or 0) - (time.monotonic() - self.began[name])
        return f", about {duration(left)} left" if left > 0 else ""


async def execute_all(
    chapters: Sequence[Chapter], progress: Progress, *, jobs: int, timeout: int
) -> None:
    """Execute chapters, `jobs` at a time, with their threads divided; what cancels this stops their processes too."""
    side_by_side = max(min(jobs, len(chapters)), 1)
    room = asyncio.Semaphore(side_by_side)

    async def one(chapter: Chapter) -> None:
        async with room:
            threads = max(int(chapter.given.get("threads", 1)) // side_by_side, 1)
            made = await execute(chapter, progress, threads=threads, timeout=timeout)
            progress.end(chapter.name, f"{made['failed'] or 'done'} ({duration(made['seconds'])})")

    telling = asyncio.create_task(progress.tell())
    try:
        async with asyncio.TaskGroup() as group:
            for chapter in chapters:
                group.create_task(one(chapter))
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
    finally:
        telling.cancel()


async def execute(
    chapter: Chapter, progress: Progress, *, threads: int, timeout: int
) -> dict[str, Any]:
    """Execute a chapter with so many threads, put notebook and record in place, and return the record.

    Its `failed` says in a line what went wrong: a cell that raised, that took more than `timeout` seconds, or whose
    kernel died; or one that shows a picture without a card. What a failing chapter had shown is kept. Raises StoreError
    where nothing can be written.
    """
    import jupytext
    import nbformat

    began, given = time.monotonic(), dict(chapter.given)
    record: dict[str, Any] = {"source": hashed(chapter.source), "given": given, "threads": threads}
    modules = (
        module_hashes()
    )  # before, as the source: what is edited meanwhile is found changed the next time
    source = jupytext.read(chapter.source)
    shutil.rmtree(paths.build_folder() / "figures" / chapter.name, ignore_errors=True)
    with _workshop(chapter) as folder:
        made = folder / "made.json"
        tagged = nbformat.v4.new_code_cell(RECORD.format(path=str(made)), metadata={"tags": [OURS]})
        files.write(
            folder / "source.ipynb",
            nbformat.writes(nbformat.from_dict({**source, "cells": [*source.cells, tagged]})),
        )
        job = {
            "source": str(folder / "source.ipynb"),
            "result": str(folder / "result.ipynb"),
            "parameters": given | ({"threads": threads} if "threads" in given else {}),
            "folder": str(chapter.source.parent),
            "timeout": timeout,
        }
        failed = await _run(job, folder / "log", lambda *cell: progress.cell(chapter.name, *cell))
        try:
            result = nbformat.read(folder / "result.ipynb", 4)
        except (OSError, ValueError):  # it had not begun, or its disk is full
            result = source
        record |= json.loads(made.read_text()) if made.exists() else NOT_MADE
    result.cells = [
        cell for cell in result.cells if not {*cell.metadata.get("tags", [])} & {OURS, *ERRORS}
    ]
    failed = failed or next(cards.faults(result), "")
    record |= {
        "failed": failed,
        "modules": {name: modules.get(name, "") for name in record["modules"]},
    }
    _clean(result, chapter.name, failed)
    with files.store_errors(chapter.executed):
        chapter.executed.parent.mkdir(parents=True, exist_ok=True)
    files.write(chapter.executed, nbformat.writes(result))
    record |= {"notebook": hashed(chapter.executed), "finished": time.strftime("%Y-%m-%d %H:%M:%S")}
    record |= {"seconds": round(time.monotonic() - began, 1)}
    files.write(chapter.executed.with_suffix(".json"), json.dumps(record, indent=2))
    return record


def _clean(notebook: Any, name: str, failed: str) -> None:
    """Take out what papermill notes, and say what failed below the title."""
    import nbformat

    for each in (notebook, *notebook.cells):
        each.metadata.pop("papermill", None)  # where and when; the record has what matters of it
    if not (notebook.cells and notebook.cells[0].source.startswith("# ")):
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell(f"# {name}"))
    if failed:
        heading, _, rest = notebook.cells[0].source.partition("\n")
        notebook.cells[0].source = (
            heading + BANNER.format(failed=failed.replace("```", "'''")) + rest
        )


@contextmanager
def _workshop(chapter: Chapter) -> Iterator[Path]:
    """A folder for one execution: empty at first, even after a kill, and gone at the end."""
    folder = paths.build_folder() / "work" / chapter.name
    shutil.rmtree(folder, ignore_errors=True)
    with files.store_errors(folder):
        folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _run(job: dict[str, Any], log: Path, at: Callable[[int, int], None]) -> str:
    """Have a notebook executed; returns what failed, and where."""
    failed, number, n_cells, text = None, 0, 0, ""
    with files.store_errors(log), log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "lexurn.publish.notebook_process"),
            cwd=paths.LIBRARY.parent,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=file,
            start_new_session=True,  # Ctrl-C is for us: it ends when its input does
            limit=2**20,
        )
    try:
        process.stdin.write(f"{json.dumps(job)}\n".encode())
        async for line in process.stdout:
            news = json.loads(line)
            failed = news.get("failed", failed)
            if "cell" in news:
                number, n_cells, text = (
                    news["cell"],
                    news["of"] - 1,
                    news["text"],
                )  # the last one is ours
                at(number, n_cells)
        await process.wait()
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 8)
        except TimeoutError:
            process.kill()
    if failed is None and process.returncode < 0:
        failed = f"its process was killed (signal {-process.returncode}); for want of memory?"
    elif failed is None:
        said = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        failed = said[-1].strip() if said else "its process ended"
    if not failed or not number:
        return failed
    return (
        f"cell {number} of {n_cells}, `{text}`: {failed}"
        if number <= n_cells
        else f"keeping a record: {failed}"
    )
