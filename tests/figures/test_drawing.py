"""Pictures hold everything that a figure draws: nothing is cut off at the edge of the canvas."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lexurn.base.errors import ParameterError
from lexurn.chapters.geometry import plots as geometry_plots
from lexurn.figures import drawing, plots

STEPS = pd.DataFrame({"step": [0, 10, 20] * 8, "mean": range(24)}).assign(
    who=[f"a model with a rather long name {number}" for number in range(8) for _ in range(3)],
    panel=[f"panel {number % 5}" for number in range(8) for _ in range(3)],
)
ESTIMATES = pd.DataFrame(
    {"of": [f"an estimate with a long tick label {number}" for number in range(12)]}
).assign(what=["one", "other"] * 6, r=range(12), low=-1.0, high=30.0)
CELLS = pd.DataFrame(
    [(down, across, 10.0**down) for down in range(3) for across in range(3)],
    columns=["first", "second", "value"],
)
CURVES = {"plot": "lexurn.figures.plots.curves", "keywords": {"x": "step"}, "legend": "models"}
SIMILARITIES = {
    "plot": "lexurn.chapters.geometry.plots.similarities",
    "keywords": {"names": ["a long token", "b", "another long token"]},
}
HEAT_MAP = {
    "plot": "lexurn.figures.plots.heat_map",
    "keywords": {"down": "first", "across": "second", "value": "value", "low": 1.0, "high": 100.0},
}
DRAWINGS = {
    "a legend beside one panel": (CURVES, STEPS),
    "a legend in the empty cell of a grid": (CURVES | {"by": "panel", "title": "All"}, STEPS),
    "a title over flat panels": (
        CURVES | {"by": "panel", "title": "A title", "size": (2.4, 1.9), "share_y": True},
        STEPS[STEPS["panel"] < "panel 2"],
    ),
    "long tick labels": (
        {"plot": "lexurn.figures.plots.estimates", "keywords": {"x": "r"}, "legend": "of"},
        ESTIMATES,
    ),
    "names along both axes, and a colour bar": (SIMILARITIES | {"title": "Cosines"}, CELLS),
    "a heat map": (HEAT_MAP, CELLS),
    "pages": (HEAT_MAP | {"pages": True, "each": {"low": [1.0, 2.0]}}, CELLS),
}


def lay_out(how, table):
    """The figure of a drawing, laid out as for its PNG file."""
    how = drawing.Drawing(**how)
    panels = drawing._panels(how, table)
    figure = drawing.plot_page(how, drawing.load_plot(how.plot), panels)
    drawing.as_png(figure)
    return figure


def artists_outside(figure):
    """Everything that a figure draws and that its canvas does not hold entirely."""
    drawn = [artist for axes in figure.axes for artist in axes.get_children()]
    drawn += [artist for artist in figure.get_children() if artist not in figure.axes]
    boxes = {artist: artist.get_tightbbox() for artist in drawn if artist.get_visible()}
    width, height = figure.canvas.get_width_height()
    return [
        artist
        for artist, box in boxes.items()
        if box is not None and box.width > 0 and box.height > 0
        if min(box.x0, box.y0) < -1 or box.x1 > width + 1 or box.y1 > height + 1
    ]


def is_at_edge(png):
    alpha = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))[:, :, 3]
    return bool(alpha[[0, -1]].any() or alpha[:, [0, -1]].any())


@pytest.mark.parametrize("name", DRAWINGS)
def test_no_artist_lies_outside_the_canvas(name):
    how, table = DRAWINGS[name]
    figure = lay_out(how, table)
    assert artists_outside(figure) == []
    for png in drawing.draw(drawing.Drawing(**how), table):
        assert not is_at_edge(png)
        width, height = figure.get_size_inches() * drawing.DPI
        size = Image.open(io.BytesIO(png)).size
        assert size[0] <= width and size[1] <= height  # the canvas did not have to grow


def planted(table, axes):
    """A plot whose label the layout does not know about, and which crosses the canvas's edge."""
    text = axes.text(0.9, 0.5, "a label that goes on and on and on", transform=axes.transAxes)
    text.set_in_layout(False)
    return axes


@pytest.mark.parametrize(
    "changes",
    [
        {"size": (4.2, 1.1), "keywords": {"x": "step"}, "legend": "a\nlegend\nof\nmany\nlines"},
        {"title": "A title that is a good deal wider than the only panel of this figure"},
        {"titles": " and ".join(["{}"] * 7), "by": "panel"},
    ],
)
def test_a_picture_grows_to_hold_texts_that_are_larger_than_its_panels(changes):
    how = CURVES | changes
    rows = STEPS[STEPS["panel"] < "panel 1"]
    assert artists_outside(lay_out(how, rows))
    (png,) = drawing.draw(drawing.Drawing(**how), rows)
    assert not is_at_edge(png)


def test_a_label_that_would_be_cut_off_is_found_and_the_picture_grows_to_hold_it():
    how = drawing.Drawing(plot=f"{__name__}.planted")
    figure = drawing.plot_page(how, planted, [("", CELLS, {})])
    (label,) = figure.axes[0].texts
    png = drawing.as_png(figure)
    figure.set_layout_engine("none")
    assert artists_outside(figure) == [label]
    assert not is_at_edge(png)
    assert Image.open(io.BytesIO(png)).size[0] > figure.get_size_inches()[0] * drawing.DPI
    figure = drawing.plot_page(how, planted, [("", CELLS, {})])
    figure.axes[0].texts[0].set_text("short")
    drawing.as_png(figure)
    assert artists_outside(figure) == []


def test_empty_margins_are_trimmed_except_those_of_pages():
    how, table = DRAWINGS["names along both axes, and a colour bar"]
    wide = drawing.Drawing(**how | {"size": (9.0, 3.0)})
    trimmed, *_ = drawing.draw(wide, table)
    page, *_ = drawing.draw(wide.model_copy(update={"pages": True}), table)
    (width, height), page_size = (Image.open(io.BytesIO(png)).size for png in (trimmed, page))
    assert page_size == (9 * drawing.DPI, 3 * drawing.DPI)
    assert width < 5 * drawing.DPI and height <= 3 * drawing.DPI


def test_the_plots_above_are_plot_functions():
    assert drawing.load_plot(SIMILARITIES["plot"]) is geometry_plots.similarities
    assert drawing.load_plot(CURVES["plot"]) is plots.curves


def test_a_plot_function_that_cannot_be_imported_is_explained():
    with pytest.raises(ParameterError, match="No module named 'nowhere_at_all' here; set PYTHONP"):
        drawing.load_plot("nowhere_at_all.mine")
    with pytest.raises(ParameterError, match="did you mean curves") as caught:
        drawing.load_plot("lexurn.figures.plots.curve")
    assert "PYTHONPATH" not in str(caught.value)
    assert drawing.load_plot("lexurn.figures.plots.curves") is plots.curves
