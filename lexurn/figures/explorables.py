"""Explorables: figures that compute in the page, from scripts in `book/assets/explorables`.

    explorable("urn", data, fallback=card, alt="Draw balls, and see what G, M and S expect next.")

The output holds its scripts and its data, so that a notebook keeps them when somebody sends it. It
needs no kernel, no widgets and no network. Where scripts are off, and on paper, it is the picture
of a card. On the site, scripts and data are files beside the page, which are loaded when the
explorable comes into view.
"""

import html
import json
from collections.abc import Mapping
from typing import Any

from lexurn.base import paths
from lexurn.base.errors import ParameterError, suggestion
from lexurn.figures.figure_card import Card
from lexurn.figures.looks import LOOKS, dark

NETWORK = ("network.js", "transformer.js", "lstm.js", "mamba.js")
"""The scripts that run a trained model, packed by `lexurn.figures.packed_models`."""

SCRIPTS = {
    "urn": ("parts.js", "predictors.js", *NETWORK, "urn.js"),
    "names": ("parts.js", "predictors.js", *NETWORK, "names.js"),
    "coins": ("parts.js", "coins.js"),
    "training": ("parts.js", "training.js"),
    "prompt": ("parts.js", "languages.js", *NETWORK, "prompt.js"),
    "strategies": ("parts.js", "strategies.js"),
    "tokens": ("parts.js", "tokens.js"),
}
"""The scripts of each explorable, in their order. The last one starts it."""

DASHES = {"-": "", "--": "6 3", ":": "2 3", "-.": "6 3 2 3"}

HTML = """<div class="explorable tex2jax_ignore mathjax_ignore" data-name="{name}" data-alt="{alt}">
<div class="fallback">{picture}</div>
<script type="application/json">{data}</script>
</div>{scripts}"""


def explorable(name: str, data: Mapping[str, Any], *, fallback: Card, alt: str) -> None:
    """Show an explorable with the card of its fallback; the arguments are those of `build`."""
    from IPython.display import display

    display(build(name, data, fallback=fallback, alt=alt), raw=True)


def build(name: str, data: Mapping[str, Any], *, fallback: Card, alt: str) -> dict[str, Any]:
    """Return the output that shows an explorable, by MIME type.

    data       what the explorable computes with, as JSON: its script says what it takes
    fallback   the figure that is shown without scripts; its caption and card are shown always
    alt        what a reader can do and see, for screen readers

    Raises ParameterError for an unknown explorable, and for data that JSON cannot hold.
    """
    if name not in SCRIPTS:
        raise ParameterError(
            f"no explorable {name}; {suggestion(name, SCRIPTS)}there are {', '.join(SCRIPTS)}"
        )
    try:
        text = json.dumps(data, allow_nan=False).replace("<", "\\u003c")  # no tag can end it
    except (ValueError, TypeError) as error:
        raise ParameterError(
            f"explorable {name}: its data must be JSON with finite numbers, got {error}; "
            "use lists, numbers and texts, for example urns.tolist()"
        ) from None
    scripts = "".join(
        f'<script data-file="{file}">{script(file)}</script>' for file in SCRIPTS[name]
    )
    picture = fallback.picture()
    live = HTML.format(name=name, alt=html.escape(alt), picture=picture, data=text, scripts=scripts)
    page = fallback.html().replace(picture, live, 1)
    return {"text/plain": repr(fallback), "text/html": page, **fallback.bundle()}


def script(file: str) -> str:
    """Return the text of a script."""
    return (paths.root() / "book" / "assets" / "explorables" / file).read_text()


def looks(entities: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return how scripts draw things: by their names the looks of entities of `LOOKS`.

    A look has its colours on light and on dark pages, its marker as Matplotlib names it, and its
    dash as SVG has it.
    """
    own_looks = {name: LOOKS[entity] for name, entity in entities.items()}
    return {
        name: {
            "light": look.color,
            "dark": dark(look.color),
            "marker": look.marker,
            "dash": DASHES[look.dash]
            if isinstance(look.dash, str)
            else " ".join(str(2 * length) for length in look.dash[1]),
        }
        for name, look in own_looks.items()
    }
