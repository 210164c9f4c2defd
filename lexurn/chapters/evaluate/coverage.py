"""How often intervals from few urns contain what they estimate, simulated.

Distances are log-normal over urns with a spread of `SPREAD`, about that of models' distances. The
estimand of the first two recipes is the arithmetic mean of the distance, that of the third one the
geometric mean.
"""

from collections.abc import Sequence
from math import exp

import numpy as np
import pandas as pd

from lexurn.base.seeding import generator
from lexurn.measures import intervals

SPREAD = 0.8


def coverages(numbers: Sequence[int], n_simulations: int) -> pd.DataFrame:
    """Return recipe, n (urns) and coverage of 95 % intervals."""
    rows = []
    for n in numbers:
        samples = np.random.default_rng(n).lognormal(0.0, SPREAD, (n_simulations, n))
        found: dict[str, list[tuple[float, float]]] = {}
        for number, values in enumerate(samples):
            stream = generator(number, "coverage")
            means = np.random.default_rng(number).choice(values, (999, n)).mean(-1)
            low, high = np.quantile(means, [0.025, 0.975])
            found.setdefault("percentiles", []).append((low, high))
            interval = intervals.positive_mean_interval(values.tolist(), generator=stream)
            found.setdefault("bootstrap-t", []).append((interval.low, interval.high))
            interval = intervals.geometric_mean(values.tolist())
            found.setdefault("t of the logarithm", []).append((interval.low, interval.high))
        for recipe, each in found.items():
            truth = 1.0 if recipe == "t of the logarithm" else exp(SPREAD**2 / 2)
            covered = np.mean([low <= truth <= high for low, high in each])
            rows.append({"recipe": recipe, "n": n, "coverage": float(covered)})
    return pd.DataFrame(rows)
