"""Grids of runs: every combination of some settings, read from a file.

    # params/sweeps/sizes.yaml
    fixed: {n_steps: 2000}                      settings that all points share
    axes:                                       every combination of their values is a point
      kind: [normal, lexical, permuted]         values of a setting, or a kind of model
      n_tasks: [1, 4]
      model:                                    an axis with a name of its own: each of its values
        rotary: {positions: rotary}             has a name and stands for several settings
        lstm: {backbone: lstm, d_hidden: 64, tied: false}
    seeds: 4                                    0 … 3 for each combination, or a list

A point is a run like any other and is identified by its settings. An interrupted grid therefore
continues, and grids share their common points. `lexurn.runs.workers` trains them.
"""

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lexurn import runs
from lexurn.base import paths, yaml_files
from lexurn.base.errors import ParameterError, suggestion
from lexurn.runs import workers
from lexurn.settings import KINDS, Settings, flat_names, resolver

MIN_SCALED = {"n_steps": 1, "eval_every": 16}
"""Settings that `read` scales, with their least values: evaluations must not fill a training."""


@dataclass(frozen=True)
class Sweep:
    """A grid: its name, its axes, its points, and by a point's name its value on every axis."""

    name: str
    axes: tuple[str, ...]
    points: tuple[Settings, ...]
    coordinates: Mapping[str, Mapping[str, Any]]

    def where(self, **values: Any) -> list[Settings]:
        """Return the points with these values: `where(model="lstm", language="dyck")`."""
        return [
            point for point in self.points if values.items() <= self.coordinates[point.name].items()
        ]

    def done(self) -> list[Settings]:
        return [point for point in self.points if runs.is_stored(point)]

    def missing(self) -> list[Settings]:
        """Return the points that are not trained yet, also those that failed before."""
        return [point for point in self.points if not runs.is_stored(point)]

    def failed(self) -> list[Settings]:
        return [point for point in self.missing() if workers.failure_path(point).exists()]

    def table(self) -> pd.DataFrame:
        """Return the results of the finished points as a tidy table, in the order of the points.

        Columns: name, kind, seed, the axes, and the columns of `Run.results`, with the mean over
        rows and the last row only.
        """
        return pd.concat([self._results(point) for point in self.done()], ignore_index=True)

    def _results(self, point: Settings) -> pd.DataFrame:
        flat = point.flat()
        columns = {"name": point.name, "kind": point.kind, "seed": flat["seed"]}
        for axis, value in self.coordinates[point.name].items():  # alpha is a number or a list
            columns[axis] = json.dumps(flat[axis]) if axis == "alpha" else flat.get(axis, value)
        results = runs.load(point.name).results
        return results.assign(**columns)[[*columns, *results]]


def read(
    path: str | Path,
    *,
    changes: Mapping[str, Any] | None = None,
    seeds: Sequence[int] | None = None,
    scale: float = 1.0,
    max_points: int = 1000,
) -> Sweep:
    """Return the grid of a file, or the grid with this name in `params/sweeps`.

    `changes` replaces some of its fixed settings and `seeds` its seeds; `scale` multiplies its
    numbers of steps, with evaluations at the same shares of the training. Raises ParameterError
    before any work: for an unknown name, an axis without values or of a fixed setting, settings
    that do not go together, two equal points, and more than `max_points` points.
    """
    path = Path(path)
    if not path.suffix and not path.exists():
        path = paths.root() / "params" / "sweeps" / f"{path}.yaml"
    try:
        content = yaml_files.read_yaml(path)
    except FileNotFoundError:
        names = [file.stem for file in sorted((paths.root() / "params" / "sweeps").glob("*.yaml"))]
        raise ParameterError(
            f"no grid {path}; in params/sweeps there are {', '.join(names)}"
        ) from None
    try:
        fixed, axes, own_seeds = _check_content(content, changes or {})
    except ParameterError as error:
        raise ParameterError(f"{path}: {error}") from None
    seeds = own_seeds if seeds is None else seeds
    n_seeds = seeds if isinstance(seeds, int) else len(seeds)
    n_points = math.prod(map(len, axes.values()), start=n_seeds)
    if n_points > max_points:
        raise ParameterError(
            f"{path} has {n_points} points, more than {max_points}; make it smaller, or allow more "
            "with --max-points"
        )
    seeds = range(n_seeds) if isinstance(seeds, int) else seeds
    points: list[Settings] = []
    coordinates: dict[str, dict[str, Any]] = {}
    for *combination, seed in itertools.product(*axes.values(), seeds):
        flat = dict(fixed)
        for _, settings in combination:
            flat |= settings
        if scale != 1.0:
            for name in MIN_SCALED.keys() & flat.keys():
                flat[name] = max(round(flat[name] * scale), MIN_SCALED[name])
        values = {axis: value for axis, (value, _) in zip(axes, combination, strict=True)}
        text = ", ".join(f"{name}={value}" for name, value in {**values, "seed": seed}.items())
        try:
            point = _point(flat | {"seed": seed})
        except ParameterError as error:
            raise ParameterError(f"{path}, at {text}: {error}") from None
        if point.name in coordinates:
            raise ParameterError(f"{path}: the point {text} comes twice; give each value once")
        points.append(point)
        coordinates[point.name] = values
    return Sweep(path.stem, tuple(axes), tuple(points), coordinates)


def _check_content(
    content: Any, changes: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, list[tuple[Any, dict[str, Any]]]], int | list[int]]:
    """Return the fixed settings, with their changes, the axes and the seeds of a file's content."""
    parts = ("fixed", "axes", "seeds")
    if not isinstance(content, dict) or not content:
        raise ParameterError(f"a grid holds some of {', '.join(parts)}, got {json.dumps(content)}")
    for name in content:
        if name not in parts:
            raise ParameterError(
                f"{name} is no part of a grid; {suggestion(name, parts)}known: {', '.join(parts)}"
            )
    fixed = content.get("fixed") or {}
    axes = content.get("axes") or {}
    for name, part in (("fixed", fixed), ("axes", axes)):
        if not isinstance(part, dict):
            raise ParameterError(f"{name} must hold `name: value` lines, got {part!r}")
    fixed = fixed | changes
    known = [*flat_names(), "kind"]
    axes = {axis: _choices(axis, values, known) for axis, values in axes.items()}
    names_on_axes: list[str] = []
    for choices in axes.values():
        names_on_axes += dict.fromkeys(name for _, settings in choices for name in settings)
    for name in [*fixed, *names_on_axes]:
        is_axis = name in names_on_axes
        problems = {
            f"{name} stands in two axes; keep one of the two": names_on_axes.count(name) > 1,
            f"{name} is no setting; {suggestion(name, known)}known: {', '.join(known)}": (
                name not in known
            ),
            "seeds stand under `seeds`, a number or a list": name == "seed",
            f"{name} is an axis, whose values stand in the file; leave it out": (
                is_axis and name in changes
            ),
            f"{name} is fixed and an axis; keep one of the two": is_axis and name in fixed,
        }
        for problem, applies in problems.items():
            if applies:
                raise ParameterError(problem)
    seeds = content.get("seeds", 1)
    is_list = isinstance(seeds, list) and seeds and all(type(seed) is int for seed in seeds)
    if not is_list and not (type(seeds) is int and seeds > 0):
        raise ParameterError(f"seeds must be a number of them, or a list, got {seeds!r}")
    return fixed, axes, seeds


def _choices(axis: str, values: Any, known: Sequence[str]) -> list[tuple[Any, dict[str, Any]]]:
    """Return the values of an axis, each with the settings that it stands for.

    A mapping belongs to an axis with a name of its own.
    """
    is_mapping = isinstance(values, dict) and axis not in known
    if not (is_mapping or isinstance(values, list)) or not values:
        raise ParameterError(f"axis {axis} needs a list of values, got {values!r}")
    choices = values.items() if is_mapping else [(value, {axis: value}) for value in values]
    for name, settings in choices:
        if not isinstance(settings, dict | None):
            raise ParameterError(f"axis {axis}: {name} needs a set of settings, got {settings!r}")
    return [(name, settings or {}) for name, settings in choices]


def _point(flat: dict[str, Any]) -> Settings:
    kind = flat.pop("kind", None)
    if kind not in (None, *KINDS):
        raise ParameterError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    if kind and (clash := {"lex", "label_permuted"} & flat.keys()):
        raise ParameterError(f"kind says what {min(clash)} is; leave {min(clash)} out")
    return resolver.check(flat | (KINDS[kind] if kind else {}))
