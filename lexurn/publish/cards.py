"""What executed notebooks show: their figure cards, and what is wrong with their outputs.

A card (see `lexurn.figures.figure_card`) is one of the forms of the output that shows its figure,
under a MIME type of its own. A picture belongs to a card if the card lists the picture's hash.
Captions state findings, and tables are made by `lexurn.table`, which keeps them narrow.
"""

import base64
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from lexurn.base.files import hash_bytes
from lexurn.figures import CARD_TYPE

INJECTED_TAG = "injected-parameters"
"""The tag that papermill gives the cell with the parameters that it was called with."""

IMAGE = r"<img\b[^>]*>"
OTHER_PICTURES = (
    r"<(?:svg|canvas|video|object|embed|iframe)\b|!\[[^\]]*\]\("
    r"|\bbackground(?:-image)?:[^;\"]*url\("
)
PNG = r'"data:image/png;base64,([^"]*)"'
WIDGETS = "application/vnd.jupyter.widget-state+json"
NOT_HTML = ("text/plain", "text/latex", WIDGETS, CARD_TYPE)

MIN_CAPTION_WORDS = 6
VERB = re.compile(
    r"\b(is|are|was|were|be|becomes?|has|have|had|does|do|did|can|cannot|may|must|will|would"
    r"|stays?|keeps?|comes?|goes|gets?|makes?|takes?|gives?|shows?|tells?|knows?|needs?|means?"
    r"|costs?|depends?|separates?|learns?|loses?|gains?|falls?|rises?|grows?|shrinks?|moves?"
    r"|ends?|begins?|starts?|stops?|counts?|predicts?|differs?|agrees?|lies?|fits?|helps?|works?"
    r"|fails?|increases?|decreases?|approach(es)?|reach(es)?|match(es)?|exceeds?|explains?"
    r"|\w{3,}ed)\b"
)
"""A verb that a sentence about a finding is likely to have."""


def tags(cell: Any) -> set[str]:
    """Return the tags of a cell."""
    return {*cell["metadata"].get("tags", [])}


def first_line(text: str) -> str:
    """Return the first line of a text that is not empty, with at most 200 characters."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= 200 else f"{line[:198]} …"


def places(notebook: Any) -> Iterator[tuple[str, Any]]:
    """Yield each cell of a notebook with its place: its number and its first line."""
    for number, cell in enumerate(notebook.cells, 1):
        yield f"cell {number} of {len(notebook.cells)}, `{first_line(cell.source)}`", cell


def as_code(text: str) -> str:
    """Return a text as code in Markdown, whatever it holds, in one line."""
    return "`{}`".format(" ".join(text.replace("`", "'").split()))


def as_text(text: str) -> str:
    """Return Markdown that shows a text as it is, whatever it holds, in one line.

    A row of a table still has to escape `|`.
    """
    return re.sub(r"[!-/:-@\[-`{}~]", r"\\\g<0>", re.sub(r"\s+", " ", text))


def find_lint(notebook: Any) -> Iterator[str]:
    """Yield what breaks the chapter standard in what an executed notebook shows.

    These are a figure name used twice, a picture without a card, a caption that states no finding,
    and a table that `lexurn.table` has not made.
    """
    outputs = list(_outputs(notebook))
    abouts = [output[CARD_TYPE]["about"] for _, output in outputs if CARD_TYPE in output]
    known = {png for about in abouts for png in about["pictures"]}
    for name, number in Counter(about["name"] for about in abouts).items():
        if number > 1:
            yield (
                f"{number} figures have the name {name}; "
                "give every figure its own by figure(..., name=...)"
            )
    for place, output in outputs:
        if any(_shows_picture_beside(known, node) for node in _nodes(output)):
            yield (
                f"{place}: shows a picture without a card; "
                "draw it by lexurn.figure(plot_function, table, ...)"
            )
        about = output.get(CARD_TYPE, {}).get("about")
        if about and (problem := find_caption_problem(about["caption"])):
            yield (
                f"{place}: figure {about['name']} {problem}; "
                'state the finding: figure(..., caption="Lexical models lose less than ...")'
            )
        if 'class="dataframe"' in "".join(output.get("text/html", "")):
            yield f"{place}: a table as pandas prints it; show it by lexurn.table(...)"


def _outputs(notebook: Any) -> Iterator[tuple[str, Any]]:
    """Yield the data of each cell's outputs with the cell's place, and all widgets' states."""
    for place, cell in places(notebook):
        for output in cell.get("outputs", []):
            yield place, output.get("data", {})
    yield "a widget", notebook.metadata.get("widgets", {}).get(WIDGETS, {}).get("state", {})


def _nodes(tree: Any) -> Iterator[str | dict[str, Any]]:
    """Yield all mappings of a tree, and all texts that a browser may interpret as HTML."""
    if isinstance(tree, str | dict):
        yield tree
    if isinstance(tree, dict):
        tree = [tree[name] for name in tree if name not in NOT_HTML]
    if isinstance(tree, list):
        for branch in tree:
            yield from _nodes(branch)


def _shows_picture_beside(known: set[str], node: str | dict[str, Any]) -> bool:
    """Return whether a mapping or a text shows a picture whose hash is not known."""
    if isinstance(node, dict):
        is_media = node.get("_model_name") in ("ImageModel", "VideoModel")
        return is_media or any(name.startswith("image/") for name in node)
    images = re.findall(IMAGE, node)
    pngs = [hash_bytes(base64.b64decode(png)) for png in re.findall(PNG, " ".join(images))]
    has_other = len(pngs) < len(images) or re.search(OTHER_PICTURES, node)
    return bool(has_other) or not known.issuperset(pngs)


def find_caption_problem(caption: str) -> str:
    """Return what keeps a caption from stating a finding, or the empty text."""
    if not caption:
        return "has no caption"
    if len(caption.split()) < MIN_CAPTION_WORDS or not VERB.search(caption):
        return f"has a label as its caption, `{caption}`"
    return ""
