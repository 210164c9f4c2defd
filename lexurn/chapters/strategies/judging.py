"""What a fitted account is worth: beside the models, beside its own parts, beside the baseline, and on made maps."""

import contextlib
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import expit
from torch import Generator

from lexurn.chapters.strategies.account import STRATEGIES, Account
from lexurn.chapters.strategies.fitting import BOUNDS, Baseline, FitError, fit, fit_baseline, parts
from lexurn.chapters.strategies.maps import Curves, made_by
from lexurn.measures import intervals
from lexurn.measures.intervals import Interval


def compositions(cells: pd.DataFrame, account: Account) -> pd.DataFrame:
    """What models are made of, and what they should be by an account: n_tasks, step, reference, weight, and who:
    `models` (the nearest mixture) or `account`. Averaged over seeds; of one kind of model."""
    memorizer = "memorizing" if (cells["kind"] == "normal").all() else "symmetrized"
    nearest = cells[[f"weight_{each}" for each in STRATEGIES]].to_numpy(float)
    parts = []
    for who, weights in (("models", nearest), ("account", np.exp(account.log_weights(cells)))):
        for values, name in zip(weights.T, ("uniform", "generalizing", memorizer), strict=True):
            parts.append(cells[["n_tasks", "step"]].assign(who=who, reference=name, weight=values))
    return (
        pd.concat(parts)
        .groupby(["n_tasks", "step", "who", "reference"], sort=False)["weight"]
        .mean()
        .reset_index()
    )


def misplaced(composed: pd.DataFrame) -> pd.Series:
    """How much weight an account has elsewhere than models do (total variation), by n_tasks; of `compositions`."""
    sides = composed.pivot(index=["n_tasks", "step", "reference"], columns="who", values="weight")
    off = (sides["models"] - sides["account"]).abs().groupby(["n_tasks", "step"]).sum() / 2
    return off.groupby("n_tasks").mean()


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
    fitted, later steps, more urns     KL of models from mixtures beyond that from each cell's best, in `parts` (nats)
    held out                           the same in the latter two together
    r, r more urns                     `scored` over all cells, and over the larger diversities
    r_out                              over all cells, out of distribution
    tv, tv_out                         mean total variation from mixtures, all cells

    Missing where no start led to a minimum. Linear K: a memorizer's bits are those of its numbers,
    64 · D · V, a generalizer has none, and β is 1. `curves`: `kl`, `tv` and `tv_out` of the same cells.
    """
    raw = cells.assign(k_m=64.0 * cells["n_tasks"] * cells["n_colors"], k_g=0.0)
    without = {
        "account": (cells, {}),
        "α = 0": (cells, {"alpha": 0.0}),
        "β = 1": (cells, {"beta": 1.0}),
    }
    without |= {"γ = 1": (cells, {"gamma": 1.0}), "linear K": (raw, {"beta": 1.0})}
    lines = []
    for who, (given, fixed) in without.items():
        line = {"who": who, "parameters": 3 - len(fixed), "odds": None}
        with contextlib.suppress(FitError):
            account = fit(given, curves["kl"], fixed=fixed).account
            line |= {"odds": account.log_odds(given)} | {
                name: getattr(account, name) for name in BOUNDS
            }
        lines.append(line)
    lines.append(
        {
            "who": "baseline",
            "parameters": 3,
            "odds": fit_baseline(cells, curves["kl"]).log_odds(cells),
        }
    )
    masks, best, every = parts(cells), curves["kl"].values.min(-1), np.ones(len(cells), bool)
    share, share_out = (cells[name].to_numpy() for name in ("share", "share_out"))
    for line in lines:
        odds = line.pop("odds")
        if odds is None:
            continue
        excess = curves["kl"].at(odds) - best
        line |= {part: excess[mask].mean() for part, mask in masks.items()}
        line |= {"held out": excess[~masks["fitted"]].mean()}
        line |= {
            "r": scored(odds, share, every),
            "r more urns": scored(odds, share, masks["more urns"]),
        }
        line |= {"r_out": scored(odds, share_out, every)}
        line |= {name: curves[name].at(odds).mean() for name in ("tv", "tv_out")}
    return pd.DataFrame(lines)


def trial(
    cells: pd.DataFrame, maker: Account | Baseline, *, noise: float, generator: Generator
) -> dict[str, Interval]:
    """What is fitted to a map that is known: mixtures of M and G with the log odds of `maker` (see `maps.made_by`).

    alpha, beta and ln gamma, fitted to each seed alone, and what account and baseline lose beyond the best mixtures
    where there are more urns than they were fitted to (nats): means with their t intervals.
    """
    made = made_by(cells, maker.log_odds(cells), noise=noise, generator=generator)
    found: dict[str, list[float]] = {}
    for places in cells.groupby("seed").indices.values():
        mine, curves = cells.iloc[places].reset_index(drop=True), Curves(made.values[places])
        account, line = fit(mine, curves).account, fit_baseline(mine, curves)
        values = {
            "alpha": account.alpha,
            "beta": account.beta,
            "ln gamma": float(np.log(account.gamma)),
        }
        for who, each in (("account", account), ("baseline", line)):
            lost = curves.at(each.log_odds(mine)) - curves.values.min(-1)
            values[f"KL more urns, {who}"] = float(lost[parts(mine)["more urns"]].mean())
        for name, value in values.items():
            found.setdefault(name, []).append(value)
    return {name: intervals.t_interval(values) for name, values in found.items()}


def weights(cells: pd.DataFrame, **accounts: Account | Baseline) -> pd.DataFrame:
    """The memorizer's weight by several accounts, beside the share that models have: n_tasks, seed, step, part, who,
    w_m, share."""
    part = np.select(list(parts(cells).values()), list(parts(cells)), "")
    of = cells[["n_tasks", "seed", "step", "share"]].assign(part=part)
    return pd.concat(
        [of.assign(who=who, w_m=expit(each.log_odds(cells))) for who, each in accounts.items()]
    )
