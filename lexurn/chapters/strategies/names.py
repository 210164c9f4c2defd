"""How names and alphabets enter the account: as fewer effective steps, or as more complexity?

Both change the log odds of the account, γ N^{1−α} ΔL − ln 2 (K_S^β − K_G^β), by one number:

    as steps        N becomes N / f, as if models learned f times more slowly
    as complexity   a constant c is subtracted, as if S had more bits

Where models are followed over many steps, the two differ: the first changes a slope, the second an
intercept.
"""

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from lexurn.chapters.strategies.account import Account
from lexurn.chapters.strategies.fitting import FITTED_SHARE
from lexurn.chapters.strategies.maps import read_curves

LOG_FACTORS = (-8.0, 8.0)
"""Bounds of ln f."""

SHIFTS = (-40.0, 40.0)
"""Bounds of c, in nats."""

WAYS = {"as steps": LOG_FACTORS, "as complexity": SHIFTS}


def log_odds_with_names(
    cells: pd.DataFrame, account: Account, way: str, value: float
) -> np.ndarray:
    """Return the log odds of S against G if names enter in one of `WAYS`, with ln f or c."""
    if way == "as steps":
        return account.log_odds(cells.assign(step=cells["step"] * np.exp(-value)))
    return account.log_odds(cells) - value


def fit_names(cells: pd.DataFrame, account: Account) -> pd.DataFrame:
    """Return the fits of both ways to every seed of every alphabet.

    `cells` are maps with the column alphabet. Columns: alphabet, seed, way, value (ln f or c), and
    the KL (nats) beyond each cell's best mixture on the first `FITTED_SHARE` of the steps, which
    the fit uses (fitted), and on the others (later steps). The account is not fitted again. Where
    the best value is at a bound, value is NaN.
    """
    rows = []
    for (alphabet, seed), own in cells.groupby(["alphabet", "seed"], sort=False):
        own = own.sort_values("step").reset_index(drop=True)
        rows += [[alphabet, seed, way, *_fit_way(own, account, way)] for way in WAYS]
    columns = ["alphabet", "seed", "way", "value", "fitted", "later steps"]
    return pd.DataFrame(rows, columns=columns)


def _fit_way(cells: pd.DataFrame, account: Account, way: str) -> tuple[float, float, float]:
    """Return the best value of one way, and the mean excess on the fitted and on the other cells.

    The best value is found on a grid, and then between its neighbours.
    """
    curves = read_curves(cells)
    best = curves.values.min(-1)
    is_fitted = np.arange(len(cells)) < max(int(FITTED_SHARE * len(cells)), 1)

    def excess(value: float) -> np.ndarray:
        return curves.at(log_odds_with_names(cells, account, way, value)) - best

    def distance(value: float) -> float:
        return float(excess(value)[is_fitted].mean())

    grid = np.linspace(*WAYS[way], 81)
    place = int(np.argmin([distance(value) for value in grid]))
    around = grid[max(place - 1, 0)], grid[min(place + 1, len(grid) - 1)]
    value = float(minimize_scalar(distance, bounds=around, method="bounded").x)
    distances = excess(value)
    is_inside = 0 < place < len(grid) - 1
    means = distances[is_fitted].mean(), distances[~is_fitted].mean()
    return value if is_inside else np.nan, *map(float, means)
