"""Read the figure cards of an executed notebook, and find pictures without a card.

A card (see `lexurn.figures.figure_card`) contains its own data, so it can be read from the notebook
alone: from the outputs of a cell or the state of a widget. A picture belongs to a card if the card
lists the picture's hash.
"""

import base64
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lexurn.base.files import hash_bytes

IMAGE = r"<img\b[^>]*>"
OTHER_PICTURES = (
    r"<(?:svg|canvas|video|object|embed|iframe)\b|!\[[^\]]*\]\("
    r"|\bbackground(?:-image)?:[^;\"]*url\("
)
DATA = r'"data:{media_type};base64,([^"]*)"'
WIDGETS = "application/vnd.jupyter.widget-state+json"


@dataclass(frozen=True)
class NotebookCard:
    """A card read from a notebook: the figure's description, and its table as CSV."""

    about: dict[str, Any]
    table: bytes


def read_cards(notebook: Any) -> list[NotebookCard]:
    """Return all cards of a notebook in the order of its outputs, those in widgets last."""
    cards = []
    for text in _all_texts(notebook):
        abouts = map(json.loads, _decode_data(text, "application/json"))
        for about, table in zip(abouts, _decode_data(text, "text/csv"), strict=False):
            if isinstance(about, dict) and {"drawing", "pictures", "name"} <= set(about):
                cards.append(NotebookCard(about, table))
    return cards


def picture_hashes(notebook: Any) -> list[str]:
    """Return the hashes of all PNG pictures that a notebook shows in HTML."""
    return [png for text in _all_texts(notebook) for png in _png_hashes(text)[0]]


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
        has_other = _has_image_data(output)
        for text in _texts(output):
            pngs, has_other_image = _png_hashes(text)
            has_other |= has_other_image or not known.issuperset(pngs)
        if has_other:
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


def _all_texts(notebook: Any) -> Iterator[str]:
    return _texts([output for _, output in _outputs(notebook)])


def _texts(tree: Any) -> Iterator[str]:
    """Yield all texts that a browser may interpret as HTML."""
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, dict):
        not_html = ("text/plain", "text/latex", WIDGETS)
        yield from _texts([tree[name] for name in tree if name not in not_html])
    elif isinstance(tree, list):
        for branch in tree:
            yield from _texts(branch)


def _decode_data(text: str, media_type: str) -> list[bytes]:
    return [base64.b64decode(data) for data in re.findall(DATA.format(media_type=media_type), text)]


def _png_hashes(text: str) -> tuple[list[str], bool]:
    """Return the hashes of PNG images in HTML, and whether it has any picture of another kind."""
    images = re.findall(IMAGE, text)
    pngs = [hash_bytes(png) for image in images for png in _decode_data(image, "image/png")]
    return pngs, len(pngs) < len(images) or bool(re.search(OTHER_PICTURES, text))


def _has_image_data(tree: Any) -> bool:
    if isinstance(tree, dict):
        is_image = any(name.startswith("image/") for name in tree)
        is_image |= tree.get("_model_name") in ("ImageModel", "VideoModel")
        return is_image or any(map(_has_image_data, tree.values()))
    return isinstance(tree, list) and any(map(_has_image_data, tree))
