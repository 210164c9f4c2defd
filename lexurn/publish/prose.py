"""Take over a chapter's new prose without executing the chapter again."""

import json
from typing import Any

import jupytext
import nbformat

from lexurn.base import files
from lexurn.publish.dependencies import Chapter, hash_if_exists


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
    if _code(source) != _code(executed):
        return False
    outputs = iter([cell for cell in executed.cells if cell.cell_type == "code"])
    cells = []
    for cell in source.cells:
        if cell.cell_type != "code":
            cells.append(cell)
            continue
        cells.append(next(outputs))
        if chapter.parameters and "parameters" in cell.metadata.get("tags", []):
            cells.append(next(outputs))  # papermill's cell
    if not cells[0].source.startswith("# "):
        cells.insert(0, nbformat.v4.new_markdown_cell(f"# {chapter.name}"))
    executed.cells = cells
    files.write(chapter.executed, nbformat.writes(executed))
    record |= {"source": source_hash, "notebook": hash_if_exists(chapter.executed)}
    files.write(chapter.executed.with_suffix(".json"), json.dumps(record, indent=2))
    return True


def _code(notebook: Any) -> list[Any]:
    """Return the kernel's name, and source and tags of every code cell but papermill's."""
    cells = [
        (cell.source, cell.metadata.get("tags", []))
        for cell in notebook.cells
        if cell.cell_type == "code" and "injected-parameters" not in cell.metadata.get("tags", [])
    ]
    return [notebook.metadata.kernelspec.name, *cells]
