"""The account fitted to a map: parameters, and how sure they are.

Parameters are fitted to the first `SHARE` of the checkpoints and of the task diversities, by L-BFGS-B from several
starts: such that mixtures with the account's weights are near to the models (least mean KL(model ‖ mixture), in
distribution). Beside it stands a baseline with as many parameters, which knows nothing of losses or complexities.
"""

import contextlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import OptimizeResult, minimize

from lexurn.chapters.strategies.account import STRATEGIES, Account
from lexurn.chapters.strategies.maps import Curves

SHARE = 0.8
"""Of the checkpoints and of the task diversities, from the first on: what parameters are fitted to."""

FEWEST_D, FEWEST_CHECKPOINTS = 3, 5

BOUNDS = {"alpha": (0.0, 0.99), "beta": (0.0, 1.5), "gamma": (-25.0, 25.0)}
"""Of the parameters; γ by its logarithm, here and in `STARTS`."""

STARTS = [
    {"alpha": alpha, "beta": beta, "gamma": gamma}
    for alpha in (0.2, 0.5, 0.8)
    for beta in (0.2, 0.5, 0.8)
    for gamma in (-4.0, 0.0, 4.0, 8.0)
]

Distance = Callable[[Account], np.ndarray]
"""How far an account is from each cell."""


class FitError(ValueError):
    """No parameters can be shown: too little data, or no start led to a minimum. Says what is needed, or what came."""


@dataclass(frozen=True)
class Fit:
    """What was fitted, to how many cells, and how near (mean, nats) it came there and on the cells held out.

    `n_reached`: how many of the starts ended within 1e-5 nats of the best.
    """

    account: Account
    n_fitted: int
    fitted: float
    held_out: float
    n_starts: int
    n_reached: int


def fit(cells: pd.DataFrame, curves: Curves, *, fixed: Mapping[str, float] | None = None) -> Fit:
    """α, β and γ for memorizing against generalizing. `curves`: KL of each cell's model from their mixtures.

    Some parameters may be `fixed` (ablations: alpha 0, beta 1, gamma 1). Raises FitError for too few diversities or
    checkpoints, and where no start leads to a minimum.
    """
    return _fit(cells, lambda account: curves.at(account.log_odds(cells)), dict(fixed or {}))


def fit_three(cells: pd.DataFrame) -> Fit:
    """α, β and γ for uniform, generalizing and memorizing together, from the first checkpoint on.

    Near means here that the account's weights are near to those of each cell's nearest mixture: KL(nearest ‖ account).
    """
    nearest = cells[[f"weight_{each}" for each in STRATEGIES]].to_numpy(float)
    own = (nearest * np.log(np.maximum(nearest, 1e-300))).sum(-1)
    return _fit(cells, lambda account: own - (nearest * account.log_weights(cells)).sum(-1), {})


def _fit(cells: pd.DataFrame, distance: Distance, fixed: dict[str, float]) -> Fit:
    _refuse_few(cells)
    inside = parts(cells)["fitted"]
    names = [name for name in BOUNDS if name not in fixed]
    starts = [
        dict(each)
        for each in dict.fromkeys(tuple((name, start[name]) for name in names) for start in STARTS)
    ]
    account, n_reached = _nearest(distance, inside / inside.sum(), starts, fixed)
    far = distance(account)
    return Fit(
        account, int(inside.sum()), far[inside].mean(), far[~inside].mean(), len(starts), n_reached
    )


def _nearest(
    distance: Distance,
    weights: np.ndarray,
    starts: Sequence[Mapping[str, float]],
    fixed: Mapping[str, float],
) -> tuple[Account, int]:
    """The account whose weighted distance is least, and how many starts led there. A start that did not move, on a
    plateau, led nowhere."""
    names = list(starts[0])

    def account(x: np.ndarray) -> Account:
        found = dict(zip(names, map(float, x), strict=True))
        return Account(
            **fixed,
            **(found | {"gamma": float(np.exp(found["gamma"]))} if "gamma" in found else found),
        )

    def mean(x: np.ndarray) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            return float(weights @ distance(account(x)))

    options = {
        "method": "L-BFGS-B",
        "bounds": [BOUNDS[name] for name in names],
        "options": {"maxiter": 500},
    }
    ends = [(start, minimize(mean, list(start.values()), **options)) for start in starts]
    good = [end for start, end in ends if _led_somewhere(list(start.values()), end)]
    if not good:
        said = "; ".join(f"{start} {end.message}" for start, end in ends)
        raise FitError(f"none of {len(ends)} starts led to a minimum: {said}")
    best = min(good, key=lambda end: end.fun)
    return account(best.x), sum(end.fun < best.fun + 1e-5 for end in good)


def _led_somewhere(start: Sequence[float], end: OptimizeResult) -> bool:
    return bool(end.success and np.isfinite(end.fun)) and not np.allclose(end.x, start, atol=1e-6)


def resampled(cells: pd.DataFrame, curves: Curves, found: Fit) -> list[Account]:
    """The fit repeated on resampled seeds, from near where it ended: what its parameters' intervals are taken from.

    Of the n seeds n − 1 are drawn with replacement, which makes up for how few they are (McCarthy & Snowden 1985, "The
    bootstrap and finite population sampling"), in all ways there are. Whole seeds, as the pools of a seed share urns.
    None where there is a single one; a fit that goes nowhere is left out.
    """
    seeds, inside, account = cells["seed"].to_numpy(), parts(cells)["fitted"], found.account
    start = {
        "alpha": max(account.alpha - 0.05, 0.01),
        "beta": account.beta,
        "gamma": float(np.log(account.gamma)),
    }
    there, accounts = np.unique(seeds), []
    for drawn in itertools.product(there, repeat=len(there) - 1) if len(there) > 1 else ():
        weights = inside * (seeds[:, None] == np.array(drawn)).sum(1)
        with contextlib.suppress(FitError):
            accounts.append(
                _nearest(
                    lambda each: curves.at(each.log_odds(cells)),
                    weights / weights.sum(),
                    [start],
                    {},
                )[0]
            )
    return accounts


def parts(cells: pd.DataFrame) -> dict[str, np.ndarray]:
    """Which cells parameters are `fitted` to, the first checkpoints of the smaller diversities, and what is held out:
    `later steps` of these, and `more urns`, all steps of the larger diversities."""
    diversities, steps = sorted(cells["n_tasks"].unique()), sorted(cells["step"].unique())
    last_d, last_step = (of[max(int(SHARE * len(of)), 1) - 1] for of in (diversities, steps))
    few, early = (cells["n_tasks"] <= last_d).to_numpy(), (cells["step"] <= last_step).to_numpy()
    return {"fitted": few & early, "later steps": few & ~early, "more urns": ~few}


@dataclass(frozen=True)
class Baseline:
    """Log odds a + b ln N + c ln D, which know nothing of losses or complexities."""

    a: float
    b: float
    c: float

    def log_odds(self, cells: pd.DataFrame) -> np.ndarray:
        return (
            self.a
            + self.b * np.log(cells["step"]).to_numpy()
            + self.c * np.log(cells["n_tasks"]).to_numpy()
        )

    def transition(self, cells: pd.DataFrame) -> np.ndarray:
        """The step at which both have equal weight, for each line."""
        return np.exp(-(self.a + self.c * np.log(cells["n_tasks"].to_numpy(float))) / self.b)


def fit_baseline(cells: pd.DataFrame, curves: Curves) -> Baseline:
    """The baseline nearest to the same cells that `fit` uses, by the same distance. Raises FitError as that does."""
    _refuse_few(cells)
    inside = parts(cells)["fitted"]

    def distance(x: np.ndarray) -> float:
        return float(curves.at(Baseline(*x).log_odds(cells))[inside].mean())

    starts = [(a, b, c) for a in (-4.0, 0.0, 4.0) for b in (0.5, 1.5) for c in (-2.0, 0.0)]
    ends = [(start, minimize(distance, start, method="L-BFGS-B")) for start in starts]
    good = [end for start, end in ends if _led_somewhere(start, end)]
    if not good:
        raise FitError(f"none of {len(ends)} starts of the baseline led to a minimum")
    return Baseline(*map(float, min(good, key=lambda end: end.fun).x))


def _refuse_few(cells: pd.DataFrame) -> None:
    for column, fewest, what in (
        ("n_tasks", FEWEST_D, "task diversities D"),
        ("step", FEWEST_CHECKPOINTS, "checkpoints"),
    ):
        n = cells[column].nunique()
        if n < fewest:
            raise FitError(
                f"a fit needs at least {fewest} {what}, got {n}; train models for more of them"
            )
