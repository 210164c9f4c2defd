"""Figures on the site: files beside the page in place of data links, and numbered captions.

An executed notebook travels, so its figures hold all their files as data links. On the site these
are files, and captions have numbers, to which {numref}`02_train-training` refers: the names of the
page and of the figure.
"""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from lexurn.figures import CARD_TYPE
from lexurn.publish.cards import WIDGETS

FOLDER = "_static/figures"
ENDINGS = {"image/png": "png", "text/csv": "csv", "application/json": "json"}
DATA_LINK = rf'"data:({"|".join(ENDINGS)});base64,([^"]*)"'
CODE = "# shown by the cell above"  # Sphinx leaves out cells without code
CAPTION = r"<figcaption>.*?</figcaption>"


def unpack(page: str, notebook: bytes) -> dict[str, bytes]:
    """Return the staged files of the page with this name: its notebook, and its figures' files."""
    content = json.loads(notebook)
    contents: dict[str, bytes] = {}
    cells = [part for cell in content["cells"] for part in _split(cell)]
    for cell in cells:
        for data in [output.get("data", {}) for output in cell.get("outputs", [])]:
            if CARD_TYPE not in data:
                continue
            about = data.pop(CARD_TYPE)["about"]
            text = "".join(data.get("text/html", ""))
            if about.get("caption"):
                options = {"name": f"{page}-{about['name']}", "caption": about["caption"]}
                cell["metadata"]["mystnb"] = {"figure": options}
                text = re.sub(CAPTION, "", text, flags=re.DOTALL)
                _drop_widget_caption(content, about["name"])
            stem = f"{FOLDER}/{page}/{about['name']}"
            for media_type, code in re.findall(DATA_LINK, text):
                contents[f"{stem}.{ENDINGS[media_type]}"] = base64.b64decode(code)
            if text:
                data["text/html"] = re.sub(
                    DATA_LINK, lambda link, stem=stem: f'"{stem}.{ENDINGS[link[1]]}"', text
                )
    staged = json.dumps(content | {"cells": cells}, ensure_ascii=False)
    return contents | {f"{page}.ipynb": staged.encode()}


def _split(cell: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a cell with a captioned figure as one cell per output, since myst-nb numbers cells.

    The first one keeps the code.
    """
    outputs = cell.get("outputs", [])
    cards = [output.get("data", {}).get(CARD_TYPE) for output in outputs]
    if len(outputs) < 2 or not any(card and card["about"].get("caption") for card in cards):
        return [cell]
    metadata = cell["metadata"]
    tags = [*metadata.get("tags", []), "remove-input"]
    parts = [{**cell, "metadata": {**metadata}, "outputs": outputs[:1]}]
    for number, output in enumerate(outputs[1:], 1):
        part = {**cell, "source": CODE, "metadata": {**metadata, "tags": tags}, "outputs": [output]}
        parts.append(part | ({"id": f"{cell['id']}-{number}"} if "id" in cell else {}))
    return parts


def _drop_widget_caption(content: Mapping[str, Any], name: str) -> None:
    """Remove a flipbook's caption from its widgets, because it stands below them with a number."""
    widgets = content["metadata"].get("widgets", {}).get(WIDGETS, {}).get("state", {})
    for state in [model["state"] for model in widgets.values()]:
        if f'id="figure-{name}"' in str(state.get("value", "")):
            state["value"] = re.sub(CAPTION, "", state["value"], flags=re.DOTALL)
