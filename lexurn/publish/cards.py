"""Read the figure cards of an executed notebook, and find pictures without a card.

A card (see `lexurn.figures.figure_card`) is one of the forms of the output that shows its figure,
under a MIME type of its own. A picture belongs to a card if the card lists the picture's hash.
"""

import base64
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lexurn.base.files import hash_bytes
from lexurn.figures import CARD_TYPE

IMAGE = r"<img\b[^>]*>"
OTHER_PICTURES = (
    r"<(?:svg|canvas|video|object|embed|iframe)\b|!\[[^\]]*\]\("
    r"|\bbackground(?:-image)?:[^;\"]*url\("
)
PNG = r'"data:image/png;base64,([^"]*)"'
WIDGETS = "application/vnd.jupyter.widget-state+json"
NOT_HTML = ("text/plain", "text/latex", WIDGETS, CARD_TYPE)


@dataclass(frozen=True)
class NotebookCard:
    """A card read from a notebook: the figure's description, and its table as CSV."""

    about: dict[str, Any]
    table: bytes

    @property
    def caption(self) -> str:
        """Return the figure's caption, empty if it has none."""
        return self.about.get("caption", "")


def read_cards(notebook: Any) -> list[NotebookCard]:
    """Return all cards of a notebook in the order of its outputs."""
    found = [output[CARD_TYPE] for _, output in _outputs(notebook) if CARD_TYPE in output]
    return [NotebookCard(card["about"], card["table"].encode()) for card in found]


def find_lint(notebook: Any) -> Iterator[str]:
    """Yield a finding per figure name used twice and per output with a picture but no card."""
    cards = read_cards(notebook)
    known = {png for card in cards for png in card.about["pictures"]}
    names = Counter(card.about["name"] for card in cards)
    for name, number in sorted(names.items()):
        if number > 1:
            yield (
                f"{number} figures have the name {name}; "
                "give every figure its own by figure(..., name=...)"
            )
    for place, output in _outputs(notebook):
        if any(_shows_picture_beside(known, node) for node in _nodes(output)):
            yield (
                f"{place}: shows a picture without a card; "
                "draw it by lexurn.figure(plot_function, table, ...)"
            )


def _outputs(notebook: Any) -> Iterator[tuple[str, Any]]:
    """Yield the data of each cell's outputs with the cell's place, and all widgets' states."""
    n_cells = len(notebook.cells)
    for number, cell in enumerate(notebook.cells, 1):
        first_line = next(iter(cell.source.strip().splitlines()), "").strip()
        for output in cell.get("outputs", []):
            yield f"cell {number} of {n_cells}, `{first_line}`", output.get("data", {})
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
    data = [match[1] for image in images for match in re.finditer(PNG, image)]
    pngs = [hash_bytes(base64.b64decode(png)) for png in data]
    has_other = len(pngs) < len(images) or re.search(OTHER_PICTURES, node)
    return bool(has_other) or not known.issuperset(pngs)
