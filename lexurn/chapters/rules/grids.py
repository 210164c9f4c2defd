"""The grids of this chapter."""

import dataclasses
from collections.abc import Collection

from lexurn.base.errors import ParameterError
from lexurn.runs.sweeps import Sweep


def join_grids(first: Sweep, second: Sweep) -> Sweep:
    """Return the points of two grids as one grid. Raises ParameterError if their axes differ."""
    if first.axes != second.axes:
        raise ParameterError(
            f"{first.name} has the axes {', '.join(first.axes)}, and {second.name} has "
            f"{', '.join(second.axes)}; join grids with the same axes"
        )
    points = first.points + second.points
    return dataclasses.replace(
        first, points=points, coordinates={**first.coordinates, **second.coordinates}
    )


def select_points(grid: Sweep, **values: Collection[str]) -> Sweep:
    """Return the points of a grid with the given values on some axes, as in `model=["lstm"]`."""
    points = [
        point
        for point in grid.points
        if all(grid.coordinates[point.name][axis] in chosen for axis, chosen in values.items())
    ]
    return dataclasses.replace(grid, points=tuple(points))
