"""Stage an executed notebook for its page: quiet, with figures as files and numbered captions.

An executed notebook travels, so its figures hold all their files as data links, and explorables
their scripts. On the site these are files beside the page. A caption stands directly below its
picture and has a number, to which {numref}`02_train-training` refers: the names of the page and of
the figure. Progress lines are left out, and one line in place of the injected cell says which
parameters differ from the defaults.
"""

import ast
import base64
import json
import re
from typing import Any

from lexurn.base import files
from lexurn.figures import CARD_TYPE
from lexurn.publish.cards import INJECTED_TAG, WIDGETS, as_code, as_text, tags
from lexurn.settings import names, parameter_cells

FOLDER = "_static/figures"
SCRIPTS = "_static/explorables"
SCRIPT = re.compile(r'<script data-file="([\w.]+)">(.*?)</script>', re.DOTALL)
DATA_LINK = r'"data:\w+/(png|csv|json);base64,([^"]*)"'
CAPTION = r"<figcaption>.*?</figcaption>"
MARKUP = (  # of captions: code and references, formulas, stress
    r"((?:\{(?:numref|eq|term|cite(?::\w+)?)\})?`[^`]+`"
    r"|\$(?! )(?:(?!\{\{)[^$`<])+(?<! )\$|\*\w[\w ]*\*)"
)
CODE = "# shown by the cell above"  # Sphinx leaves out cells without code


def stage(page: str, notebook: dict[str, Any]) -> dict[str, bytes]:
    """Return the staged files of the page with this name: its notebook, and its figures' files."""
    contents: dict[str, bytes] = {}
    cells: list[dict[str, Any]] = []
    for cell in notebook["cells"]:
        outputs = []
        for output in cell.get("outputs", []):
            if CARD_TYPE in output.get("data", {}):
                outputs += _unpack(page, output, notebook, contents)
            elif output.get("metadata", {}).get("lexurn") != files.PROGRESS["lexurn"]:
                outputs.append(output)
        if INJECTED_TAG in tags(cell):
            cells += _differences(cell)
        else:
            cells += _split(cell, outputs) if "outputs" in cell else [cell]
    contents[f"{page}.ipynb"] = json.dumps(notebook | {"cells": cells}).encode()
    return contents


def _differences(injected: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a cell that names the injected parameters that are not the defaults, if any."""
    values = parameter_cells.assignments(ast.parse("".join(injected["source"])))
    texts = [
        "{} (default {})".format(
            as_code(f"{name} = {value!r}"), as_code(repr(names.schema_of(name)["default"]))
        )
        for name, value in parameter_cells.differing_from_defaults(values).items()
    ]
    text = f"This page was executed with {', '.join(texts)}."
    line = {"cell_type": "markdown", "id": injected["id"], "metadata": {}, "source": text}
    return [line] if texts else []


def _unpack(
    page: str, output: dict[str, Any], notebook: dict[str, Any], contents: dict[str, bytes]
) -> list[dict[str, Any]]:
    """Return a figure, and its links and card as an output that follows it.

    The files in its data links are added to `contents`. What myst-nb has to know about a caption is
    put into the figure's metadata. The card of a flipbook is in the state of one of its widgets.
    """
    data = dict(output["data"])
    about = data.pop(CARD_TYPE)["about"]
    name = f"{page}-{about['name']}"
    widgets = notebook["metadata"].get("widgets", {}).get(WIDGETS, {}).get("state", {})
    states = [model["state"] for model in widgets.values()]
    cards = [state for state in states if f'id="figure-{about["name"]}"' in str(state.get("value"))]
    holder, key = (cards[0], "value") if cards else (data, "text/html")
    html = "".join(holder.get(key, ""))  # no widget has a state where the chapter failed
    for ending, code in re.findall(DATA_LINK, html):
        contents[f"{FOLDER}/{name}.{ending}"] = base64.b64decode(code)
    for file, code in SCRIPT.findall(html):
        contents[f"{SCRIPTS}/{file}"] = code.encode()
    html = SCRIPT.sub(rf'<script src="{SCRIPTS}/\1"></script>', html)
    html = re.sub(DATA_LINK, rf'"{FOLDER}/{name}.\1"', re.sub(CAPTION, "", html, flags=re.DOTALL))
    picture, end, card = html.partition("</figure>")
    holder[key] = f"{picture}{end}</div>"
    figure = {"name": name, "caption": _caption(about["caption"])}
    return [
        output | {"data": data, "metadata": {"figure": figure} if about["caption"] else {}},
        output | {"data": {"text/html": f'<div class="lexurn-card">{card}'}},
    ]


def _caption(text: str) -> str:
    """Return a caption in Markdown: `code`, *stress*, $formulas$ and references, and plain text."""
    parts = re.split(MARKUP, " ".join(text.split()))
    return "".join(part if number % 2 else as_text(part) for number, part in enumerate(parts))


def _split(cell: dict[str, Any], outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a cell with a caption as one cell per output, the first with the code.

    myst-nb would put a cell's caption below each of its outputs.
    """
    figures = [output.get("metadata", {}).get("figure") for output in outputs]
    if not any(figures):
        return [cell | {"outputs": outputs}]
    cells = []
    for number, (output, figure) in enumerate(zip(outputs, figures, strict=True)):
        metadata = cell["metadata"] | ({"mystnb": {"figure": figure}} if figure else {})
        part = cell | {"metadata": metadata, "outputs": [output]}
        if number:
            metadata["tags"] = [*tags(cell), "remove-input"]
            part |= {"source": CODE, "id": f"{cell['id']}-{number}"}
        cells.append(part)
    return cells
