"""Runs and tables of other chapters that the audit uses again.

At the scale of the book they are stored, so that nothing is trained. With `is_small`, the settings
are those of `params/smoke.yaml`: everything runs in seconds, and the numbers mean nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from lexurn.base import paths
from lexurn.chapters.analysis import headline
from lexurn.chapters.architectures import published
from lexurn.chapters.coins import fates, grids, tiny
from lexurn.chapters.rules import extrapolation
from lexurn.figures import widgets
from lexurn.runs import cache, sweeps
from lexurn.runs.run import Run
from lexurn.settings import Settings, StudySettings, resolver

COINS = {"n_colors": 2, "n_tasks": 0, "context_length": 20}
"""What the chapter on coins fixes."""

STRATEGIES_D = (8, 32, 128)


def headline_runs(seeds: Sequence[int], *, jobs: int) -> dict[str, list[Run]]:
    """Return the models of four colours of chapter 4: normal, lexical, and `original tables`.

    Of the last kind, those at the learning rate with the smaller validation loss.
    """
    grid = sweeps.read("headline", seeds=seeds)
    points = {kind: grid.where(kind=kind, n_colors=4) for kind in ("normal", "lexical")}
    tables = sweeps.read("headline_original", seeds=seeds)
    rates = {tables.coordinates[point.name]["learning_rate"] for point in tables.points}
    points |= {rate: tables.where(learning_rate=rate) for rate in rates}
    wanted = [point for some in points.values() for point in some]
    found = dict(zip(wanted, widgets.get_all(wanted, jobs=jobs), strict=True))
    runs = {kind: [found[point] for point in some] for kind, some in points.items()}
    best = min(rates, key=lambda rate: sum(_least_loss(run) for run in runs[rate]))
    return {kind: runs[kind] for kind in ("normal", "lexical")} | {"original tables": runs[best]}


def _least_loss(run: Run) -> float:
    return float(run.metrics["validation_loss"].min())


def published_scores(models: dict[str, list[Run]]) -> pd.DataFrame:
    """Return the published score by urn, one table per sequence: index seed, a column per `who`."""
    scored = cache.table(headline.published_scores, models["normal"] + models["lexical"])
    old = cache.table(headline.published_scores, models["original tables"])
    old = old[old["who"] == "lexical"].assign(who="original tables")
    both = pd.concat([scored, old], ignore_index=True)
    return both.pivot(index="seed", columns="who", values="one_table")


def coin_settings(*, is_small: bool) -> tuple[dict[str, Any], int]:
    """Return the settings of the chapter on coins, and its number of seeds."""
    path = paths.root() / "params" / ("smoke.yaml" if is_small else "book.yaml")
    flat = resolver.read(path, "coins")
    study = {name: flat.pop(name) for name in StudySettings.model_fields if name in flat}
    return flat | COINS, study.get("n_seeds", 1)


def coin_fates(*, is_small: bool) -> pd.DataFrame:
    """Return the tiny models of chapter 7 that have learned, with their R²; or all, if small."""
    flat, n_seeds = coin_settings(is_small=is_small)
    points = list(grids.census(flat, n_seeds).values())
    tiny.train_all(points, say=widgets.status_line())
    every = cache.table(fates.fates, points)
    learned = every[every["excess"] <= fates.STUCK]
    return every if is_small else learned


def coin_runs(*, is_small: bool, jobs: int) -> list[Run]:
    """Return the models of width 32 of chapter 7, one per seed."""
    flat, n_seeds = coin_settings(is_small=is_small)
    points = [
        point for (kind, _), point in grids.larger(flat, n_seeds).items() if kind == "default"
    ]
    return widgets.get_all(points, jobs=jobs)


def rule_rates(seeds: Sequence[int], *, jobs: int) -> pd.DataFrame:
    """Return the rates along training on a^n b^n of chapter 8, with the column language."""
    grid = sweeps.read("rules", seeds=seeds)
    points = tuple(grid.where(words="aNbN"))
    widgets.get_all(points, jobs=jobs)
    part = replace(grid, points=points)
    rates = cache.grid_table(
        part, extrapolation.rates_along_training, name="rules-2", say=widgets.status_line()
    )
    return rates.rename(columns={"words": "language"})


def string_settings(seeds: Sequence[int], n_steps: int) -> list[Settings]:
    """Return the settings of the published models of chapter 9, one per seed."""
    flat = {"language": "aNbN", "context_length": 32, "n_test_samples": 200, "n_steps": n_steps}
    return [resolver.check(flat).of_kind("normal", seed=seed) for seed in seeds]


def linear_models(points: Sequence[Settings]) -> pd.DataFrame:
    """Return pairs per seed of the published linear model: excess with its and a causal mask."""
    tables = [cache.table(published.compare_linear, point) for point in points]
    table = pd.concat(tables, ignore_index=True)
    return _pairs(table, "as published", "causal", "excess")


def sine_models(points: Sequence[Settings]) -> pd.DataFrame:
    """Return pairs per seed of the published positions: how far a probability moves."""
    tables = [cache.table(published.compare_positions, point) for point in points]
    return _pairs(pd.concat(tables), "along the batch", "along time", "moved")


def _pairs(table: pd.DataFrame, first: str, second: str, value: str) -> pd.DataFrame:
    wide = table.pivot(index="seed", columns="model", values=value)
    columns = {"unit": wide.index, "published": wide[first], "corrected": wide[second]}
    return pd.DataFrame(columns).reset_index(drop=True)


def seed_ranges(seeds: Sequence[int], *, jobs: int) -> pd.DataFrame:
    """Return pairs per task diversity of chapter 6: the range of r over one seed, and over all."""
    grid = sweeps.read("strategies", seeds=seeds)
    rows = []
    for n_tasks in STRATEGIES_D:
        points = grid.where(n_tasks=n_tasks, kind="normal")
        along = cache.table(headline.along, widgets.get_all(points, jobs=jobs))
        last = along[(along["step"] == along["step"].max()) & (along["split"] == "in distribution")]
        values = last["relative_distance"]
        rows.append((n_tasks, 0.0, values.max() - values.min()))
    return pd.DataFrame(rows, columns=["unit", "published", "corrected"])
