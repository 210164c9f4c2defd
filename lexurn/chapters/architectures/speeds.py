"""How long a training takes to come within ε of the optimum: in steps, and in time.

    steps_to(curve, epsilon)          the step at which an excess first is at most ε
    all_steps(curves, epsilons)       the same for every run of a table of curves
    summary(table, limits)            the median over seeds, with the range, censored where needed

A training that does not come so far within its steps is censored: all that is known is that it
takes longer. A median over seeds is known if more than half of the seeds arrive. The range of five
seeds contains the median of all seeds with a probability of 1 − 2 · ½⁵ = 94 %.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lexurn.base.wording import format_number

MIN_SHARE = 0.1
"""An excess below this share of ε counts as this share, so that it has a logarithm."""


def steps_to(curve: pd.DataFrame, epsilon: float) -> float:
    """Return the step at which the excess `value` first is at most ε; infinity if it never is.

    Between two evaluations, the logarithm of the excess is taken as linear in the step.
    """
    steps = curve["step"].to_numpy(dtype=float)
    logs = np.log(curve["value"].clip(lower=MIN_SHARE * epsilon).to_numpy() / epsilon)
    arrived = np.flatnonzero(logs <= 0)
    if not len(arrived):
        return np.inf
    first = arrived[0]
    if first == 0:
        return steps[0]
    return float(np.interp(0.0, logs[[first, first - 1]], steps[[first, first - 1]]))


def all_steps(curves: pd.DataFrame, epsilons: Mapping[tuple[str, int], float]) -> pd.DataFrame:
    """Return data, model, seed and value, the steps to ε; `epsilons` gives ε by data and seed.

    `curves` has data, model, seed, step and value (the excess).
    """
    rows = []
    for (data, model, seed), curve in curves.groupby(["data", "model", "seed"], sort=False):
        steps = steps_to(curve.sort_values("step"), epsilons[data, seed])
        rows.append((data, model, seed, steps))
    return pd.DataFrame(rows, columns=["data", "model", "seed", "value"])


def summary(table: pd.DataFrame, limits: Mapping[tuple[str, str], float]) -> pd.DataFrame:
    """Return data, model, median, low, high, n_arrived, n and text.

    `limits` gives by data and model how far a training goes. The median is infinite where at most
    half of the seeds arrive.
    """
    rows = []
    for cell, group in table.groupby(["data", "model"], sort=False):
        values = np.sort(group["value"].to_numpy())
        n, n_arrived = len(values), int(np.isfinite(values).sum())
        with np.errstate(invalid="ignore"):
            middle = values[[(n - 1) // 2, n // 2]]
        median = float(middle.mean()) if np.isfinite(middle).all() else np.inf
        limit = f"over {format_number(limits[cell])}"
        high = format_number(values[-1]) if n_arrived == n else limit
        if np.isfinite(median):
            text = f"{format_number(median)} ({format_number(values[0])} to {high})"
        else:
            text = limit + f" ({n_arrived} of {n} close)" * (n_arrived > 0)
        rows.append((*cell, median, values[0], values[-1], n_arrived, n, text))
    columns = ["data", "model", "median", "low", "high", "n_arrived", "n", "text"]
    return pd.DataFrame(rows, columns=columns)


def scale(table: pd.DataFrame, ratios: Mapping[tuple[str, str], float]) -> pd.DataFrame:
    """Return a table of data, model and value (or step) with each number times its cell's ratio."""
    factors = [ratios[cell] for cell in zip(table["data"], table["model"], strict=True)]
    column = "step" if "step" in table else "value"
    return table.assign(**{column: table[column] * factors})
