"""Figures with cards: the one way in which a chapter shows a picture.

    figure(plotting.scores, table, alt="Scores of models and exact predictors, a point an urn.", n="12 urns", runs=runs)

draws, stores the picture (PNG, SVG), the table (CSV) and what both were made with (JSON) under
`_build/figures/<chapter>/<name>`, and shows the picture with a card folded under it: what is to be seen, how much it
rests on, which models, and links to the data. The links hold the files themselves, so that a notebook or a page that is
sent to somebody has them too. `lexurn redraw <name>.json` draws it again from CSV and JSON.
"""

import base64
import hashlib
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
from lexurn.base.errors import ParameterError, suggestion
from lexurn.base.version import __version__
from lexurn.figures import drawing
from lexurn.figures.drawing import DPI, Drawing, Picture
from lexurn.runs import provenance, store, tables
from lexurn.runs.run import Run

HTML = """<figure class="lexurn-card" id="figure-{name}" style="margin: 0">{shown}
<details style="font-size: 85%; margin: 0.2em 0 1em">
<summary style="cursor: pointer">Figure card: {links}</summary>
<table style="margin: 0.4em 0">{rows}</table>
</details></figure>"""

MOST_KEYS = 6
"""Keys of runs that a card shows; the JSON has all."""


@dataclass(frozen=True)
class Card:
    """A drawn figure with everything that it was made from, as it is shown in notebooks and on pages."""

    about: Mapping[str, Any]
    table: str
    pictures: Sequence[Picture]

    @property
    def name(self) -> str:
        return self.about["name"]

    def picture(self, number: int = 0, *, alt: str = "") -> str:
        """One of its pictures as HTML, with a text that says what it shows."""
        png, alt = self.pictures[number].png, html.escape(alt or self.about["alt"])
        width = int.from_bytes(png[16:20], "big") / DPI  # inches
        style = f"width: {width:.2f}in; max-width: 100%; height: auto"
        return f'<img class="figure" style="{style}" alt="{alt}" src="{_link(png, "image/png")}">'

    def html(self, *, with_picture: bool = True) -> str:
        """The card, below its picture or alone."""
        about = json.dumps(self.about, indent=1, ensure_ascii=False)
        given = {"csv": ("text/csv", self.table), "json": ("application/json", about)}
        if len(self.pictures) == 1:
            given["svg"] = ("image/svg+xml", self.pictures[0].svg)
        links = " · ".join(
            f'<a download="{self.name}.{ending}" href="{_link(content, kind)}">{ending.upper()}</a>'
            for ending, (kind, content) in given.items()
        )
        rows = "".join(
            f'<tr><th style="text-align: left; vertical-align: top">{html.escape(name)}</th>'
            f'<td style="text-align: left">{_in_code(text)}</td></tr>'
            for name, text in self._lines().items()
        )
        shown = self.picture() if with_picture else ""
        return HTML.format(name=self.name, shown=shown, links=links, rows=rows)

    def _lines(self) -> dict[str, str]:
        about = self.about
        lines = {"shows": about["alt"], "n": about["n"]}
        if about["seeds"]:
            lines["seeds"] = _some(about["seeds"])
        if about["runs"]:
            lines["models"] = "; ".join(about["trained"])
            lines["runs"] = _some([key[:6] for key in about["runs"]])
        drawn = about["drawn"]
        lines["computed"] = f"{drawn['date']} on {drawn['device']}, commit {drawn['commit']}"
        lines["computed again"] = f"by `{about['command']}`" if about["command"] else ""
        lines["drawn again"] = (
            f"by `lexurn redraw {self.name}.json`, with {self.name}.csv beside it"
        )
        return {name: text for name, text in lines.items() if text}

    def _repr_html_(self) -> str:
        return self.html()

    def __repr__(self) -> str:
        return f"figure {self.name}: {self.about['alt']}"


def figure(
    plot: Callable[..., Axes], table: pd.DataFrame, *, alt: str, n: str, **options: Any
) -> None:
    """Draw a table, store what was drawn, and show it with its card; the options are those of `card`."""
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
    by: str = "",
    each: Mapping[str, Sequence[Any]] | None = None,
    pages: bool = False,
    titles: str = "{}",
    title: str = "",
    legend: str | None = None,
    size: tuple[float, float] = (4.2, 3.2),
    share_y: bool = False,
    **keywords: Any,
) -> Card:
    """Draw a table by a plot function, with these keywords, and store what was drawn; not shown yet.

    alt       what is to be seen, for who does not see it
    n         how much the figure rests on, in words: "12 training urns"
    name      of its files, unlike every other in its chapter; the plot function's where none is given
    runs      the models whose numbers these are
    by, each, pages, titles, title, legend, size, share_y     the panels: see `drawing.Drawing`

    What is drawn is the table as its CSV has it. Raises ParameterError for a plot function that another process does
    not find, a table that no CSV holds, and options that no JSON holds; StoreError where nothing can be written.
    """
    name = name or getattr(plot, "__name__", "")
    options = {
        "keywords": keywords,
        "by": by,
        "each": dict(each or {}),
        "pages": pages,
        "titles": titles,
    }
    options |= {"title": title, "legend": legend, "size": size, "share_y": share_y}
    _check(name, table, alt, n, options)
    try:
        content = tables.as_csv(table.reset_index(drop=True))
        how = Drawing.model_validate_json(json.dumps({"plot": drawing.name_of(plot), **options}))
    except (ValueError, TypeError) as error:
        if isinstance(error, ParameterError):
            raise
        raise ParameterError(f"figure {name}: {' '.join(str(error).split())}") from None
    pictures = drawing.draw(how, tables.from_csv(content.encode()))
    now, folder = session.current().chapter, paths.build_folder() / "figures"
    about = {
        "name": name,
        "chapter": now.name if now else "",
        "alt": alt,
        "n": n,
        "drawing": how.model_dump(mode="json"),
        "pictures": [digest(picture.png) for picture in pictures],
        "parameters": now.settings.flat() if now else {},
        "command": now.command if now else "",
        "seeds": sorted({run.settings.training.seed for run in runs})
        or ([now.settings.training.seed] if now else []),
        "runs": sorted({store.key(run.path) for run in runs}),
        "trained": _trained(runs),
        "drawn": _drawn(),
    }
    made = Card(about, content, pictures)
    folder = folder / (now.name if now else "")
    drawing.write(folder, name, pictures)
    files.write(folder / f"{name}.csv", content)
    files.write(folder / f"{name}.json", json.dumps(about, indent=1, ensure_ascii=False))
    return made


def digest(png: bytes) -> str:
    """By which a picture is known."""
    return hashlib.sha256(png).hexdigest()


def _check(name: str, table: Any, alt: Any, n: Any, options: Mapping[str, Any]) -> None:
    where = f"figure {name}: "
    if not re.fullmatch(r"\w[\w-]*", name):
        raise ParameterError(f"a figure's name consists of letters, digits, - and _, got {name!r}")
    if not isinstance(table, pd.DataFrame):
        raise ParameterError(
            f"{where}the table must be a pandas DataFrame, got {type(table).__name__}"
        )
    for what, text in (("alt, what is to be seen", alt), ("n, how much it rests on", n)):
        if not isinstance(text, str) or not text.strip():
            raise ParameterError(f"{where}{what}, must be said in words, got {text!r}")
    by, each = options["by"], options["each"]
    if by and by not in table:
        hint = suggestion(by, table.columns)
        raise ParameterError(f"{where}no column {by}; {hint}there are {', '.join(map(str, table))}")
    if (by and each) or len(each) > 1:
        raise ParameterError(
            f"{where}panels come `by` one column, or from `each` of one keyword's values"
        )


def _trained(runs: Sequence[Run]) -> list[str]:
    """Where and when the models were trained, and how many of them in which way."""
    groups: Counter[tuple[str, str, str]] = Counter()
    for run in {run.path: run for run in runs}.values():
        made = run.provenance
        machine = made["processor"] if made["device"] == "cpu" else made["device"]
        where = "published edition" if store.is_published(run.path) else "own store"
        groups[
            where, made["date"][:10], machine, provenance.short(made["commit"], made["dirty"])
        ] += 1
    return [
        f"{number} from the {where}, trained {date} on {machine}, commit {commit}"
        for (where, date, machine, commit), number in sorted(groups.items())
    ]


def _drawn() -> dict[str, str]:
    """When, where and with what the figure is drawn."""
    commit = provenance.short(provenance.commit(), provenance.is_changed())
    versions = {"lexurn": __version__, "matplotlib": matplotlib.__version__}
    return {
        "date": time.strftime("%Y-%m-%d"),
        "device": provenance.device(),
        "commit": commit,
        **versions,
    }


def _some(values: Sequence[Any]) -> str:
    few = ", ".join(map(str, values[:MOST_KEYS]))
    return few if len(values) <= MOST_KEYS else f"{len(values)}: {few}, …"


def _in_code(text: str) -> str:
    """Escaped, with `code` in backticks as code."""
    parts = html.escape(text).split("`")
    return "".join(
        f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts)
    )


def _link(content: str | bytes, kind: str) -> str:
    content = content.encode() if isinstance(content, str) else content
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
