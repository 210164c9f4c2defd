"""Explorables: figures that compute in the page, from scripts in `book/assets/explorables`.

    explorable("urn", data, fallback=card, alt="Draw balls, and see what G, M and S expect next.")

The output holds its scripts and its data, so that a notebook keeps them when somebody sends it. It
needs no kernel, no widgets and no network. Where scripts are off, and on paper, it is the picture
of a card. On the site, the scripts are files beside the page.
"""

import html
import json
from collections.abc import Mapping
from typing import Any

from lexurn.base import paths
from lexurn.base.errors import ParameterError, suggestion
from lexurn.figures.figure_card import Card

NETWORK = ("network.js", "transformer.js", "lstm.js", "mamba.js")
"""The scripts that run a trained model, packed by `lexurn.figures.packed_models`."""

SCRIPTS = {"urn": ("predictors.js", *NETWORK, "urn.js")}
"""The scripts of each explorable, in their order. The last one starts it."""

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
    folder = paths.root() / "book" / "assets" / "explorables"
    scripts = "".join(
        f'<script data-file="{file}">{(folder / file).read_text()}</script>'
        for file in SCRIPTS[name]
    )
    picture = fallback.picture()
    live = HTML.format(name=name, alt=html.escape(alt), picture=picture, data=text, scripts=scripts)
    page = fallback.html().replace(picture, live, 1)
    return {"text/plain": repr(fallback), "text/html": page, **fallback.bundle()}
