"""Take over a chapter's new prose without executing the chapter again."""

import json
from itertools import pairwise
from typing import Any

import jupytext
import nbformat

from lexurn.base import files
from lexurn.publish.dependencies import Chapter, hash_if_exists

INJECTED = "injected-parameters"  # papermill's tag of the cell that it adds


def update(chapter: Chapter) -> bool:
    """Put a chapter's text around its outputs if only text has changed; return whether it has.

    The outputs are those of the last execution, which depend on code cells alone: every code cell
    and its tags, the kernel, the parameters, the modules and the used runs must be as they were.
    """
    record = chapter.record
    if not chapter.has_valid_outputs:
        return False
    source_hash = hash_if_exists(chapter.source)
    executed = nbformat.read(chapter.executed, 4)
    source = jupytext.read(chapter.source)
    if _code(source) != _code(executed) or not source.cells[0].source.startswith("# "):
        return False
    executed_cells = [cell for cell in executed.cells if cell.cell_type == "code"]
    own_cells = iter([cell for cell in executed_cells if INJECTED not in _tags(cell)])
    cells = [next(own_cells) if cell.cell_type == "code" else cell for cell in source.cells]
    for previous, cell in pairwise(executed_cells):
        if INJECTED in _tags(cell):
            cells.insert(cells.index(previous) + 1, cell)
    executed.cells = cells
    files.write(chapter.executed, nbformat.writes(executed))
    record |= {"source": source_hash, "notebook": hash_if_exists(chapter.executed)}
    files.write(chapter.executed.with_suffix(".json"), json.dumps(record, indent=2))
    return True


def _code(notebook: Any) -> list[Any]:
    """Return the kernel's name, and source and tags of every code cell but papermill's."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    own = [(cell.source, _tags(cell)) for cell in cells if INJECTED not in _tags(cell)]
    return [notebook.metadata.kernelspec.name, *own]


def _tags(cell: Any) -> list[str]:
    return cell.metadata.get("tags", [])
