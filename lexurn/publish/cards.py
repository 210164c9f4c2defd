"""The figure cards in an executed notebook, and pictures that have none.

A card (see `lexurn.figures.figure_card`) links to its own data, so that everything is found in the notebook itself, in its outputs
or in the state of its widgets. A picture belongs to a card if the card knows its hash.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

OTHERS = r"<(?:svg|canvas|video|object|embed|iframe)\b|!\[[^\]]*\]\(|\bbackground(?:-image)?:[^;\"]*url\("
IMAGE = r"<img\b[^>]*>"
DATA = r'"data:{kind};base64,([^"]*)"'
WIDGETS = "application/vnd.jupyter.widget-state+json"


@dataclass(frozen=True)
class Found:
    """A card of a notebook: what it was made with, and its table as CSV."""

    about: dict[str, Any]
    table: bytes


@dataclass
class Seen:
    """What is shown somewhere: the hashes of PNGs in HTML, and whether there is any other kind of picture."""

    pngs: list[str] = field(default_factory=list)
    other: bool = False


def cards(notebook: Any) -> list[Found]:
    """All cards of a notebook, in the order in which they are shown, those in widgets last."""
    found = []
    for text in (text for _, tree in _places(notebook) for text in _texts(tree)):
        abouts = re.findall(DATA.format(kind="application/json"), text)
        csvs = re.findall(DATA.format(kind="text/csv"), text)
        for about, table in zip(abouts, csvs, strict=False):
            about = json.loads(base64.b64decode(about))
            if isinstance(about, dict) and {"drawing", "pictures", "name"} <= set(about):
                found.append(Found(about, base64.b64decode(table)))
    return found


def pictures(notebook: Any) -> list[str]:
    """The hashes of all PNGs that a notebook shows in HTML."""
    return [png for _, tree in _places(notebook) for png in _seen(tree).pngs]


def faults(notebook: Any) -> Iterator[str]:
    """A line for each place that shows a picture around its card, and for each name that two figures have."""
    found = cards(notebook)
    known = {png for card in found for png in card.about["pictures"]}
    names = [card.about["name"] for card in found]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{names.count(name)} figures are named {name}; give each but one another, figure(..., name=...)"
    for place, tree in _places(notebook):
        seen = _seen(tree)
        if seen.other or not known.issuperset(seen.pngs):
            yield f"{place}: shows a picture without a card; draw it by lexurn.figure(plot_function, table, ...)"


def _places(notebook: Any) -> Iterator[tuple[str, Any]]:
    """Where pictures may be: each cell's outputs, by the cell's number and first line, and the widgets' states."""
    n_cells = len(notebook.cells)
    for number, cell in enumerate(notebook.cells, 1):
        first = next((line.strip() for line in cell.source.splitlines() if line.strip()), "")
        for output in cell.get("outputs", []):
            yield f"cell {number} of {n_cells}, `{first}`", output.get("data", {})
    state = notebook.metadata.get("widgets", {}).get(WIDGETS, {}).get("state", {})
    yield "a widget", {**state}


def _texts(tree: Any) -> Iterator[str]:
    """All texts that a browser may take for HTML: those of outputs that are, and whatever widgets hold."""
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, dict):
        for name, branch in tree.items():
            if name not in ("text/plain", "text/latex", WIDGETS):
                yield from _texts(branch)
    elif isinstance(tree, list):
        for branch in tree:
            yield from _texts(branch)


def _seen(tree: Any) -> Seen:
    seen = Seen(other=_has_images(tree))
    for text in _texts(tree):
        for image in re.findall(IMAGE, text):
            png = re.search(DATA.format(kind="image/png"), image)
            if png:
                seen.pngs.append(hashlib.sha256(base64.b64decode(png[1])).hexdigest())
            else:
                seen.other = True
        seen.other |= bool(re.search(OTHERS, text))
    return seen


def _has_images(tree: Any) -> bool:
    """Whether there is an output of an image's own type, or a widget that holds one."""
    if isinstance(tree, dict):
        named = any(name.startswith("image/") for name in tree)
        return (
            named
            or tree.get("_model_name") in ("ImageModel", "VideoModel")
            or any(map(_has_images, tree.values()))
        )
    return isinstance(tree, list) and any(map(_has_images, tree))
