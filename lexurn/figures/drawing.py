"""Draw pictures from a table and a `Drawing`: the same inputs always give the same bytes.

A `Drawing` names a plot function, its keywords and its panels. Neither a person's matplotlib
settings nor the date affects the result. `lexurn redraw` draws from the two files that a figure's
card links to, `<name>.json` and `<name>.csv` (see `lexurn.figures.figure_card`), as PNG and as SVG.
"""

import io
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import FunctionType
from typing import Annotated, Any

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from lexurn.base import files
from lexurn.base.errors import ParameterError, suggestion
from lexurn.figures import plots, style
from lexurn.runs import tables
from lexurn.settings.registry import load_object

DPI = 150
MARGIN = 8  # transparent pixels that remain around the marks of a picture

# A length that a picture in memory can have.
Inches = Annotated[float, Field(gt=0, le=40)]

# The title, table and plot keywords of one panel.
Panel = tuple[str, pd.DataFrame, dict[str, Any]]


class Drawing(BaseModel):
    """How a table is drawn.

    plot      the plot function, `module.name`; it takes a table, Axes and the keywords
    by        a column: each of its values gets a panel that shows the rows with this value
    each      one further keyword and its values: each value gets a panel
    pages     whether each value gets a picture of its own instead of a panel
    titles    the title of a panel; `{}` stands for the panel's value
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
    size: tuple[Inches, Inches] = (4.2, 3.2)
    share_y: bool = False


def draw(drawing: Drawing, table: pd.DataFrame, *, ending: str = "png") -> list[bytes]:
    """Return the content of a PNG or SVG file, or of one file per panel if `drawing.pages`."""
    plot = load_plot(drawing.plot)
    panels = _panels(drawing, table)
    pages = [[panel] for panel in panels] if drawing.pages else [panels]
    own = {"svg.hashsalt": "lexurn", "text.parse_math": False}  # `$` in a text begins no formula
    with matplotlib.style.context(["default", own]):
        figures = [plot_page(drawing, plot, page) for page in pages]
        if ending == "svg":
            metadata = {"Date": None, "Creator": None}
            return [_save(figure, format="svg", metadata=metadata) for figure in figures]
        return [as_png(figure, trim=not drawing.pages) for figure in figures]


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


def write(folder: Path, name: str, pictures: list[bytes], *, ending: str = "png") -> list[Path]:
    """Write `<name>.png`, or `<name>-0.png` … for the pages of a flipbook; return the paths."""
    paths = []
    for number, picture in enumerate(pictures):
        stem = name if len(pictures) == 1 else f"{name}-{number}"
        paths.append(folder / f"{stem}.{ending}")
        files.write(paths[-1], picture)
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
    except (ImportError, AttributeError, ValueError) as error:
        hint = f"see lexurn.figures.plots ({error})"
        if module.startswith("lexurn"):
            hint = suggestion(function, vars(plots)) + hint
        elif isinstance(error, ModuleNotFoundError):
            hint = f"{error} here; set PYTHONPATH to the folder of the module"
        raise ParameterError(f"no plot function {name}; {hint}") from None


def require_own_plot(name: str) -> None:
    """Raise ParameterError unless a name is that of a plot function of lexurn, which returns Axes.

    A module of lexurn also holds other functions, and other modules under the names that it gives
    them; a file that names one of these is not followed.
    """
    plot = load_plot(name) if name.startswith("lexurn.") and "__" not in name else None
    is_own = isinstance(plot, FunctionType) and f"{plot.__module__}.{plot.__qualname__}" == name
    if not is_own or plot.__annotations__.get("return") is not Axes:
        raise ParameterError(
            f"a card may name a plot function of lexurn, got {name}, which could do anything; "
            "if you know who made the card, redraw it with --trust"
        )


def check_panels(name: str, table: Any, by: str, each: Mapping[str, Any]) -> None:
    """Raise ParameterError if a figure cannot get its panels from this table."""
    if not isinstance(table, pd.DataFrame):
        raise ParameterError(
            f"figure {name}: the table must be a pandas DataFrame, got {type(table).__name__}"
        )
    if by and by not in table:
        raise ParameterError(
            f"figure {name}: the table has no column {by}; {suggestion(by, table.columns)}"
            f"it has {', '.join(map(str, table))}"
        )
    if (by and each) or len(each) > 1:
        raise ParameterError(
            f"figure {name}: panels come from one column (`by`) or from one keyword (`each`), "
            f"got by={by!r} and each={list(each)}; drop all but one"
        )


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
        (drawing.titles.replace("{}", style.display_name(value)), rows, drawing.keywords | own)
        for value, rows, own in contents
    ]
    return panels or [("", table, drawing.keywords)]


def plot_page(drawing: Drawing, plot: Callable[..., Axes], panels: list[Panel]) -> Figure:
    """Return a matplotlib figure of these panels."""
    width, height = drawing.size
    figure, all_axes = style.panels(len(panels), width=width, height=height, sharey=drawing.share_y)
    for (title, table, keywords), axes in zip(panels, all_axes, strict=True):
        plot(table, axes, **keywords)
        if title:
            axes.set_title(title, fontsize=11)
    style.label_lowest_panels(all_axes)
    style.write_powers(figure)
    if drawing.legend is not None:
        style.draw_legend(all_axes[-1], title=drawing.legend)
    if drawing.title:
        figure.suptitle(drawing.title)
    return figure


def as_png(figure: Figure, *, trim: bool = True) -> bytes:
    """Return a figure as a PNG file of at most 256 colours, by default without empty margins.

    The layout is computed once and leaves room for tick labels and legends. A text or legend that
    is larger than its panel can still cross the edge of the canvas: the canvas then grows to hold
    everything, which takes longer.
    """
    figure.set_dpi(DPI)
    figure.get_layout_engine().execute(figure)
    figure.set_layout_engine("none")
    figure.canvas.draw()
    if _is_cut_off(figure):
        for artist in figure.findobj():
            artist.set_in_layout(True)
        return _save(figure, format="png", metadata={"Software": None})
    pixels = np.asarray(figure.canvas.buffer_rgba())
    has_mark = pixels[:, :, 3] > 0
    if trim and has_mark.any():
        rows, columns = (np.flatnonzero(has_mark.any(axis)) for axis in (1, 0))
        pixels = pixels[
            max(rows[0] - MARGIN, 0) : rows[-1] + MARGIN + 1,
            max(columns[0] - MARGIN, 0) : columns[-1] + MARGIN + 1,
        ]
    picture = Image.fromarray(pixels).quantize(256, method=Image.Quantize.FASTOCTREE)
    buffer = io.BytesIO()
    picture.save(buffer, format="png")
    return buffer.getvalue()


def _is_cut_off(figure: Figure) -> bool:
    """Return whether the canvas of a drawn figure does not hold all its texts and legends."""
    texts: list[Any] = [*figure.texts]
    for axes in figure.axes:
        labels = (axes.title, axes.xaxis.label, axes.yaxis.label, axes.get_legend())
        texts += [text for text in (*axes.texts, *labels) if text]
    boxes = [box for box in (text.get_tightbbox() for text in texts) if box and box.width > 0]
    return any((box.min < 0).any() or (box.max > figure.bbox.max).any() for box in boxes)


def _save(figure: Figure, **options: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI, bbox_inches="tight", **options)
    return buffer.getvalue()
