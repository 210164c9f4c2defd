"""Draw pictures from a table and a `Drawing`: the same inputs always give the same bytes.

A `Drawing` names a plot function, its keywords and its panels. Neither a person's matplotlib
settings nor the date affects the result. `lexurn redraw` draws from the two files that a figure's
card links to, `<name>.json` and `<name>.csv` (see `lexurn.figures.figure_card`).
"""

import io
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.style
import pandas as pd
from matplotlib.axes import Axes
from pydantic import BaseModel, ConfigDict

from lexurn.base import files
from lexurn.base.errors import ParameterError, suggestion
from lexurn.figures import plots, style
from lexurn.runs import tables
from lexurn.settings.registry import load_object

DPI = 150

# The title, table and plot keywords of one panel.
Panel = tuple[str, pd.DataFrame, dict[str, Any]]


class Drawing(BaseModel):
    """How a table is drawn.

    plot      the plot function, `module.name`; it takes a table, Axes and the keywords
    by        a column: each of its values gets a panel that shows the rows with this value
    each      one further keyword and its values: each value gets a panel
    pages     whether each value gets a picture of its own instead of a panel
    titles    the title of a panel; braces stand for the panel's value
    legend    the title of a legend beside the last panel; None for no legend
    size      width and height of a panel in inches
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    plot: str
    keywords: dict[str, Any] = {}
    by: str = ""
    each: dict[str, list[Any]] = {}
    pages: bool = False
    titles: str = "{}"
    title: str = ""
    legend: str | None = None
    size: tuple[float, float] = (4.2, 3.2)
    share_y: bool = False


@dataclass(frozen=True)
class Picture:
    """One picture as the content of a PNG file and, unless it is a page, of an SVG file."""

    png: bytes
    svg: bytes | None


def draw(drawing: Drawing, table: pd.DataFrame) -> list[Picture]:
    """Return the picture, or one picture per panel if `drawing.pages`."""
    plot = load_plot(drawing.plot)
    panels = _panels(drawing, table)
    pages = [[panel] for panel in panels] if drawing.pages else [panels]
    with matplotlib.style.context(["default", {"svg.hashsalt": "lexurn"}]):
        return [_draw_page(drawing, plot, page) for page in pages]


def read(path: Path) -> tuple[Drawing, pd.DataFrame]:
    """Return the drawing and the table in a card's JSON file and the CSV file beside it.

    Raises ParameterError if a file has another content, and OSError if a file is missing.
    """
    csv = path.with_suffix(".csv")
    try:
        drawing = Drawing.model_validate(json.loads(path.read_text())["drawing"])
        return drawing, tables.from_csv(csv.read_bytes())
    except (ValueError, KeyError, TypeError) as error:
        raise ParameterError(
            f"{path} and {csv.name} are not the JSON and CSV of a figure card: "
            f"{' '.join(str(error).split())}"
        ) from None


def write(folder: Path, name: str, pictures: list[Picture]) -> list[Path]:
    """Write `<name>.png` and `<name>.svg`, or `<name>-0.png` … for the pages of a flipbook.

    Returns the paths of the files.
    """
    paths = []
    for number, picture in enumerate(pictures):
        stem = name if len(pictures) == 1 else f"{name}-{number}"
        for ending, content in (("png", picture.png), ("svg", picture.svg)):
            if content is not None:
                paths.append(folder / f"{stem}.{ending}")
                files.write(paths[-1], content)
    return paths


def plot_name(plot: Callable[..., Any]) -> str:
    """Return the name by which another process can import a plot function.

    Raises ParameterError if no other process can import the function.
    """
    name = f"{plot.__module__}.{getattr(plot, '__qualname__', '')}"
    with suppress(ParameterError):
        if plot.__module__ != "__main__" and load_plot(name) is plot:
            return name
    raise ParameterError(
        f"another process cannot import {name} and could not redraw the figure; define the plot "
        "function in a module, such as lexurn/figures/plots.py"
    )


def load_plot(name: str) -> Callable[..., Any]:
    """Return the plot function named `module.name`; raise ParameterError for an unknown name."""
    module, _, function = name.rpartition(".")
    try:
        return load_object(f"{module}:{function}")
    except (ImportError, AttributeError, ValueError):
        hint = suggestion(function, vars(plots)) if module.startswith("lexurn") else ""
        raise ParameterError(f"no plot function {name}; {hint}see lexurn.figures.plots") from None


def _panels(drawing: Drawing, table: pd.DataFrame) -> list[Panel]:
    if drawing.by:
        contents = [
            (value, rows.drop(columns=drawing.by).reset_index(drop=True), {})
            for value, rows in table.groupby(drawing.by, sort=False)
        ]
    else:
        contents = [
            (value, table, {keyword: value})
            for keyword, values in drawing.each.items()
            for value in values
        ]
    panels = [
        (drawing.titles.format(style.display_name(value)), rows, drawing.keywords | own)
        for value, rows, own in contents
    ]
    return panels or [("", table, drawing.keywords)]


def _draw_page(drawing: Drawing, plot: Callable[..., Axes], panels: list[Panel]) -> Picture:
    width, height = drawing.size
    figure, all_axes = style.panels(len(panels), width=width, height=height, sharey=drawing.share_y)
    for (title, table, keywords), axes in zip(panels, all_axes, strict=True):
        plot(table, axes, **keywords)
        if title:
            axes.set_title(title, fontsize=11)
    style.label_lowest_panels(all_axes)
    if drawing.legend is not None:
        style.draw_legend(all_axes[-1], title=drawing.legend)
    if drawing.title:
        figure.suptitle(drawing.title)
    layout = {"dpi": DPI, "bbox_inches": None if drawing.pages else "tight"}
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": None}, **layout)
    if drawing.pages:  # a flipbook shows many, and nothing links to their SVG files
        return Picture(png.getvalue(), None)
    svg = io.BytesIO()
    figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None}, **layout)
    return Picture(png.getvalue(), svg.getvalue())
