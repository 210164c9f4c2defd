"""Does a model that has learned one urn learn the next one sooner? Steps to M from several origins.

A model of normal, learned embeddings is trained on a new urn, from new weights or from the weights
of a model of another urn: lexical, label-permuted, normal, or trained on fresh urns. All its
weights are trained, or the vocabulary (with the start vector), or all but the backbone. The rate is
constant and without warm-up, because its schedule would decide the number of steps.

The steps to M are those until the distance to M in distribution (symmetrized KL, mean over rows
1 … C) first falls below `THRESHOLD`, between evaluations by interpolation of its logarithm.
"""

from collections.abc import Mapping, Sequence
from math import inf, log
from typing import Any

import pandas as pd

from lexurn import runs
from lexurn.settings import Settings

ORIGINS: Mapping[str, Mapping[str, Any] | None] = {
    "new": None,
    "lexical": {"lex": True},
    "permuted": {"label_permuted": True},
    "normal": {},
    "fresh urns": {"n_tasks": 0},
}
"""The flat settings of the model that training starts from; None: new weights."""

TRAINABLE = ("all", "vocabulary", "outside_backbone")

ORIGIN_SEED = 1000
"""Added to a seed for the origin's urn, which is another urn."""

THRESHOLD = 0.005
"""Nats below which a model has become M; G is about .06 away."""

MEASURE = "in_distribution/symmetrized_kl/memorizing"

TARGET = {
    "n_steps": 400,
    "eval_every": 10,
    "schedule": "constant",
    "learning_rate": 0.003,
    "warmup": 0,
    "n_test_samples": 200,
}


def origin_settings(origin: str, seed: int, *, scale: float = 1.0) -> Settings:
    """Return the settings of the model that training starts from; `scale` multiplies its steps."""
    steps = {"n_steps": max(round(2000 * scale), 1), "eval_every": max(round(500 * scale), 1)}
    return Settings.from_flat({**steps, "seed": ORIGIN_SEED + seed, **ORIGINS[origin]})


def points(seeds: Sequence[int], *, scale: float = 1.0) -> dict[tuple[str, str, int], Settings]:
    """Return the settings of all trainings by origin, trainable weights and seed."""
    target = TARGET | {"n_steps": max(round(TARGET["n_steps"] * scale), 1)}
    settings_by_case = {}
    for seed in seeds:
        for origin, flat in ORIGINS.items():
            if flat is None:
                settings_by_case[origin, "all", seed] = Settings.from_flat(target | {"seed": seed})
                continue
            key = origin_settings(origin, seed, scale=scale).key
            for trainable in TRAINABLE:
                settings = {"seed": seed, "init_from": key, "trainable": trainable}
                settings_by_case[origin, trainable, seed] = Settings.from_flat(target | settings)
    return settings_by_case


def steps_to_m(seeds: Sequence[int], *, scale: float = 1.0) -> pd.DataFrame:
    """Return one row per training: origin, trainable, seed, steps, and the last distance to M.

    It trains what is missing, with `scale` times as many steps. `steps` is infinite where M is not
    reached.
    """
    for seed in seeds:
        for origin, flat in ORIGINS.items():
            if flat is not None:
                runs.get(origin_settings(origin, seed, scale=scale))
    rows = []
    for (origin, trainable, seed), settings in points(seeds, scale=scale).items():
        run = runs.get(settings)
        rows.append(
            {
                "origin": origin,
                "trainable": trainable,
                "seed": seed,
                "steps": first_step_below(run.metrics),
                "last_distance": float(run.metrics[MEASURE].iloc[-1]),
            }
        )
    return pd.DataFrame(rows)


def first_step_below(metrics: pd.DataFrame, threshold: float = THRESHOLD) -> float:
    """Return the step at which the distance to M first falls below a threshold, or infinity."""
    steps, distances = metrics["step"], metrics[MEASURE]
    below = distances[distances < threshold]
    if below.empty:
        return inf
    last = int(below.index[0])
    if last == 0:
        return 0.0
    first, second = distances[last - 1], distances[last]
    share = log(first / threshold) / log(first / second)
    return float(steps[last - 1] + share * (steps[last] - steps[last - 1]))
