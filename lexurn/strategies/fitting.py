"""The account fitted to a map: parameters, what they are worth on cells held out, and how sure they are.

Parameters are fitted to the first `SHARE` of the checkpoints and of the task diversities, by L-BFGS-B from several
starts: such that mixtures with the account's weights are near to the models (least mean KL(model ‖ mixture), in
distribution). Beside it stands a baseline with as many parameters, which knows nothing of losses or complexities.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit
from torch import Generator

from lexurn.seeding import numpy_generator
from lexurn.strategies.account import STRATEGIES, Account
from lexurn.strategies.maps import Curves

SHARE = 0.8
"""Of the checkpoints and of the task diversities, from the first on: what parameters are fitted to."""

FEWEST_D, FEWEST_CHECKPOINTS = 3, 5

BOUNDS = {"alpha": (0.0, 0.99), "beta": (0.0, 1.5), "gamma": (-25.0, 25.0)}
"""Of the parameters; γ by its logarithm, here and in `STARTS`."""

STARTS = [
    {"alpha": alpha, "beta": beta, "gamma": gamma}
    for alpha in (0.2, 0.5, 0.8)
    for beta in (0.2, 0.5, 0.8)
    for gamma in (-4.0, 0.0, 4.0)
]

Distance = Callable[[Account], np.ndarray]
"""How far an account is from each cell."""


class FitError(ValueError):
    """No parameters can be shown: too little data, or no start led to a minimum. Says what is needed, or what came."""


@dataclass(frozen=True)
class Fit:
    """What was fitted, to how many cells, and how near (mean, nats) it came there and on the cells held out."""

    account: Account
    n_fitted: int
    fitted: float
    held_out: float
    n_starts: int = 1
    n_converged: int = 1


def fit(cells: pd.DataFrame, curves: Curves, *, fixed: Mapping[str, float] | None = None) -> Fit:
    """α, β and γ for memorizing against generalizing. `curves`: KL of each cell's model from their mixtures.

    Some parameters may be `fixed` (ablations: alpha 0, beta 1, gamma 1). Raises FitError for too few diversities or
    checkpoints, and where nothing converges.
    """
    return _fit(cells, lambda account: curves.at(_finite(account.log_odds(cells))), dict(fixed or {}))


def fit_three(cells: pd.DataFrame) -> Fit:
    """α, β and γ for uniform, generalizing and memorizing together, from the first checkpoint on.

    Near means here that the account's weights are near to those of each cell's nearest mixture: KL(nearest ‖ account).
    """
    nearest = cells[[f"weight_{each}" for each in STRATEGIES]].to_numpy(float)
    own = (nearest * np.log(np.maximum(nearest, 1e-300))).sum(-1)
    return _fit(cells, lambda account: own - (nearest * account.log_weights(cells)).sum(-1), {})


def _fit(cells: pd.DataFrame, distance: Distance, fixed: dict[str, float]) -> Fit:
    _refuse_few(cells)
    inside = training_cells(cells)
    names = [name for name in BOUNDS if name not in fixed]
    if not names:
        far = distance(Account(**fixed))
        return Fit(Account(**fixed), int(inside.sum()), far[inside].mean(), far[~inside].mean())
    starts = [dict(each) for each in dict.fromkeys(tuple((name, start[name]) for name in names) for start in STARTS)]
    account, n_converged = _nearest(distance, inside / inside.sum(), starts, fixed)
    far = distance(account)
    mean = float(far[inside].mean()), float(far[~inside].mean())
    return Fit(account, int(inside.sum()), *mean, len(starts), n_converged)


def _nearest(
    distance: Distance, weights: np.ndarray, starts: Sequence[Mapping[str, float]], fixed: Mapping[str, float]
) -> tuple[Account, int]:
    """The account whose weighted distance is least, and how many starts led to a minimum."""
    names = list(starts[0])

    def account(x: np.ndarray) -> Account:
        found = dict(zip(names, map(float, x), strict=True))
        return Account(**fixed, **(found | {"gamma": float(np.exp(found["gamma"]))} if "gamma" in found else found))

    def mean(x: np.ndarray) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            return float(weights @ distance(account(x)))

    options = {"method": "L-BFGS-B", "bounds": [BOUNDS[name] for name in names], "options": {"maxiter": 500}}
    ends = [minimize(mean, list(start.values()), **options) for start in starts]
    good = [end for end in ends if end.success and np.isfinite(end.fun)]
    if not good:
        said = "; ".join(f"{start} {end.message}" for start, end in zip(starts, ends, strict=True))
        raise FitError(f"none of {len(ends)} starts converged: {said}")
    return account(min(good, key=lambda end: end.fun).x), len(good)


def resampled(cells: pd.DataFrame, curves: Curves, found: Fit, *, generator: Generator, n: int = 200) -> list[Account]:
    """The fit repeated on resampled trainings, from where it ended: what its parameters' intervals are taken from.

    Of the seeds of each diversity one less than there are is drawn, with replacement, which makes up for how few they
    are (McCarthy & Snowden 1985, "The bootstrap and finite population sampling"). None where there is a single seed.
    """
    inside, stream = training_cells(cells), numpy_generator(generator)
    n_seeds = cells.groupby("n_tasks")["seed"].nunique().min()
    if n_seeds < 2:
        return []
    account, groups = found.account, cells.groupby("n_tasks").groups
    start = {"alpha": account.alpha, "beta": account.beta, "gamma": float(np.log(account.gamma))}
    seeds, accounts = cells["seed"].to_numpy(), []
    for _ in range(n):
        weights = np.zeros(len(cells))
        for rows in groups.values():
            places = cells.index.get_indexer(rows)
            there = np.unique(seeds[places])
            drawn = stream.choice(there, len(there) - 1)
            weights[places] = (seeds[places][:, None] == drawn).sum(1)
        weights *= inside
        near, _ = _nearest(lambda each: curves.at(_finite(each.log_odds(cells))), weights / weights.sum(), [start], {})
        accounts.append(near)
    return accounts


def compositions(cells: pd.DataFrame, account: Account) -> pd.DataFrame:
    """What models are made of, and what they should be by an account: n_tasks, step, reference, weight, and who:
    `models` (the nearest mixture) or `account`. Averaged over seeds; of one kind of model."""
    memorizer = "memorizing" if (cells["kind"] == "normal").all() else "symmetrized"
    nearest = cells[[f"weight_{each}" for each in STRATEGIES]].to_numpy(float)
    parts = []
    for who, weights in (("models", nearest), ("account", np.exp(account.log_weights(cells)))):
        for values, name in zip(weights.T, ("uniform", "generalizing", memorizer), strict=True):
            parts.append(cells[["n_tasks", "step"]].assign(who=who, reference=name, weight=values))
    return pd.concat(parts).groupby(["n_tasks", "step", "who", "reference"], sort=False)["weight"].mean().reset_index()


def training_cells(cells: pd.DataFrame) -> np.ndarray:
    """Which cells parameters are fitted to: the first checkpoints of the smaller diversities."""
    diversities, steps = sorted(cells["n_tasks"].unique()), sorted(cells["step"].unique())
    last_d, last_step = (of[max(int(SHARE * len(of)), 1) - 1] for of in (diversities, steps))
    return ((cells["n_tasks"] <= last_d) & (cells["step"] <= last_step)).to_numpy()


@dataclass(frozen=True)
class Baseline:
    """Log odds a + b ln N + c ln D, which know nothing of losses or complexities."""

    a: float
    b: float
    c: float

    def log_odds(self, cells: pd.DataFrame) -> np.ndarray:
        return self.a + self.b * np.log(cells["step"]).to_numpy() + self.c * np.log(cells["n_tasks"]).to_numpy()

    def transition(self, cells: pd.DataFrame) -> np.ndarray:
        """The step at which both have equal weight, for each line."""
        return np.exp(-(self.a + self.c * np.log(cells["n_tasks"].to_numpy(float))) / self.b)


def fit_baseline(cells: pd.DataFrame, curves: Curves) -> tuple[Baseline, float, float]:
    """The baseline nearest to the same cells that `fit` uses, and how near it is there and on those held out."""
    _refuse_few(cells)
    inside = training_cells(cells)

    def distance(x: np.ndarray, which: np.ndarray = inside) -> float:
        return float(curves.at(Baseline(*x).log_odds(cells))[which].mean())

    starts = [(a, b, c) for a in (-4.0, 0.0, 4.0) for b in (0.5, 1.5) for c in (-2.0, 0.0)]
    best = min((minimize(distance, start, method="L-BFGS-B") for start in starts), key=lambda end: end.fun).x
    return Baseline(*map(float, best)), distance(best), distance(best, ~inside)


def scored(odds: np.ndarray, shares: np.ndarray, which: np.ndarray) -> float:
    """The correlation of the memorizer's weight with models' rescaled relative distance, over the cells that are chosen
    and whose share is determined. NaN for fewer than three, and where one does not vary. Shares are clamped to 0 … 1,
    as published.
    """
    which = which & np.isfinite(shares)
    weights, shares = expit(odds[which]), np.clip(shares[which], 0, 1)
    if which.sum() < 3 or np.ptp(weights) == 0 or np.ptp(shares) == 0:
        return float("nan")
    return float(np.corrcoef(weights, shares)[0, 1])


def ablations(cells: pd.DataFrame, curves: Mapping[str, Curves]) -> pd.DataFrame:
    """The account, what is left of it without a part, and the baseline, on the same cells: a line each.

    who, parameters (how many), alpha, beta, gamma
    fitted, held_out    mean KL of models from mixtures (nats)
    r, r_held_out       `scored` over all cells, and over those held out;   r_out: over all, out of distribution
    tv, tv_out          mean total variation from mixtures, all cells

    Linear K: a memorizer's bits are those of its numbers, 64 · D · V, and β is 1. `curves`: `kl`, `tv` and `tv_out` of
    the same cells.
    """
    raw = cells.assign(k_m=64.0 * cells["n_tasks"] * cells["n_colors"], k_g=0.0)
    parts = {"account": (cells, {}), "α = 0": (cells, {"alpha": 0.0}), "β = 1": (cells, {"beta": 1.0})}
    parts |= {"γ = 1": (cells, {"gamma": 1.0}), "linear K": (raw, {"beta": 1.0})}
    lines, inside = [], training_cells(cells)
    for who, (given, fixed) in parts.items():
        found = fit(given, curves["kl"], fixed=fixed)
        odds = _finite(found.account.log_odds(given))
        line = {"who": who, "parameters": 3 - len(fixed), "fitted": found.fitted, "odds": odds}
        lines.append(line | {name: getattr(found.account, name) for name in ("alpha", "beta", "gamma")})
    line, fitted, _ = fit_baseline(cells, curves["kl"])
    lines.append({"who": "baseline", "parameters": 3, "fitted": fitted, "odds": line.log_odds(cells)})
    every = np.ones(len(cells), bool)
    for line in lines:
        odds, share = line.pop("odds"), cells["share"].to_numpy()
        line |= {"held_out": curves["kl"].at(odds)[~inside].mean(), "r": scored(odds, share, every)}
        line |= {
            "r_held_out": scored(odds, share, ~inside),
            "r_out": scored(odds, cells["share_out"].to_numpy(), every),
        }
        line |= {name: curves[name].at(odds).mean() for name in ("tv", "tv_out")}
    return pd.DataFrame(lines)


def _finite(odds: np.ndarray) -> np.ndarray:
    return np.nan_to_num(odds, nan=0.0, posinf=1e9, neginf=-1e9)


def _refuse_few(cells: pd.DataFrame) -> None:
    for column, fewest, what in (
        ("n_tasks", FEWEST_D, "task diversities D"),
        ("step", FEWEST_CHECKPOINTS, "checkpoints"),
    ):
        n = cells[column].nunique()
        if n < fewest:
            raise FitError(f"a fit needs at least {fewest} {what}, got {n}; train models for more of them")
