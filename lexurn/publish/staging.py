"""Stage an executed notebook for its page: quiet, with figures as files and numbered captions.

An executed notebook travels, so its figures hold all their files as data links, and explorables
their scripts and data. On the site these are files beside the page. A caption stands directly below
its picture and has a number, to which {numref}`02_train-training` refers: the names of the page and
of the figure. Progress lines are left out, and one line in place of the injected cell says which
parameters differ from the defaults.
"""

import ast
import base64
import json
import re
from typing import Any

from lexurn.base import files, paths
from lexurn.figures import CARD_TYPE
from lexurn.publish.cards import INJECTED_TAG, WIDGETS, as_code, as_text, tags
from lexurn.settings import names, parameter_cells

FOLDER = "_static/figures"
SCRIPTS = "_static/explorables"
SCRIPT = re.compile(r'<script data-file="([\w.]+)">(.*?)</script>', re.DOTALL)
DATA = re.compile(r'<script type="application/json">(.*?)</script>', re.DOTALL)
LOADER = "load.js"
FALLBACK = '<div class="fallback"'  # alone, it scrolls where it is too wide, as figures do
EXPLORABLE, EXPLORABLE_END = '<div class="explorable tex2jax_ignore mathjax_ignore"', "\n</div>"
DATA_LINK = r'"data:\w+/(png|csv|json);base64,([^"]*)"'
CAPTION = r"<figcaption>.*?</figcaption>"
MARKUP = (  # of captions: code and references, formulas, stress
    r"((?:\{(?:numref|eq|term|cite(?::\w+)?)\})?`[^`]+`"
    r"|\$(?! )(?:(?!\{\{)[^$`<])+(?<! )\$|\*\w[\w ]*\*)"
)
DATA_FILE = (  # a script, because a page that is opened as a file cannot fetch data
    "globalThis.lexurn = globalThis.lexurn || {{}};\n"
    "(lexurn.data = lexurn.data || {{}})['{name}'] = {data};\n"
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
    html = re.sub(DATA_LINK, rf'"{FOLDER}/{name}.\1"', re.sub(CAPTION, "", html, flags=re.DOTALL))
    html = _unpack_explorable(name, html, contents)
    picture, end, card = html.partition("</figure>")
    holder[key] = f"{picture}{end}</div>"
    figure = {"name": name, "caption": _caption(about["caption"])}
    return [
        output | {"data": data, "metadata": {"figure": figure} if about["caption"] else {}},
        output | {"data": {"text/html": f'<div class="lexurn-card">{card}'}},
    ]


def _unpack_explorable(name: str, html: str, contents: dict[str, bytes]) -> str:
    """Return an output whose explorable, if there is one, has its scripts and data in files.

    The explorable alone is a file too, so that another page can show it.
    """
    if not (data := DATA.search(html)):
        return html
    needed = {file: code.encode() for file, code in SCRIPT.findall(html)}
    needed[f"{name}.js"] = DATA_FILE.format(name=f"{name}.js", data=data[1]).encode()
    order = " ".join(needed)
    needed[LOADER] = (paths.root() / "book" / "assets" / "explorables" / LOADER).read_bytes()
    before, start, rest = SCRIPT.sub("", DATA.sub("", html)).partition(EXPLORABLE)
    inside, end, after = rest.partition(EXPLORABLE_END)
    live = f'{start} data-files="{order}"{inside}</div><script src="{SCRIPTS}/{LOADER}"></script>'
    scrolling = f'{FALLBACK} style="overflow-x: auto" tabindex="0"'
    alone = live.replace("\n", " ").replace(FALLBACK, scrolling)
    needed[f"{name}.html"] = alone.encode()
    contents |= {f"{SCRIPTS}/{file}": content for file, content in needed.items()}
    return f"{before}{live}{after}"


def insert_explorables(text: str, contents: dict[str, bytes]) -> str:
    """Return a page with every {explorable}`name` replaced by the explorable of that name.

    Names are those of a chapter and of its figure, as in `04_analysis-live`. An explorable that the
    chapter does not show at this scale is left out.
    """
    return re.sub(
        r"\{explorable\}`([\w-]+)`",
        lambda found: contents.get(f"{SCRIPTS}/{found[1]}.html", b"").decode(),
        text,
    )


def link_missing_figures(text: str, contents: dict[str, bytes]) -> str:
    """Return a page with every {numref}`name` of a figure that is not shown now as a link.

    Names are those of a chapter and of its figure, as in `04_analysis-missing`; the link leads to
    the chapter. A chapter that has not been executed at this scale, or has failed, has no figure.
    """

    def link(found: re.Match[str]) -> str:
        page, figure = found.groups()
        label = f'"name": "{page}-{figure}"'.encode()
        is_shown = label in contents.get(f"{page}.ipynb", label)  # other pages show all they have
        return found[0] if is_shown else f"[{page}]({page})"

    return re.sub(r"\{numref\}`(\w+)-([\w-]+)`", link, text)


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
