"""Figures with cards: the only way in which a chapter shows a picture.

    figure(plots.curves, table, x="step", alt="Loss along training.", n="5 seeds", runs=runs)

`figure` draws, stores the picture (PNG), the table (CSV) and its description (JSON) under
`_build/figures/<chapter>/<name>`, and shows the picture with a folded card below it. The card says
what the figure shows, from how many observations and which models, and links to the data. The links
contain the files, so a copied page keeps them; `lexurn redraw <name>.json` draws the picture again.
"""

import base64
import html
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.axes import Axes

from lexurn.base import files, paths, session
from lexurn.base.errors import ParameterError
from lexurn.base.version import __version__
from lexurn.figures import CARD_TYPE, drawing
from lexurn.runs import provenance, store, tables
from lexurn.runs.run import Run

HTML = """<div class="lexurn-card" id="figure-{name}">
<figure style="margin: 0; overflow-x: auto" tabindex="0">{picture}{caption}</figure>
<p style="font-size: 85%; margin: 0.2em 0 0">Data: {links}</p>
<details style="font-size: 85%; margin: 0 0 1em">
<summary style="cursor: pointer">Figure card</summary>
<table class="tex2jax_ignore mathjax_ignore" style="margin: 0.4em 0">{rows}</table>
</details></div>"""

EXAMPLES = {
    "alt": "Loss along training.",
    "n": "12 urns",
    "caption": "The loss falls to that of G.",
}

# Maximum number of run keys that a card shows; its JSON has all of them.
MAX_KEYS = 6


@dataclass(frozen=True)
class Card:
    """A drawn figure, its table as CSV, and its description, as notebooks and pages show it."""

    about: Mapping[str, Any]
    table: str
    pictures: Sequence[bytes]

    @property
    def name(self) -> str:
        return self.about["name"]

    def picture(self, number: int = 0, *, alt: str = "") -> str:
        """Return one of the pictures as an HTML image with an alternative text."""
        png = self.pictures[number]
        width = int.from_bytes(png[16:20], "big") / drawing.DPI  # inches
        least = 0.75 * width  # so labels have 10 pixels, and narrow screens scroll
        style = f"width: {width:.2f}in; min-width: {least:.2f}in; max-width: 100%; height: auto"
        alt = html.escape(alt or self.about["alt"])
        link = _data_link(png, "image/png")
        return f'<img class="figure" style="{style}" alt="{alt}" src="{link}">'

    def html(self, *, with_picture: bool = True) -> str:
        """Return the card as HTML, with or without its picture."""
        downloads = {
            "csv": _data_link(self.table.encode(), "text/csv"),
            "json": _data_link(_as_json(self.about).encode(), "application/json"),
        }
        links = " · ".join(
            f'<a download="{self.name}.{ending}" href="{link}">{ending.upper()}</a>'
            for ending, link in downloads.items()
        )
        rows = "".join(
            f'<tr><th style="text-align: left; vertical-align: top">{html.escape(name)}</th>'
            f'<td style="text-align: left">{_code_as_html(text)}</td></tr>'
            for name, text in self._rows().items()
            if text
        )
        picture = self.picture() if with_picture else ""
        caption = _code_as_html(self.about["caption"])
        caption = caption and f"<figcaption>{caption}</figcaption>"
        return HTML.format(name=self.name, picture=picture, caption=caption, links=links, rows=rows)

    def _rows(self) -> dict[str, str]:
        about = self.about
        return {
            "shows": about["alt"],
            "n": about["n"],
            "seeds": _shorten(about["seeds"]),
            "models": "; ".join(about["trained"]),
            "runs": _shorten([key[:6] for key in about["runs"]]),
            "computed": "{date} on {device}, commit {commit}".format_map(about["drawn"]),
            "compute again": f"`{about['command']}`" if about["command"] else "",
            "draw again": f"`lexurn redraw {self.name}.json` (beside {self.name}.csv): PNG and SVG",
        }

    def bundle(self) -> dict[str, Any]:
        """Return the description and the table as an output holds them, by their MIME type."""
        return {CARD_TYPE: {"about": self.about, "table": self.table}}

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"text/plain": repr(self), "text/html": self.html(), **self.bundle()}

    def __repr__(self) -> str:
        return f"figure {self.name}: {self.about['alt']}"


def figure(
    plot: Callable[..., Axes], table: pd.DataFrame, *, alt: str, n: str, **options: Any
) -> None:
    """Draw a table, store the result, and show it with its card; `options` are those of `card`."""
    from IPython.display import display

    display(card(plot, table, alt=alt, n=n, **options))


def card(
    plot: Callable[..., Axes],
    table: pd.DataFrame,
    *,
    alt: str,
    n: str,
    name: str = "",
    runs: Sequence[Run] = (),
    seeds: Sequence[int] = (),
    by: str = "",
    each: Mapping[str, Sequence[Any]] | None = None,
    pages: bool = False,
    titles: str = "{}",
    title: str = "",
    legend: str | None = None,
    size: tuple[float, float] = (4.2, 3.2),
    share_y: bool = False,
    caption: str = "",
    **keywords: Any,
) -> Card:
    """Return a card: draw a table by a plot function with `keywords`, and store all its files.

    alt       what the figure shows, for readers who do not see it
    n         how many observations the figure is based on, in words: "12 training urns"
    caption   the finding, a sentence with `code`, *stress* or $formulas$; the site numbers it
    name      name of the files, unique in the chapter; by default the plot function's name
    runs      the models that the numbers come from; or the `seeds` of models that are not stored
    by, each, pages, titles, title, legend, size, share_y     the panels: see `drawing.Drawing`

    The picture is drawn from the table as its CSV stores it. Raises ParameterError for a plot
    function that another process cannot import, a table that CSV cannot hold, or options that JSON
    cannot hold, and StoreError if the files cannot be written.
    """
    name = name or getattr(plot, "__name__", "")
    options = {
        "keywords": keywords,
        "by": by,
        "each": dict(each or {}),
        "pages": pages,
        "titles": titles,
        "title": title,
        "legend": legend,
        "size": size,
        "share_y": share_y,
    }
    _check(name, {"alt": alt, "n": n, "caption": caption})
    drawing.check_panels(name, table, by, each or {})
    options["plot"] = drawing.plot_name(plot)
    try:
        csv = tables.as_csv(table.reset_index(drop=True))
        how = drawing.Drawing.model_validate_json(json.dumps(options))
    except (ValueError, TypeError) as error:
        raise ParameterError(f"figure {name}: {' '.join(str(error).split())}") from None
    pictures = drawing.draw(how, tables.from_csv(csv.encode()))
    resolved = session.current().chapter
    own_seeds = seeds or ([resolved.settings.training.seed] if resolved else [])
    about = {
        "name": name,
        "chapter": resolved.name if resolved else "",
        "alt": alt,
        "caption": caption,
        "n": n,
        "drawing": how.model_dump(mode="json"),
        "pictures": [files.hash_bytes(picture) for picture in pictures],
        "parameters": resolved.settings.flat() if resolved else {},
        "command": resolved.command if resolved else "",
        "seeds": sorted({run.settings.training.seed for run in runs} or own_seeds),
        "runs": sorted({store.key(run.path) for run in runs}),
        "trained": _training_provenance(runs),
        "drawn": {
            "date": time.strftime("%Y-%m-%d"),
            "device": provenance.device(),
            "commit": provenance.describe_commit(provenance.commit(), provenance.is_changed()),
            "lexurn": __version__,
            "matplotlib": matplotlib.__version__,
        },
    }
    folder = paths.build_folder() / "figures" / about["chapter"]
    drawing.write(folder, name, pictures)
    files.write(folder / f"{name}.csv", csv)
    files.write(folder / f"{name}.json", _as_json(about))
    return Card(about, csv, pictures)


def _check(name: str, texts: Mapping[str, Any]) -> None:
    if not re.fullmatch(r"\w[\w-]*", name):
        raise ParameterError(
            f"a figure's name may contain letters, digits, - and _ only, got {name!r}; "
            'give another one, for example name="scores"'
        )
    for key, text in texts.items():
        if not isinstance(text, str) or not (text.strip() or key == "caption"):
            raise ParameterError(
                f"figure {name}: {key} must be a text, got {text!r}; "
                f'for example {key}="{EXAMPLES[key]}"'
            )


def _training_provenance(runs: Sequence[Run]) -> list[str]:
    """Return one text per store, date, machine and commit of training, with its number of runs."""
    counts: Counter[str] = Counter()
    for run in {run.path: run for run in runs}.values():
        facts = run.provenance
        root = "published edition" if store.is_published(run.path) else "own store"
        machine = facts["processor"] if facts["device"] == "cpu" else facts["device"]
        commit = provenance.describe_commit(facts["commit"], facts["dirty"])
        counts[f"from the {root}, trained {facts['date'][:10]} on {machine}, commit {commit}"] += 1
    return [f"{number} {text}" for text, number in sorted(counts.items())]


def _shorten(values: Sequence[Any]) -> str:
    few = ", ".join(map(str, values[:MAX_KEYS]))
    return few if len(values) <= MAX_KEYS else f"{len(values)}: {few}, …"


def _as_json(about: Mapping[str, Any]) -> str:
    return json.dumps(about, indent=1, ensure_ascii=False)


def _code_as_html(text: str) -> str:
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(text))


def _data_link(content: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"
