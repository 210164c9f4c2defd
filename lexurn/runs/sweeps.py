"""Grids of runs: every combination of some settings, read from a file.

    # params/sweeps/mine.yaml
    fixed: {n_steps: 2000}                      settings that all points share
    axes:                                       every combination of their values is a point
      kind: [normal, lexical, permuted]         values of a setting, or a kind of model
      n_tasks: [1, 4]
      model:                                    an axis with a name of its own: each of its values
        rotary: {positions: rotary}             has a name and stands for several settings
        lstm: {backbone: lstm, d_hidden: 64, tied: false}
    seeds: 4                                    0 … 3 for each combination, or a list
    score: my_package.scores:rates              a function that returns a table of a trained point

A point is a run like any other and is identified by its settings. An interrupted grid therefore
continues, and grids share their common points. `lexurn.runs.workers` trains them, and
`lexurn.runs.scoring` says what `score` may name.
"""

import itertools
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import Field, PositiveInt, StrictInt, ValidationError

from lexurn import runs
from lexurn.base import paths, yaml_files
from lexurn.base.errors import ParameterError
from lexurn.runs import scoring
from lexurn.settings import KINDS, Section, Settings, resolver

MIN_SCALED = {"n_steps": 1, "eval_every": 16}
"""Settings that `read` scales, with their least values: evaluations must not fill a training."""

Choices = dict[str, dict[str, Any] | None]
"""Sets of settings by their names; None stands for the defaults."""


@dataclass(frozen=True)
class Sweep:
    """A grid: its name, its axes, its points, by a point's name its value on every axis, and the
    name of its scorer, if there is one."""

    name: str
    axes: tuple[str, ...]
    points: tuple[Settings, ...]
    coordinates: Mapping[str, Mapping[str, Any]]
    score: str = ""

    def where(self, **values: Any) -> list[Settings]:
        """Return the points with these values: `where(model="lstm", language="dyck")`."""
        return [
            point for point in self.points if values.items() <= self.coordinates[point.name].items()
        ]

    def done(self) -> list[Settings]:
        """Return the points that are trained and, if the grid has a scorer, scored."""
        return [point for point in self.points if self._is_done(point)]

    def missing(self) -> list[Settings]:
        """Return the other points."""
        return [point for point in self.points if not self._is_done(point)]

    def _is_done(self, point: Settings) -> bool:
        return runs.is_stored(point) and (not self.score or scoring.is_scored(self.score, point))

    def table(self) -> pd.DataFrame:
        """Return the results of the finished points as a tidy table, in the order of the points.

        Columns: name, kind, seed, the axes, and the columns of `Run.results`, with the mean over
        rows and the last row only. The rows of a scorer follow those of each point; a column that
        one of the two lacks is missing in its rows.
        """
        return pd.concat([self._results(point) for point in self.done()], ignore_index=True)

    def _results(self, point: Settings) -> pd.DataFrame:
        flat = point.flat()
        columns = {"name": point.name, "kind": point.kind, "seed": flat["seed"]}
        for axis, value in self.coordinates[point.name].items():  # alpha is a number or a list
            columns[axis] = json.dumps(flat[axis]) if axis == "alpha" else flat.get(axis, value)
        results = runs.load(point.name).results
        if self.score:
            scores = scoring.read_scores(self.score, point)
            results = pd.concat([results, scores], ignore_index=True)
        others = [column for column in results if column not in columns]
        return results.assign(**columns)[[*columns, *others]]


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
    before any work: for an unknown name, a scorer that is not allowed, an axis without values or of
    a fixed setting, settings that do not go together, two equal points, and more than `max_points`
    points.
    """
    folder = paths.root() / "params" / "sweeps"
    path = Path(path)
    if not path.suffix and not path.exists():
        path = folder / f"{path}.yaml"
    if not path.exists():
        names = ", ".join(sorted(file.stem for file in folder.glob("*.yaml")))
        raise ParameterError(f"no grid {path}; in params/sweeps there are {names}")
    try:
        grid = _Grid.model_validate(yaml_files.read_yaml(path))
    except ValidationError as error:
        form = (
            "a grid holds fixed (names with values), axes (names with lists of values), seeds (a "
            "number or a list) and score (module:function)"
        )
        fields = _Grid.model_fields
        raise ParameterError(yaml_files.explain(path, error, fields, form)) from None
    if grid.score:
        try:
            scoring.load_scorer(grid.score)
        except ParameterError as error:
            raise ParameterError(f"{yaml_files.place(path, 'score')}: {error}") from None
    fixed = grid.fixed | (changes or {})
    axes = {axis: _choices(axis, values) for axis, values in grid.axes.items()}
    on_axes = [{name for _, given in choices for name in given} for choices in axes.values()]
    for name, n in Counter(itertools.chain(fixed, ["seed"], *on_axes)).items():
        if n > 1:
            raise ParameterError(
                f"{path}: {name} is given twice, by seeds, fixed settings, changes or axes; give "
                "it once"
            )
    seeds = grid.seeds if seeds is None else seeds
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
        flat = fixed | {"seed": seed}
        for _, settings in combination:
            flat |= settings
        if scale != 1.0:
            for name in MIN_SCALED.keys() & flat.keys():
                flat[name] = max(round(flat[name] * scale), MIN_SCALED[name])
        values = {axis: value for axis, (value, _) in zip(axes, combination, strict=True)}
        text = ", ".join(f"{name}={value}" for name, value in {**values, "seed": seed}.items())
        try:
            point = _point(flat)
        except ParameterError as error:
            name = str(error).partition(" ")[0]
            where = ["fixed", name] if name in grid.fixed else []
            for axis, (value, settings) in zip(axes, combination, strict=True):
                where = ["axes", axis, value, name] if name in settings else where
            raise ParameterError(f"{yaml_files.place(path, *where)}, at {text}: {error}") from None
        if point.name in coordinates:
            raise ParameterError(f"{path}: the point {text} comes twice; give each value once")
        points.append(point)
        coordinates[point.name] = values
    return Sweep(path.stem, tuple(axes), tuple(points), coordinates, grid.score)


class _Grid(Section):
    """What a grid's file holds."""

    fixed: dict[str, Any] = {}
    axes: dict[str, Annotated[list[Any] | Choices, Field(min_length=1)]] = {}
    seeds: PositiveInt | Annotated[list[StrictInt], Field(min_length=1)] = 1
    score: str = ""


def _choices(axis: str, values: list[Any] | Choices) -> list[tuple[Any, dict[str, Any]]]:
    """Return the values of an axis, each with the settings that it stands for."""
    if isinstance(values, dict):
        return [(name, settings or {}) for name, settings in values.items()]
    return [(value, {axis: value}) for value in values]


def _point(flat: dict[str, Any]) -> Settings:
    kind = flat.pop("kind", None)
    if kind not in (None, *KINDS):
        raise ParameterError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    if kind and (clash := {"lex", "label_permuted"} & flat.keys()):
        raise ParameterError(f"kind says what {min(clash)} is; leave {min(clash)} out")
    return resolver.check(flat | (KINDS[kind] if kind else {}))
