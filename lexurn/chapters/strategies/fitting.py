"""Fit the account to a map of models, and resample seeds for the uncertainty of its parameters.

The fit uses the first `FITTED_SHARE` of the checkpoints and of the task diversities. It runs
L-BFGS-B from several starts and minimizes the mean KL(model ‖ mixture with the account's weights)
in distribution. A baseline with the same number of parameters uses neither losses nor complexities.
"""

import contextlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import OptimizeResult, minimize

from lexurn.chapters.strategies.account import STRATEGIES, Account, Columns
from lexurn.chapters.strategies.maps import Curves

FITTED_SHARE = 0.8
"""Share of the checkpoints and of the task diversities, from the smallest on, used in the fit."""

MIN_DIVERSITIES = 3
MIN_CHECKPOINTS = 5

BOUNDS = {"alpha": (0.0, 0.99), "beta": (0.0, 1.5), "gamma": (-25.0, 25.0)}
"""Bounds of the parameters. Here and in `STARTS`, `gamma` stands for ln γ."""

STARTS = [
    {"alpha": alpha, "beta": beta, "gamma": gamma}
    for alpha in (0.2, 0.5, 0.8)
    for beta in (0.2, 0.5, 0.8)
    for gamma in (-4.0, 0.0, 4.0, 8.0)
]

Distance = Callable[[Account], np.ndarray]
"""The distance of an account from the model of each cell."""


class FitError(ValueError):
    """Raised if there is too little data for a fit or no start led to a minimum."""


@dataclass(frozen=True)
class Fit:
    """A fitted account, with its mean distance (nats) from the fitted and from the held-out cells.

    `n_reached` counts the starts that ended within 1e-5 nats of the best.
    """

    account: Account
    n_fitted: int
    fitted: float
    held_out: float
    n_starts: int
    n_reached: int


def fit(cells: pd.DataFrame, curves: Curves, *, fixed: Mapping[str, float] | None = None) -> Fit:
    """Fit α, β and γ for memorizing against generalizing.

    `curves` hold the KL of each cell's model from mixtures. `fixed` parameters are not fitted
    (ablations: alpha 0, beta 1, gamma 1). Raises FitError if there are too few diversities or
    checkpoints, or if no start leads to a minimum.
    """
    columns = read_columns(cells)
    return _fit(cells, lambda account: curves.at(account.log_odds(columns)), dict(fixed or {}))


def fit_three(cells: pd.DataFrame) -> Fit:
    """Fit α, β and γ for uniform, generalizing and memorizing together, from the first checkpoint
    on.

    The distance is KL(weights of the cell's nearest mixture ‖ weights of the account).
    """
    nearest = cells[[f"weight_{letter}" for letter in STRATEGIES]].to_numpy(float)
    negative_entropy = (nearest * np.log(np.maximum(nearest, 1e-300))).sum(-1)
    columns = read_columns(cells)
    return _fit(
        cells,
        lambda account: negative_entropy - (nearest * account.log_weights(columns)).sum(-1),
        {},
    )


def _fit(cells: pd.DataFrame, distance: Distance, fixed: dict[str, float]) -> Fit:
    _require_enough(cells)
    is_fitted = split_cells(cells)["fitted"]
    names = [name for name in BOUNDS if name not in fixed]
    distinct = dict.fromkeys(tuple((name, start[name]) for name in names) for start in STARTS)
    starts = list(map(dict, distinct))
    account, n_reached = _nearest(distance, is_fitted / is_fitted.sum(), starts, fixed)
    distances = distance(account)
    return Fit(
        account,
        n_fitted=int(is_fitted.sum()),
        fitted=distances[is_fitted].mean(),
        held_out=distances[~is_fitted].mean(),
        n_starts=len(starts),
        n_reached=n_reached,
    )


def _nearest(
    distance: Distance,
    weights: np.ndarray,
    starts: Sequence[Mapping[str, float]],
    fixed: Mapping[str, float],
) -> tuple[Account, int]:
    """Return the account with the smallest weighted distance, and how many starts reached it."""
    names = list(starts[0])

    def build_account(x: np.ndarray) -> Account:
        parameters = dict(zip(names, map(float, x), strict=True))
        if "gamma" in parameters:
            parameters["gamma"] = float(np.exp(parameters["gamma"]))
        return Account(**fixed, **parameters)

    def mean_distance(x: np.ndarray) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            return float(weights @ distance(build_account(x)))

    results = [
        minimize(
            mean_distance,
            list(start.values()),
            method="L-BFGS-B",
            bounds=[BOUNDS[name] for name in names],
            options={"maxiter": 500},
        )
        for start in starts
    ]
    ends = list(zip(starts, results, strict=True))
    minima = [end for start, end in ends if _is_minimum(list(start.values()), end)]
    if not minima:
        messages = "; ".join(f"{start} {end.message}" for start, end in ends)
        raise FitError(f"none of {len(ends)} starts led to a minimum: {messages}")
    best = min(minima, key=lambda end: end.fun)
    return build_account(best.x), sum(end.fun < best.fun + 1e-5 for end in minima)


def _is_minimum(start: Sequence[float], end: OptimizeResult) -> bool:
    """Return whether the optimizer succeeded and moved; on a plateau it stays at its start."""
    return bool(end.success and np.isfinite(end.fun)) and not np.allclose(end.x, start, atol=1e-6)


def refit_resampled(cells: pd.DataFrame, curves: Curves, fitted: Fit) -> list[Account]:
    """Return the accounts fitted to resampled seeds, for intervals of the parameters.

    Of n seeds, n − 1 are drawn with replacement in all possible ways, which corrects for the small
    n (McCarthy & Snowden 1985, "The bootstrap and finite population sampling"). Whole seeds are
    drawn because the pools of a seed share urns. Every fit starts near `fitted`. A single seed
    gives no accounts, and fits without a minimum are left out.
    """
    seeds = cells["seed"].to_numpy()
    is_fitted = split_cells(cells)["fitted"]
    account = fitted.account
    start = {
        "alpha": max(account.alpha - 0.05, 0.01),
        "beta": account.beta,
        "gamma": float(np.log(account.gamma)),
    }
    distinct = np.unique(seeds)
    if len(distinct) < 2:
        return []

    columns = read_columns(cells)

    def distance(candidate: Account) -> np.ndarray:
        return curves.at(candidate.log_odds(columns))

    accounts = []
    for drawn in itertools.product(distinct, repeat=len(distinct) - 1):
        weights = is_fitted * (seeds[:, None] == np.array(drawn)).sum(1)
        with contextlib.suppress(FitError):
            accounts.append(_nearest(distance, weights / weights.sum(), [start], {})[0])
    return accounts


def split_cells(cells: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return masks of the cells that a fit uses and of those that are held out.

    `fitted` are the early checkpoints of the small diversities, `later steps` their other
    checkpoints, and `more urns` all checkpoints of the large diversities.
    """
    last_diversity, last_step = (
        sorted(cells[name].unique())[max(int(FITTED_SHARE * cells[name].nunique()), 1) - 1]
        for name in ("n_tasks", "step")
    )
    is_small = (cells["n_tasks"] <= last_diversity).to_numpy()
    is_early = (cells["step"] <= last_step).to_numpy()
    return {
        "fitted": is_small & is_early,
        "later steps": is_small & ~is_early,
        "more urns": ~is_small,
    }


@dataclass(frozen=True)
class Baseline:
    """Log odds a + b ln N + c ln D, without losses or complexities."""

    a: float
    b: float
    c: float

    def log_odds(self, cells: Columns) -> np.ndarray:
        """Return the log odds of the memorizer against G."""
        log_steps, log_tasks = (
            np.log(np.asarray(cells[name], float)) for name in ("step", "n_tasks")
        )
        return self.a + self.b * log_steps + self.c * log_tasks

    def transition(self, cells: pd.DataFrame) -> np.ndarray:
        """Return the step at which the memorizer and G have equal weight, for each cell."""
        return np.exp(-(self.a + self.c * np.log(cells["n_tasks"].to_numpy(float))) / self.b)


def fit_baseline(cells: pd.DataFrame, curves: Curves) -> Baseline:
    """Fit the baseline to the same cells and by the same distance as `fit`, with its errors."""
    _require_enough(cells)
    is_fitted = split_cells(cells)["fitted"]

    columns = read_columns(cells)

    def distance(x: np.ndarray) -> float:
        return float(curves.at(Baseline(*x).log_odds(columns))[is_fitted].mean())

    starts = list(itertools.product((-4.0, 0.0, 4.0), (0.5, 1.5), (-2.0, 0.0)))
    ends = [minimize(distance, start, method="L-BFGS-B") for start in starts]
    minima = [end for start, end in zip(starts, ends, strict=True) if _is_minimum(start, end)]
    if not minima:
        raise FitError(f"none of {len(starts)} starts of the baseline led to a minimum")
    return Baseline(*map(float, min(minima, key=lambda end: end.fun).x))


def read_columns(cells: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return what accounts and baselines read of a map, as arrays by name.

    A fit reads them thousands of times, and pandas would take most of its time.
    """
    names = ["step", "n_tasks", *(f"{what}_{letter}" for what in "lk" for letter in STRATEGIES)]
    return {name: cells[name].to_numpy(float) for name in names if name in cells}


def _require_enough(cells: pd.DataFrame) -> None:
    for column, minimum, what in (
        ("n_tasks", MIN_DIVERSITIES, "task diversities D"),
        ("step", MIN_CHECKPOINTS, "checkpoints"),
    ):
        n = cells[column].nunique()
        if n < minimum:
            raise FitError(
                f"a fit needs at least {minimum} {what}, got {n}; train models for more of them"
            )
