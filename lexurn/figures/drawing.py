"""A picture from a table and a few words, and from nothing else: whoever has both draws it again, byte for byte.

Between processors that holds for the PNG alone: in an SVG, kernels of another one may round a coordinate to `-0` in
place of `0`, and the names of clip paths, which are hashes of coordinates, change with it.

A `Drawing` names a plot function and its keywords, and how panels come about. Neither a person's matplotlib settings
nor the date go in. `lexurn redraw` draws from the two files that a figure's card links to, `<name>.json` and
`<name>.csv` (see `lexurn.figures.figure_card`).
"""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.style
import pandas as pd
from matplotlib.axes import Axes
from pydantic import BaseModel, ConfigDict, ValidationError

from lexurn.base import files
from lexurn.base.errors import ParameterError, suggestion
from lexurn.figures import plots, style
from lexurn.runs import tables
from lexurn.settings.registry import load_object

DPI = 150


class Drawing(BaseModel):
    """How a table is drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plot: str
    """The plot function, `module.name`: takes a table, Axes and the keywords."""
    keywords: dict[str, Any] = {}
    by: str = ""
    """A panel for each value of this column, with the lines of the table that have it."""
    each: dict[str, list[Any]] = {}
    """One more keyword and its values, a panel for each."""
    pages: bool = False
    """A picture of its own, not a panel, for each value."""
    titles: str = "{}"
    """Over a panel, with its value in place of the braces."""
    title: str = ""
    legend: str | None = None
    """The title of a key beside the last panel; None: no key there."""
    size: tuple[float, float] = (4.2, 3.2)
    """Of a panel, in inches."""
    share_y: bool = False


@dataclass(frozen=True)
class Picture:
    png: bytes
    svg: bytes


def draw(drawing: Drawing, table: pd.DataFrame) -> list[Picture]:
    """The picture, or the pictures where each panel is a page."""
    plot, views = function(drawing.plot), _views(drawing, table)
    sheets = [[view] for view in views] if drawing.pages else [views]
    with matplotlib.style.context(["default", {"svg.hashsalt": "lexurn"}]):
        return [_sheet(drawing, plot, views) for views in sheets]


def read(path: Path) -> tuple[Drawing, pd.DataFrame]:
    """A drawing and its table, from the two files of a card. Raises ParameterError, or OSError where one is gone."""
    beside = path.with_suffix(".csv")
    try:
        drawing = Drawing.model_validate(json.loads(path.read_text())["drawing"])
        table = tables.from_csv(beside.read_bytes())
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        said = " ".join(str(error).split())
        raise ParameterError(
            f"{path} and {beside.name} are not what a card links to: {said}"
        ) from None
    return drawing, table


def write(folder: Path, name: str, pictures: list[Picture]) -> list[Path]:
    """`<name>.png` and `<name>.svg`, or `<name>-0.png` and so on where they are pages."""
    with files.store_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, picture in enumerate(pictures):
        stem = name if len(pictures) == 1 else f"{name}-{number}"
        for ending, content in (("png", picture.png), ("svg", picture.svg)):
            paths.append(folder / f"{stem}.{ending}")
            files.write(paths[-1], content)
    return paths


def name_of(plot: Callable[..., Any]) -> str:
    """By what a plot function is found again in another process. Raises ParameterError where it would not be."""
    name = f"{plot.__module__}.{getattr(plot, '__qualname__', '')}"
    try:
        if plot.__module__ != "__main__" and function(name) is plot:
            return name
    except ParameterError:
        pass
    raise ParameterError(
        f"{name} cannot be found by another process, so the figure could not be drawn again; define the plot function "
        "in a module, such as those in lexurn/plotting"
    )


def function(name: str) -> Callable[..., Any]:
    """The plot function with this name. Raises ParameterError where there is none."""
    module, _, own = name.rpartition(".")
    try:
        return load_object(f"{module}:{own}")
    except (ImportError, AttributeError, ValueError):
        hint = suggestion(own, vars(plots)) if module.startswith("lexurn") else ""
        raise ParameterError(f"no plot function {name}; {hint}see lexurn.figures.plots") from None


def _views(drawing: Drawing, table: pd.DataFrame) -> list[tuple[str, pd.DataFrame, dict[str, Any]]]:
    """What goes into each panel: its title, its table and its keywords."""
    if drawing.by:
        groups = table.groupby(drawing.by, sort=False)
        views = [
            (value, mine.drop(columns=drawing.by).reset_index(drop=True), {})
            for value, mine in groups
        ]
    elif drawing.each:
        ((keyword, values),) = drawing.each.items()
        views = [(value, table, {keyword: value}) for value in values]
    else:
        return [("", table, drawing.keywords)]
    return [
        (drawing.titles.format(_shown(value)), mine, drawing.keywords | more)
        for value, mine, more in views
    ]


def _sheet(
    drawing: Drawing,
    plot: Callable[..., Axes],
    views: list[tuple[str, pd.DataFrame, dict[str, Any]]],
) -> Picture:
    width, height = drawing.size
    figure, axes = style.panels(len(views), width=width, height=height, sharey=drawing.share_y)
    for ax, (title, table, keywords) in zip(axes, views, strict=True):
        plot(table, ax, **keywords)
        if title:
            ax.set_title(title, fontsize=11)
    style.name_lowest(axes)
    if drawing.legend is not None:
        style.legend(axes[-1], title=drawing.legend)
    if drawing.title:
        figure.suptitle(drawing.title)
    contents = {}
    for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None, "Creator": None})):
        with io.BytesIO() as file:
            figure.savefig(
                file,
                format=kind,
                dpi=DPI,
                metadata=metadata,
                bbox_inches=None if drawing.pages else "tight",
            )
            contents[kind] = file.getvalue()
    return Picture(**contents)


def _shown(value: Any) -> str:
    """A value as readers know it."""
    return style.NAMES.get(value, str(value).replace("_", " "))
