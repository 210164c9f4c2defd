"""Grids of runs: every combination of some settings, trained by any executor of the `concurrent.futures` kind.

    # params/sweeps/sizes.yaml
    fixed: {n_steps: 2000}                      what all points share
    axes:                                       what differs: every combination is a point
      kind: [normal, lexical, permuted]         a kind of model, or any setting
      n_tasks: [1, 4]
      model:                                    or an axis of one's own name: settings that go together, each set
        rotary: {positions: rotary}             with a name
        lstm: {backbone: lstm, d_hidden: 64, tied: false}
    seeds: 4                                    0 … 3 for each combination, or a list

A point is a run like any other: it is found again by its settings, so a grid that was cut off goes on, and grids share
what they have in common. A point that fails leaves `failure.txt` in its folder, and the others go on.
"""

import contextlib
import itertools
import json
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from lexurn import runs
from lexurn.base import files, paths
from lexurn.base.errors import ParameterError, suggestion
from lexurn.base.version import __version__
from lexurn.runs import fit
from lexurn.runs.tracking import NullTracker
from lexurn.settings import KINDS, Settings, flat_names, registry, resolver

FEWEST_BETWEEN = 16
"""Steps between evaluations of a grid that is scaled down, at least."""


@dataclass(frozen=True)
class Sweep:
    """A grid: its name, its axes, its points, and for each point's name its value on every axis."""

    name: str
    axes: tuple[str, ...]
    points: tuple[Settings, ...]
    places: Mapping[str, Mapping[str, Any]]

    def joined(self, other: "Sweep") -> "Sweep":
        """The points of both, on the same axes. Raises ParameterError where these differ."""
        if self.axes != other.axes:
            raise ParameterError(
                f"{self.name} and {other.name} have other axes, {', '.join(self.axes)} and {', '.join(other.axes)}; "
                "join grids that differ in nothing but their points"
            )
        return Sweep(
            self.name, self.axes, self.points + other.points, {**self.places, **other.places}
        )

    def where(self, **values: Any) -> list[Settings]:
        """The points with these values on the axes, for example `where(model="lstm", language="dyck")`."""
        return [point for point in self.points if values.items() <= self.places[point.name].items()]

    def done(self) -> list[Settings]:
        return [point for point in self.points if runs.is_stored(point)]

    def missing(self) -> list[Settings]:
        """Points that are not trained yet, those that failed before among them."""
        return [point for point in self.points if not runs.is_stored(point)]

    def failed(self) -> list[Settings]:
        return [point for point in self.missing() if failure(point).exists()]

    def table(self) -> pd.DataFrame:
        """Results of the finished points, tidy: name, kind, seed, the axes, and the columns of `Run.results`.

        Means over rows and the last row only. In the order of the points, whatever order they were trained in.
        """
        return pd.concat([self._lines(point) for point in self.done()], ignore_index=True)

    def _lines(self, point: Settings) -> pd.DataFrame:
        table, flat = runs.load(point.name).results, point.flat()
        table = table[table["row"].isin(["mean", "last"])]
        of = {"name": point.name, "kind": point.kind, "seed": flat["seed"]}
        of |= {axis: json.dumps(flat[axis]) for axis in self.axes if axis == "alpha"}
        of |= {
            axis: flat.get(axis, self.places[point.name][axis])
            for axis in self.axes
            if axis not in of
        }
        return table.assign(**of)[[*of, *table.columns]]


def read(
    path: str | Path,
    *,
    changes: Mapping[str, Any] | None = None,
    seeds: Sequence[int] | None = None,
    scale: float = 1.0,
    max_points: int = 1000,
) -> Sweep:
    """The grid in a file, or of that name in `params/sweeps`; raises ParameterError before any work.

    It may be changed: some of its fixed settings, its seeds, and by a `scale` its steps, with evaluations at the same
    shares of the training. Refused: a name no setting has, an axis without values or that is fixed as well, a
    combination that no run can be made from, a point that comes twice, and more than `max_points`.
    """
    path = Path(path)
    if not path.suffix and not path.exists():
        path = paths.root() / "params" / "sweeps" / f"{path}.yaml"
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except FileNotFoundError:
        there = [each.stem for each in sorted((paths.root() / "params" / "sweeps").glob("*.yaml"))]
        raise ParameterError(
            f"no grid {path}; in params/sweeps there are {', '.join(there)}"
        ) from None
    except yaml.YAMLError as error:
        raise ParameterError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    fixed, axes, own_seeds = _parts(path, content, dict(changes or {}))
    seeds = own_seeds if seeds is None else seeds
    n_points = len(seeds)
    for values in axes.values():
        n_points *= len(values)
    if n_points > max_points:
        raise ParameterError(
            f"{path} has {n_points} points, more than {max_points}; make it smaller, or allow more with --max-points"
        )
    points: dict[str, Settings] = {}
    places: dict[str, dict[str, Any]] = {}
    for combination in itertools.product(*axes.values()):
        place = dict(zip(axes, combination, strict=True))
        changed = {
            name: {name: value} if isinstance(axes[name], list) else axes[name][value]
            for name, value in place.items()
        }
        for seed in seeds:
            flat = (
                fixed
                | {name: value for each in changed.values() for name, value in each.items()}
                | {"seed": seed}
            )
            if scale != 1.0:  # not so often that nothing but evaluating is left of a short training
                least = {"n_steps": 1, "eval_every": FEWEST_BETWEEN}
                flat |= {
                    name: max(round(flat[name] * scale), n)
                    for name, n in least.items()
                    if name in flat
                }
            said = ", ".join(f"{name}={value}" for name, value in (place | {"seed": seed}).items())
            try:
                point = _point(flat)
            except ParameterError as error:
                raise ParameterError(f"{path}, at {said}: {error}") from None
            if point.name in points:
                raise ParameterError(f"{path}: the point {said} comes twice; give each value once")
            points[point.name], places[point.name] = point, place
    return Sweep(path.stem, tuple(axes), tuple(points.values()), places)


def failure(point: Settings) -> Path:
    """Where a point's traceback lies after it failed."""
    return paths.runs() / point.name / "failure.txt"


def estimate(points: Iterable[Settings]) -> float:
    """Seconds that points would take one after the other, from a few steps of each that is more than another seed.

    A point that fails in those steps counts for nothing: that is told when it is trained.
    """
    seconds: dict[Settings, float] = {}
    total = 0.0
    for point in points:
        alike = point.of_kind(point.kind, seed=0)
        if alike not in seconds:
            seconds[alike] = 0.0
            with contextlib.suppress(Exception):
                seconds[alike] = fit.estimate(alike)
        total += seconds[alike]
    return total


def train(
    points: Iterable[Settings], executor: Executor, *, tell: Callable[[Settings, str], None]
) -> dict[Settings, str]:
    """Train points; `tell` gets each that has ended, with its traceback or "". Returns those that failed."""
    failed = {}
    outside = registry.outside_entries()
    futures = {
        executor.submit(train_one, point.model_dump_json(), __version__, outside): point
        for point in points
    }
    for future in as_completed(futures):
        try:
            trace = future.result()
        except Exception as error:  # its process died, or the executor could not run it
            trace = f"{type(error).__name__}: {error}"
            _keep(trace, futures[future])
        if trace:
            failed[futures[future]] = trace
        tell(futures[future], trace)
    return failed


def train_one(point: str, version: str, outside: list[tuple[str, str, str]]) -> str:
    """Train the point that these JSON settings say. Returns the traceback where it fails, which its folder keeps."""
    registry.register_again(outside)
    settings = Settings.model_validate_json(point)
    try:
        if version != __version__:
            raise RuntimeError(
                f"lexurn {__version__} is here, {version} was wanted; install the same everywhere"
            )
        failure(settings).unlink(missing_ok=True)
        runs.get(settings, tracker=NullTracker())
        return ""
    except Exception:
        trace = traceback.format_exc()
        _keep(trace, settings)
        return trace


def _keep(trace: str, point: Settings) -> None:
    with contextlib.suppress(OSError):  # a full disk may be what it tells
        failure(point).parent.mkdir(parents=True, exist_ok=True)
        files.write(failure(point), trace)


Axes = dict[
    str, list[Any] | dict[str, dict[str, Any]]
]  # values of a setting, or named sets of settings


def _parts(
    path: Path, content: Any, changes: dict[str, Any]
) -> tuple[dict[str, Any], Axes, list[int]]:
    """Fixed settings, some of them changed, axes and seeds of a file's content."""
    known = ("fixed", "axes", "seeds")
    if not isinstance(content, dict) or not content:
        raise ParameterError(
            f"{path} must hold some of {', '.join(known)}, got {json.dumps(content)}"
        )
    for name in content:
        if name not in known:
            hint = suggestion(name, known)
            raise ParameterError(
                f"{path}: {name} is no part of a grid; {hint}known: {', '.join(known)}"
            )
    fixed, axes, seeds = (
        content.get("fixed") or {},
        content.get("axes") or {},
        content.get("seeds", 1),
    )
    for name, part in (("fixed", fixed), ("axes", axes)):
        if not isinstance(part, dict):
            raise ParameterError(f"{path}: {name} must hold `name: value` lines, got {part!r}")
    fixed, allowed = fixed | changes, [*flat_names(), "kind"]
    sets = {
        name: values
        for name, values in axes.items()
        if isinstance(values, dict) and name not in allowed
    }
    for axis, values in sets.items():
        if bad := [name for name, each in values.items() if not isinstance(each, dict | None)]:
            raise ParameterError(
                f"{path}: axis {axis}: {bad[0]} needs a set of settings, got {values[bad[0]]!r}"
            )
        axes[axis] = sets[axis] = {name: each or {} for name, each in values.items()}
    inner = [
        name
        for values in sets.values()
        for name in {name for each in values.values() for name in each}
    ]
    if twice := [name for name in inner if inner.count(name) > 1 or name in axes]:
        raise ParameterError(f"{path}: {twice[0]} stands in two axes; keep one of the two")
    for name in [*fixed, *(name for name in axes if name not in sets), *inner]:
        if name not in allowed:
            hint = suggestion(name, allowed)
            raise ParameterError(f"{path}: {name} is no setting; {hint}known: {', '.join(allowed)}")
        if name in fixed and (name in axes or name in inner):
            why = "is fixed and an axis; keep one of the two"
            if name in changes:
                why = "is an axis, whose values stand in the file; leave it out"
            raise ParameterError(f"{path}: {name} {why}")
        if name == "seed":
            raise ParameterError(f"{path}: seeds stand under `seeds`, a number or a list")
    for name, values in axes.items():
        if name not in sets and not isinstance(values, list) or not values:
            raise ParameterError(f"{path}: axis {name} needs a list of values, got {values!r}")
    if isinstance(seeds, int) and not isinstance(seeds, bool) and seeds > 0:
        seeds = list(range(seeds))
    if not isinstance(seeds, list) or not seeds or not all(type(seed) is int for seed in seeds):
        raise ParameterError(f"{path}: seeds must be a number of them, or a list, got {seeds!r}")
    return fixed, axes, seeds


def _point(flat: dict[str, Any]) -> Settings:
    kind = flat.pop("kind", None)
    if kind is None:
        return resolver.check(flat)
    if kind not in KINDS:
        raise ParameterError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    if clash := {"lex", "label_permuted"} & flat.keys():
        raise ParameterError(f"kind says what {min(clash)} is; leave {min(clash)} out")
    if kind != "lexical":
        flat.pop("vocabulary", None)  # it counts with lex alone
    return resolver.check(flat | {"lex": kind == "lexical", "label_permuted": kind == "permuted"})
