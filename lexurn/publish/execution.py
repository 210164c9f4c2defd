"""Execute chapters, each in a kernel of its own, several side by side if wanted.

The notebook and the record of an execution are put in place at its end. An execution that is
stopped or killed leaves the previous ones, and the same command continues: runs that were trained
are in the store. A chapter whose text alone has changed is not executed: see `update_prose`.
"""

import asyncio
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jupytext
import nbformat

from lexurn.base import files, paths
from lexurn.base.wording import duration
from lexurn.publish import cards, kernels
from lexurn.publish.cards import INJECTED_TAG, tags
from lexurn.publish.dependencies import RECORD_CELL, Chapter, hash_if_exists, module_hashes

FAILURE_BANNER = """
````{{error}}
**This chapter failed.** Below are its results up to the failure.
```text
{failed}
```
````
"""

# What chapters that draw figures import. The server of several such chapters imports it once.
FIGURE_PACKAGES = ("torch", "pandas", "matplotlib.pyplot", "scipy.stats", "seaborn", "ipywidgets")
EMPTY_RECORD = {
    **{"modules": [], "used": {}, "computed": [], "claims": {}, "numbers": {}},
    **{"device": "", "commit": ""},
}


@dataclass
class Progress:
    """The progress of several executions: one line, rewritten on a terminal, else repeated.

    `expected` has the seconds that each chapter may take, or None. `say` gets a text, and whether
    it is the last one about its chapter.
    """

    expected: dict[str, float | None]
    say: Callable[[str, bool], None]
    every: float
    starts: dict[str, float] = field(default_factory=dict)
    cells: dict[str, str] = field(default_factory=dict)

    def start_cell(self, name: str, cell: str) -> None:
        """Note that a chapter has reached a cell, such as `cell 3 of 20`."""
        self.starts.setdefault(name, time.monotonic())
        self.cells[name] = cell

    def end(self, name: str, result: str) -> None:
        """Report that a chapter has ended."""
        self.cells.pop(name, None)
        self.say(f"{name}: {result}", True)

    async def report(self) -> None:
        """Report the status of all chapters every `every` seconds until cancelled."""
        while True:
            await asyncio.sleep(self.every)
            if self.cells:
                self.say(self.status(), False)

    def status(self) -> str:
        """Return the current cell of each chapter, and the time left if it is known."""
        texts = []
        for name, cell in self.cells.items():
            left = (self.expected[name] or 0) - (time.monotonic() - self.starts[name])
            texts.append(f"{name}: {cell}" + (f", about {duration(left)} left" * (left > 0)))
        return "; ".join(texts)


def import_ahead(chapters: Sequence[Chapter]) -> None:
    """Let what these chapters need be imported once, from the first `execute_all` on."""
    n_drawing = sum("figure(" in chapter.source.read_text() for chapter in chapters)
    kernels.import_ahead(FIGURE_PACKAGES if n_drawing > 1 else ())


async def execute_all(
    chapters: Sequence[Chapter], progress: Progress, *, jobs: int, timeout: int
) -> None:
    """Execute chapters, `jobs` at a time with shared threads; cancelling stops all processes.

    The first error is raised; then `asyncio.run` stops the processes of the other chapters.
    """
    n_parallel = max(min(jobs, len(chapters)), 1)
    semaphore = asyncio.Semaphore(n_parallel)

    async def execute_one(chapter: Chapter) -> None:
        async with semaphore:
            threads = max(int(chapter.parameters.get("threads", 1)) // n_parallel, 1)
            record = await execute(chapter, progress, threads=threads, timeout=timeout)
            seconds = duration(record["seconds"])
            progress.end(chapter.name, f"{record['failed'] or 'done'} ({seconds})")

    reporting = asyncio.create_task(progress.report())
    try:
        await asyncio.gather(*map(execute_one, chapters))
    finally:
        reporting.cancel()


async def execute(
    chapter: Chapter, progress: Progress, *, threads: int, timeout: int
) -> dict[str, Any]:
    """Execute a chapter with so many threads, put notebook and record in place, return the record.

    The record's `failed` is a line about what failed: a cell that raised an error, that took more
    than `timeout` seconds, that breaks the chapter standard (`cards.find_lint`), or whose kernel
    died. The notebook of a failed chapter has the results up to the failure. Raises StoreError if
    the notebook or the record cannot be written.
    """
    start = time.monotonic()
    # Hash before the execution, so that later edits count as changes.
    source_hash = hash_if_exists(chapter.source)
    modules = module_hashes()
    notebook = jupytext.read(chapter.source)
    given = dict(chapter.parameters)
    if given:
        _inject(notebook, given | ({"threads": threads} if "threads" in given else {}))
    n_cells = len(notebook.cells)
    notebook.cells.append(nbformat.v4.new_code_cell(RECORD_CELL))
    shutil.rmtree(paths.build_folder() / "figures" / chapter.name, ignore_errors=True)
    place = ""

    def start_cell(cell: Any, cell_index: int) -> None:
        nonlocal place
        number = f"cell {min(cell_index + 1, n_cells)} of {n_cells}"
        progress.start_cell(chapter.name, number)
        place = f"{number}, `{cards.first_line(cell.source)}`: "

    folder = chapter.source.parent
    error = await kernels.execute(
        notebook, folder=folder, timeout=timeout, on_cell_start=start_cell
    )
    recorded = "".join(output.get("text", "") for output in notebook.cells.pop().outputs)
    own = EMPTY_RECORD if error else json.loads(recorded)
    failed = place + error if error else next(cards.find_lint(notebook), "")
    if not (notebook.cells and notebook.cells[0].source.startswith("# ")):
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell(f"# {chapter.name}"))
    if failed:
        heading, _, rest = notebook.cells[0].source.partition("\n")
        failure = FAILURE_BANNER.format(failed=failed.replace("```", "'''"))
        notebook.cells[0].source = heading + failure + rest
    record = {
        "source": source_hash,
        "parameters": given,
        "threads": threads,
        **own,
        "failed": failed,
        "modules": {name: modules.get(name, "") for name in own["modules"]},
        "finished": time.strftime("%Y-%m-%d %H:%M:%S"),
        "seconds": round(time.monotonic() - start, 1),
    }
    return _store(chapter, notebook, record)


def _inject(notebook: Any, parameters: dict[str, Any]) -> None:
    """Insert the cell with parameters that papermill would insert."""
    from papermill.translators import translate_parameters  # not above: it is slow

    source = translate_parameters("python3", "python", parameters, "Parameters")
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": [INJECTED_TAG]})
    places = [place for place, cell in enumerate(notebook.cells) if "parameters" in tags(cell)]
    notebook.cells.insert(places[0] + 1, cell)


def update_prose(chapter: Chapter) -> bool:
    """Put a chapter's text around its outputs if only text has changed; return whether it has.

    The outputs are those of the last execution, which depend on code cells alone: every code cell
    and its tags, the kernel, the parameters, the modules and the used runs must be as they were.
    """
    if not chapter.has_valid_outputs:
        return False
    record = chapter.record | {"source": hash_if_exists(chapter.source)}
    executed = nbformat.read(chapter.executed, 4)
    source = jupytext.read(chapter.source)
    injected = [cell for cell in executed.cells if INJECTED_TAG in tags(cell)]
    code = [cell for cell in executed.cells if cell.cell_type == "code" and cell not in injected]
    new_code = [cell for cell in source.cells if cell.cell_type == "code"]
    has_same_code = [(cell.source, tags(cell)) for cell in code] == [
        (cell.source, tags(cell)) for cell in new_code
    ]
    has_same_kernel = source.metadata.kernelspec.name == executed.metadata.kernelspec.name
    if not (has_same_code and has_same_kernel and source.cells[0].source.startswith("# ")):
        return False
    executed.cells = []
    for cell in source.cells:
        executed.cells.append(code.pop(0) if cell.cell_type == "code" else cell)
        if "parameters" in tags(cell):
            executed.cells += injected
    _store(chapter, executed, record)
    return True


def _store(chapter: Chapter, notebook: Any, record: dict[str, Any]) -> dict[str, Any]:
    """Write an executed notebook and its record, and return the record with the notebook's hash."""
    files.write(chapter.executed, nbformat.writes(notebook))
    record = record | {"notebook": hash_if_exists(chapter.executed)}
    files.write(chapter.executed.with_suffix(".json"), json.dumps(record, indent=2))
    return record
