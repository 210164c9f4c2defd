"""The best over training as a function of how often one looks.

The published protocol reports the largest rate at any evaluated step. The more steps one evaluates,
the larger it is, also if training changes nothing but noise.
"""

from math import comb

import numpy as np
import pandas as pd


def expected_best(rates: pd.DataFrame) -> pd.DataFrame:
    """Return the expected largest rate among 1, 2, … looks: language, model, seed, looks, value.

    `rates` is the table of `rates_along_training` with the columns language, model and seed. A look
    is one kept step, the looks are drawn at random without replacement, and the rate is
    `rule_1_of_finished`, greedy and out of distribution, as published. With all kept steps, it is
    the rate of `extrapolation.best_rates`. The expectation is exact: among the m sorted rates, the
    i-th is the largest of k looks in C(i − 1, k − 1) of C(m, k) cases. Looks at which no completion
    ended have no rate; the expectation is over the cases with at least one rate, and NaN if there
    is none.
    """
    kept = rates[(rates["measure"] == "rule_1_of_finished") & (rates["decoding"] == "greedy")]
    kept = kept[(kept["prompts"] == "out_of_distribution") & ~kept["best"]]
    rows = []
    for (language, model, seed), group in kept.groupby(["language", "model", "seed"], sort=False):
        values = group["value"].sort_values(na_position="first").to_numpy()
        has_rate = ~np.isnan(values)
        for looks in range(1, len(values) + 1):
            weights = np.array([comb(rank, looks - 1) for rank in range(len(values))], float)
            weights = weights[has_rate]
            mean = np.average(values[has_rate], weights=weights) if weights.sum() else np.nan
            rows.append((language, model, seed, looks, mean))
    return pd.DataFrame(rows, columns=["language", "model", "seed", "looks", "value"])
