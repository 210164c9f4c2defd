"""Explorables: figures that compute in the page, from scripts in `book/assets/explorables`.

    explorable("urn", data, fallback=card, alt="Draw balls, and see what G, M and S expect next.")

The output holds its scripts and its data, so that a notebook keeps them when somebody sends it. It
needs no kernel, no widgets and no network. Where scripts are off, and on paper, it is the picture
of a card. On the site, scripts and data are files beside the page, which are loaded when the
explorable comes into view.
"""

import base64
import html
import json
from collections.abc import Mapping
from typing import Any

from lexurn.base import paths, seeding
from lexurn.base.errors import ParameterError, suggestion
from lexurn.figures.figure_card import Card
from lexurn.figures.looks import LOOKS, dark
from lexurn.models import LanguageModel
from lexurn.settings import Settings, TransformerSettings, VocabularySettings

SCRIPTS = {
    "urn": ("parts.js", "predictors.js", "transformer.js", "urn.js"),
    "training": ("parts.js", "training.js"),
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
    found = {name: LOOKS[entity] for name, entity in entities.items()}
    return {
        name: {
            "light": look.color,
            "dark": dark(look.color),
            "marker": look.marker,
            "dash": DASHES[look.dash]
            if isinstance(look.dash, str)
            else " ".join(str(2 * length) for length in look.dash[1]),
        }
        for name, look in found.items()
    }


def pack_transformer(
    model: LanguageModel, settings: Settings, *, n_tables: int
) -> dict[str, Any] | None:
    """Return a model as `transformer.js` reads it, its weights rounded to half precision.

    A lexical model is averaged over `n_tables` random tables, those of `models.as_predictor`.
    Returns None for a model that `transformer.js` cannot run: it runs transformers with pre-norm,
    a BOS, and learned positions or none, whose tokens have no special ones among them, and whose
    embedding table, learned or random, is also the read-out.
    """
    backbone, vocabulary = settings.backbone, settings.vocabulary
    if not (
        type(backbone) is TransformerSettings
        and type(vocabulary) is VocabularySettings
        and {*backbone.placements} == {"pre"}
        and backbone.positions in ("learned", "none")
        and backbone.bos
        and vocabulary.tied
        and vocabulary.n_named + settings.task.n_special == 0
    ):
        return None
    stream = seeding.generator(settings.training.seed, "evaluation tables")
    weights = {
        name: weight
        for name, weight in model.state_dict().items()
        if not name.startswith("vocabulary.")
    }
    weights["tables"] = model.vocabulary.draw(n_tables, generator=stream)
    return {
        "heads": backbone.n_heads,
        "mlp": backbone.mlp,
        "scale": vocabulary.logit_scale,
        "n_colors": model.vocab_size,
        "weights": {
            name: base64.b64encode(weight.detach().half().numpy().astype("<f2").tobytes()).decode()
            for name, weight in weights.items()
        },
    }
