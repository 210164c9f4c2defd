"""Pair a chapter's source with its notebook in either direction, without losing an edit.

`book/02_train.py` is the source; `book/02_train.ipynb` beside it holds the same cells, without
outputs. Times of files say nothing after a clone or a checkout. So a file is overwritten only if
its cells are known: from the last pairing, kept in `_build/paired`, or from a committed source.
"""

import difflib
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from jupytext.combine import combine_inputs_with_outputs

from lexurn.base import files, paths
from lexurn.base.errors import StoreError
from lexurn.publish import cards
from lexurn.runs import provenance

FORMAT = {"extension": ".py", "format_name": "percent", "cell_metadata_filter": "tags,-all"}
HEADER = re.compile(r"\A# ---\n.*?^# ---\n+", re.DOTALL | re.MULTILINE)

PAPERMILL_TAGS = {cards.INJECTED_TAG, "papermill-error-cell-tag"}
"""Tags of the cells that papermill adds to a notebook."""

MAX_COMMITS = 20
"""Number of commits of a source, counted from the last one, that known cells are read from."""

MAX_NAMED = 5
"""Number of changed cells that a message names."""


def pair(source: Path, *, discard: bool = False) -> bool:
    """Write the notebook of a chapter from its source; return whether the notebook changed.

    Raises StoreError if the notebook cannot be read or has edits, unless these are to be discarded.
    """
    path = source.with_suffix(".ipynb")
    paired = jupytext.read(source)
    body = cells_as_text(paired)
    with suppress(FileNotFoundError, *[StoreError] * discard):
        notebook = _read_notebook(path)
        text = cells_as_text(notebook)
        if not discard and text != body and text not in _known_texts(source):
            raise StoreError(
                f"{path.name} has edits that {source.name} lacks: "
                f"{_changed_cells(text, _origin(text, source) or body)}; take them into "
                f"{source.name} by `lexurn adopt {source.stem}`, or drop them by `lexurn pair "
                f"--discard {source.stem}`"
            )
        paired = combine_inputs_with_outputs(paired, _without_outputs(notebook), FORMAT)
    files.write(_record(source), body)
    text = jupytext.writes(paired, "ipynb") + "\n"
    has_changed = not path.exists() or path.read_bytes() != text.encode()
    if has_changed:
        files.write(path, text)
    return has_changed


def adopt(source: Path, *, discard: bool = False) -> str:
    """Take the edits of a chapter's notebook into its source; return which cells have changed.

    The source keeps its header, and the notebook loses its outputs. Raises StoreError if the
    notebook cannot be read or holds a pasted picture, and if the source may have edits of its own,
    unless these are to be discarded.
    """
    path = source.with_suffix(".ipynb")
    try:
        notebook = _read_notebook(path)
    except FileNotFoundError:
        raise StoreError(
            f"{path.name} does not exist; write it by `lexurn pair {source.stem}`"
        ) from None
    text = cells_as_text(notebook)
    body = cells_as_text(jupytext.read(source))
    is_edited = text != body and (discard or text not in _known_texts(source))
    changed = _changed_cells(text, body) if is_edited else ""
    if changed and not discard and body != (origin := _origin(text, source)):
        reason = "has been edited too" if origin else "may have been too: git has no commit of it"
        raise StoreError(
            f"{path.name} has been edited ({changed}), but {source.name} {reason}; drop its own "
            f"edits by `lexurn adopt --discard {source.stem}`, or merge them: `git stash push "
            f"book/{source.name}`, `lexurn adopt {source.stem}`, commit, and `git stash pop`"
        )
    for place, cell in cards.places(notebook):
        if cell.get("attachments"):
            raise StoreError(
                f"{path.name}: {place} has a pasted picture, which {source.name} cannot hold; save "
                "the picture in book/assets, link it from there, and delete the pasted one"
            )
    if changed:
        header = HEADER.match(source.read_text())
        files.write(source, (header[0] if header else "") + text)
    pair(source)
    return changed


def cells_as_text(notebook: Any) -> str:
    """Return a notebook's cells, without those of papermill, as a source without its header."""
    cells = [cell for cell in notebook.cells if not cards.tags(cell) & PAPERMILL_TAGS]
    return HEADER.sub("", jupytext.writes(nbformat.v4.new_notebook(cells=cells), FORMAT))


def _read_notebook(path: Path) -> Any:
    """Return a notebook. Raises FileNotFoundError, and StoreError for a file that is none."""
    content = path.read_bytes()
    try:
        notebook = jupytext.reads(content.decode(), "ipynb")
        notebook = nbformat.v4.upgrade(notebook, notebook.nbformat, notebook.nbformat_minor)
        nbformat.validate(notebook, relax_add_props=True)
        return notebook
    except Exception as error:  # of many classes: JSON's, Unicode's, nbformat's, and built-in ones
        raise StoreError(
            f"{path.name} cannot be read as a notebook ({str(error).partition(chr(10))[0]}); "
            f"repair it, or write it anew from its source by `lexurn pair --discard {path.stem}`"
        ) from None


def _without_outputs(notebook: Any) -> Any:
    """Return a notebook's cells with nothing but their sources and ids."""
    bare = nbformat.v4.new_notebook()
    for cell in notebook.cells:
        new_cell = getattr(nbformat.v4, f"new_{cell.cell_type}_cell")
        bare.cells.append(new_cell(cell.source, id=cell.id))
    return bare


def _record(source: Path) -> Path:
    return paths.build_folder() / "paired" / source.name


def _known_texts(source: Path) -> Iterator[str]:
    """Yield the cells of the last pairing here, then those of committed sources, from the last."""
    with suppress(FileNotFoundError):
        yield _record(source).read_text()
    git = partial(provenance.git, folder=source.parent)
    commits = git("log", f"-{MAX_COMMITS}", "--format=%H", "--", source.name) or ""
    for commit in commits.split():
        committed = git("show", f"{commit}:./{source.name}") or ""
        yield cells_as_text(_read_text(committed))


def _origin(text: str, source: Path) -> str | None:
    """Return the known cells that are most similar to those of a text; None if none are known."""
    lines = difflib.SequenceMatcher(None, b=text.splitlines(), autojunk=False)

    def similarity(known: str) -> float:
        lines.set_seq1(known.splitlines())
        return lines.ratio()

    return max(_known_texts(source), key=similarity, default=None)


def _changed_cells(text: str, origin: str) -> str:
    """Return the places of the cells of a text that its origin does not have."""
    known = [(cell.cell_type, cell.source, cards.tags(cell)) for cell in _read_text(origin).cells]
    changed = [
        place
        for place, cell in cards.places(_read_text(text))
        if (cell.cell_type, cell.source, cards.tags(cell)) not in known
    ]
    if len(changed) > MAX_NAMED:
        changed[MAX_NAMED:] = [f"and {len(changed) - MAX_NAMED} more"]
    return ", ".join(changed) or "cells that are removed or moved"


def _read_text(text: str) -> Any:
    return jupytext.reads(text, FORMAT)
