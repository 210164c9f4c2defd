"""The models of the coins' chapter: which settings they have, and how many seeds.

`flat` are the settings that the reader has changed (`Settings.changed`), and `n_seeds` the
parameter with that name. Tiny models cost seconds, so that there are more seeds of them.
"""

import itertools
from collections.abc import Mapping
from typing import Any

from lexurn.chapters.coins.coin_losses import beta_prior
from lexurn.settings import Settings
from lexurn.settings.resolver import check

Flat = Mapping[str, Any]
Points = dict[tuple, Settings]
"""Settings by what they stand for; the last entry of a name is the seed."""

TINY = {
    **{"d_model": 2, "n_layers": 1, "n_heads": 1, "d_head": 1, "d_mlp": 16, "mlp": "relu"},
    **{"norm": "none", "positions": "log", "positions_trained": False, "bos": False},
    "tied": False,
}
"""The shape of the source's smallest model: 145 parameters, of which 40 are fixed positions."""

N_CENSUS, N_LONGER, N_POSITIONS = 20, 2, 1
"""Tiny models per seed of the chapter: of the source's shape, the same for four times the steps,
and of every other encoding."""

N_FEW = 3
"""The largest number of seeds of a shape, of a larger model and of a prior."""

POSITIONS: dict[str, dict[str, Any]] = {
    "learned": {"positions": "learned", "positions_trained": True},
    "none": {"positions": "none", "positions_trained": True},
    "linear": {"positions": "linear"},
    "integer": {"positions": "integer"},
}
"""Positional encodings beside the logarithm; linear and integer ones are fixed."""

WIDTHS = {"d_model": (2, 4, 8), "d_head": (1, 2, 4), "d_mlp": (4, 8, 16)}

PRIORS = ((1.0, 8.0), (8.0, 1.0), (4.0, 4.0), (0.5, 0.5), (2.0, 6.0))
"""Beta priors (α, β) that a model of uniform coins is moved to."""

WAYS = {"all weights": "all", "embeddings alone": "vocabulary"}


def seeds(flat: Flat, n: int) -> range:
    first = flat.get("seed", 0)
    return range(first, first + n)


def few(n_seeds: int) -> int:
    return min(n_seeds, N_FEW)


def census(flat: Flat, n_seeds: int) -> Points:
    """Return the tiny models whose fate is counted."""
    every = seeds(flat, N_CENSUS * n_seeds)
    return {(seed,): check({**flat, **TINY, "seed": seed}) for seed in every}


def longer(flat: Flat, n_seeds: int) -> Points:
    """Return tiny models for which the source's figures are claimed: four times the steps."""
    n_steps = 4 * flat.get("n_steps", 1000)
    steps = {"n_steps": n_steps, "eval_every": 4 * flat.get("eval_every", 100)}
    every = seeds(flat, N_LONGER * n_seeds)
    return {(seed,): check({**flat, **TINY, **steps, "seed": seed}) for seed in every}


def positions(flat: Flat, n_seeds: int) -> Points:
    """Return tiny models with other positional encodings, and of attention alone."""
    changes = POSITIONS | {"attention alone": {"mlp": "none", "d_mlp": 0}}
    pairs = itertools.product(changes, seeds(flat, N_POSITIONS * n_seeds))
    return {
        (name, seed): check({**flat, **TINY, **changes[name], "seed": seed}) for name, seed in pairs
    }


def shapes(flat: Flat, n_shapes: int, n_seeds: int) -> Points:
    """Return tiny models of other widths, by d_model, d_head, d_mlp and seed.

    The first nine shapes have every width of each kind three times.
    """
    places = list(itertools.product(range(3), repeat=3))
    places.sort(key=lambda place: (sum(place) % 3, place))
    chosen = [
        tuple(widths[at] for widths, at in zip(WIDTHS.values(), place, strict=True))
        for place in places[:n_shapes]
    ]
    shorter = {"n_steps": shorten(flat, 2.0), "eval_every": shorten(flat, 2.0)}
    return {
        (*shape, seed): check(
            {**flat, **TINY, **shorter, **dict(zip(WIDTHS, shape, strict=True)), "seed": seed}
        )
        for shape in chosen
        for seed in seeds(flat, few(n_seeds))
    }


def larger(flat: Flat, n_seeds: int) -> Points:
    """Return the models that are runs: default, of two layers, and the source's default."""
    brief = {"n_steps": shorten(flat, 5.0), "eval_every": shorten(flat, 5.0)}
    kinds = {
        "default": (few(n_seeds), {}),
        "lexical": (1, {"lex": True}),
        "two layers": (min(n_seeds, 5), {"n_layers": 2, **brief}),
        "width 64": (few(n_seeds), {"d_model": 64, "n_layers": 2, **brief}),
    }
    return {
        (name, seed): check({**flat, **changes, "seed": seed})
        for name, (n, changes) in kinds.items()
        for seed in seeds(flat, n)
    }


def moved(defaults: Mapping[int, Settings], flat: Flat) -> Points:
    """Return models that begin as the default models (by seed) and see coins of another prior."""
    brief = {"n_steps": shorten(flat, 10.0), "eval_every": shorten(flat, 10.0)}
    return {
        (prior, way, seed): check(
            {
                **flat,
                **brief,
                "alpha": beta_prior(*prior),
                "init_from": start.key,
                "trainable": trainable,
                "seed": seed,
            }
        )
        for prior in PRIORS
        for way, trainable in WAYS.items()
        for seed, start in defaults.items()
    }


def shorten(flat: Flat, factor: float) -> int:
    """Return the number of steps that is shorter by a factor."""
    return max(int(flat.get("n_steps", 1000) / factor), 1)


def names(points: Points, *columns: str) -> list[dict[str, Any]]:
    """Return one row per point, with its name under these columns."""
    return [dict(zip(columns, name, strict=True)) for name in points]
