"""The map of predictors: a triangle with the corners G, M and S, and where models move in it."""

import itertools
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from lexurn.figures.plots import line_groups
from lexurn.figures.style import look


def triangle(table: pd.DataFrame, axes: Axes) -> Axes:
    """Draw the map of `lexurn.measures.plane`: its corners, and a path with its end per `who`.

    `table` has who, x, y and mark: "corner" for G, M and S, else "" for a point of a path, or a
    text that is written beside the point.
    """
    corners = table[table["mark"] == "corner"]
    edges = pd.concat([corners, corners[:1]])
    axes.plot(edges["x"], edges["y"], color="0.6", linewidth=1, zorder=0)
    middle = corners[["x", "y"]].mean()
    for start, end in itertools.pairwise(edges.itertuples()):
        squared = (start.x - end.x) ** 2 + (start.y - end.y) ** 2
        first, second = sorted((start.who[0].upper(), end.who[0].upper()))
        is_steep = abs(start.y - end.y) > abs(start.x - end.x)
        place = _beside(middle, (start.x + end.x) / 2, (start.y + end.y) / 2, is_steep, points=7)
        text = f"d({first}, {second}) = {squared:.2g}"
        axes.annotate(text, color="0.35", fontsize=8, **place)
    for corner in corners.itertuples():
        style = {"color": look(corner.who).color, "marker": look(corner.who).marker}
        axes.scatter(corner.x, corner.y, s=70, zorder=3, **style)
        is_side = bool(abs(corner.x - middle["x"]) > abs(corner.y - middle["y"]))
        place = _beside(middle, corner.x, corner.y, is_side, points=11)
        axes.annotate(corner.who[0].upper(), weight="bold", **place)
    for who, path, its in line_groups(table.drop(corners.index), "who"):
        axes.plot(path["x"], path["y"], color=its.color, linestyle=its.dash, label=who)
        axes.plot(path["x"], path["y"], ".", color=its.color, ms=4)
        axes.plot(path["x"].iloc[-1], path["y"].iloc[-1], its.marker, color=its.color, ms=8)
        for point in path[path["mark"] != ""].itertuples():
            place = {"xytext": (7, 4), "textcoords": "offset points", "fontsize": 8}
            axes.annotate(point.mark, (point.x, point.y), **place)
    axes.set_aspect("equal")
    axes.margins(0.14, 0.3)
    axes.axis("off")
    return axes


def _beside(middle: pd.Series, x: float, y: float, is_side: bool, *, points: int) -> dict[str, Any]:
    """Return where a text stands: left or right of a point, or above or below it, turned from the
    middle."""
    sign = int(np.sign(x - middle["x"] if is_side else y - middle["y"]))
    beside = {1: "left", 0: "center", -1: "right"}[sign]
    above = {1: "bottom", 0: "center", -1: "top"}[sign]
    return {
        "xy": (x, y),
        "xytext": (points * sign, 0) if is_side else (0, points * sign),
        "textcoords": "offset points",
        "ha": beside if is_side else "center",
        "va": "center" if is_side else above,
    }
