"""What chapters that meet the chapter standard are held to, in their sources and their outputs."""

import re
from collections.abc import Iterator
from typing import Any

import nbformat

from lexurn.publish import cards, quiet

CHAPTERS = ("02_train",)
"""The chapters that meet the standard. A chapter is added once it does."""

MAX_LINE_LENGTH = 88
MAX_CELL_LINES = 12
MAX_COLUMNS = 6
MIN_CAPTION_WORDS = 6

HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell", quiet.INJECTED_TAG}
"""Tags of cells whose code a page does not show, or only after a click."""

IMAGE = re.compile(r"<img\b|!\[[^\]]*\]\(")
HEAD = re.compile(r"<thead\b.*?</tr>", re.DOTALL)
VERB = re.compile(
    r"\b(is|are|was|were|be|becomes?|has|have|had|does|do|did|can|cannot|may|must|will|would"
    r"|stays?|keeps?|comes?|goes|gets?|makes?|takes?|gives?|shows?|tells?|knows?|needs?|means?"
    r"|costs?|depends?|separates?|learns?|loses?|gains?|falls?|rises?|grows?|shrinks?|moves?"
    r"|ends?|begins?|starts?|stops?|counts?|predicts?|differs?|agrees?|lies?|fits?|helps?|works?"
    r"|fails?|increases?|decreases?|approach(es)?|reach(es)?|match(es)?|exceeds?|explains?"
    r"|\w{3,}ed)\b"
)
"""A verb that a sentence about a finding is likely to have."""


def find_lint(notebook: Any) -> Iterator[str]:
    """Yield all findings on an executed notebook."""
    yield from find_source_lint(notebook)
    yield from find_output_lint(notebook)


def find_source_lint(chapter: Any) -> Iterator[str]:
    """Yield a finding per line, cell and picture of a chapter's source that breaks the standard."""
    for place, cell in _places(chapter):
        if cell.cell_type == "markdown" and IMAGE.search(cell.source):
            yield f"{place}: a picture without a card; draw it by lexurn.figure(...)"
        tags = {*cell.metadata.get("tags", [])}
        if cell.cell_type != "code" or tags & HIDDEN:
            continue
        lines = cell.source.split("\n")
        if len(lines) > MAX_CELL_LINES and "parameters" not in tags:
            yield (
                f"{place}: shows {len(lines)} lines, over {MAX_CELL_LINES}; split the cell, or "
                "tag it hide-input"
            )
        for line in lines:
            if len(line) > MAX_LINE_LENGTH:
                yield f"{place}: `{line}` has {len(line)} columns, over {MAX_LINE_LENGTH}; break it"


def find_output_lint(notebook: Any) -> Iterator[str]:
    """Yield a finding per figure without a caption that states a finding, and per wrong table."""
    for place, cell in _places(notebook):
        alone = nbformat.v4.new_notebook(cells=[cell])
        for card in cards.read_cards(alone):
            if problem := _caption_problem(card.about.get("caption", "")):
                yield (
                    f"{place}: figure {card.about['name']} {problem}; "
                    'state the finding: figure(..., caption="Lexical models lose less than ...")'
                )
        for output in cell.get("outputs", []):
            page = "".join(output.get("data", {}).get("text/html", ""))
            if 'class="dataframe"' in page:
                yield f"{place}: a table as pandas prints it; show it by lexurn.table(...)"
            for head in HEAD.findall(page):
                n_columns = len(re.findall(r"<th\b", head))
                if n_columns > MAX_COLUMNS:
                    yield (
                        f"{place}: a table of {n_columns} columns, over {MAX_COLUMNS}; choose the "
                        "ones that readers need by lexurn.table(..., columns={...})"
                    )


def _caption_problem(caption: str) -> str:
    if not caption:
        return "has no caption"
    if len(caption.split()) < MIN_CAPTION_WORDS or not VERB.search(caption):
        return f"has a label as its caption, `{caption}`"
    return ""


def _places(notebook: Any) -> Iterator[tuple[str, Any]]:
    """Yield each cell with its number and its first line."""
    for number, cell in enumerate(notebook.cells, 1):
        first = next(iter(cell.source.strip().splitlines()), "").strip()
        yield f"cell {number} of {len(notebook.cells)}, `{first}`", cell
