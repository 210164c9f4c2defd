"""How good a fitted account is: against models, ablations, the baseline, and simulated maps."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import expit, stdtr
from torch import Generator

from lexurn.chapters.strategies.account import STRATEGIES, Account, source_bits
from lexurn.chapters.strategies.fitting import (
    BOUNDS,
    Baseline,
    FitError,
    fit,
    fit_baseline,
    split_cells,
)
from lexurn.chapters.strategies.maps import Curves, read_curves, simulate_curves
from lexurn.measures import intervals
from lexurn.measures.intervals import Interval


def compositions(cells: pd.DataFrame, account: Account) -> pd.DataFrame:
    """Return the mixture weights of models and of an account, averaged over seeds.

    `cells` have one kind of model. Columns: n_tasks, step, who (`models`: the nearest mixture, or
    `account`), reference, weight.
    """
    memorizer = "memorizing" if (cells["kind"] == "normal").all() else "symmetrized"
    nearest = cells[[f"weight_{letter}" for letter in STRATEGIES]].to_numpy(float)
    tables = []
    for who, weights in (("models", nearest), ("account", np.exp(account.log_weights(cells)))):
        for weight, name in zip(weights.T, ("uniform", "generalizing", memorizer), strict=True):
            tables.append(cells[["n_tasks", "step"]].assign(who=who, reference=name, weight=weight))
    groups = pd.concat(tables).groupby(["n_tasks", "step", "who", "reference"], sort=False)
    return groups["weight"].mean().reset_index()


def misplaced_weight(composition: pd.DataFrame) -> pd.Series:
    """Return the total variation between the weights of account and models, by n_tasks.

    `composition` is the table of `compositions`.
    """
    index = ["n_tasks", "step", "reference"]
    wide = composition.pivot(index=index, columns="who", values="weight")
    distances = (wide["models"] - wide["account"]).abs().groupby(["n_tasks", "step"]).sum() / 2
    return distances.groupby("n_tasks").mean()


def share_correlation(odds: np.ndarray, shares: np.ndarray, mask: np.ndarray) -> float:
    """Return the correlation of the memorizer's weight with the models' rescaled relative distance.

    It covers the cells in `mask` with a determined share. Shares are clamped to 0 … 1, as
    published. Return NaN for fewer than three cells or if one of the two is constant.
    """
    mask = mask & np.isfinite(shares)
    weights, shares = expit(odds[mask]), np.clip(shares[mask], 0, 1)
    if mask.sum() < 3 or np.ptp(weights) == 0 or np.ptp(shares) == 0:
        return float("nan")
    return float(np.corrcoef(weights, shares)[0, 1])


def ablations(cells: pd.DataFrame, curves: Mapping[str, Curves]) -> pd.DataFrame:
    """Return the scores of the account, of its ablations and of the baseline on the same cells.

    who, parameters (their number), alpha, beta, gamma
    problem                            why there is no fit, empty otherwise
    fitted, later steps, more urns     KL of models from mixtures minus the KL from each cell's best
                                       mixture, on the parts of `split_cells` (nats)
    held out                           the same on the two held-out parts together
    r, r more urns                     `share_correlation` on all cells and on the large diversities
    r_out                              the same on all cells, out of distribution
    tv, tv_out                         mean total variation from mixtures, all cells

    Values are missing if no start led to a minimum. With "linear K", the memorizer has 64 · D · V
    bits (its numbers alone), the generalizer has none, and β is 1. With "source × 5", source code
    counts five times, as if it were written at greater length. `curves`: `kl`, `tv` and `tv_out` of
    the same cells.
    """
    linear = cells.assign(k_m=64.0 * cells["n_tasks"] * cells["n_colors"], k_g=0.0)
    sources = {letter: source_bits(name) for letter, name in STRATEGIES.items()}
    longer = {f"k_{letter}": cells[f"k_{letter}"] + 4 * bits for letter, bits in sources.items()}
    variants = {
        "account": (cells, {}),
        "α = 0": (cells, {"alpha": 0.0}),
        "β = 1": (cells, {"beta": 1.0}),
        "γ = 1": (cells, {"gamma": 1.0}),
        "linear K": (linear, {"beta": 1.0}),
        "source × 5": (cells.assign(**longer), {}),
    }
    rows, odds = [], []
    for who, (variant_cells, fixed) in variants.items():
        row = {"who": who, "parameters": 3 - len(fixed)}
        variant_odds = None
        try:
            account = fit(variant_cells, curves["kl"], fixed=fixed).account
            variant_odds = account.log_odds(variant_cells)
            row |= {name: getattr(account, name) for name in BOUNDS}
        except FitError as error:
            row["problem"] = str(error).split(":")[0]
        rows.append(row)
        odds.append(variant_odds)
    rows.append({"who": "baseline", "parameters": 3})
    odds.append(fit_baseline(cells, curves["kl"]).log_odds(cells))
    masks, best = split_cells(cells), curves["kl"].values.min(-1)
    all_cells = np.ones(len(cells), bool)
    share, share_out = (cells[name].to_numpy() for name in ("share", "share_out"))
    for row, row_odds in zip(rows, odds, strict=True):
        if row_odds is None:
            continue
        excess = curves["kl"].at(row_odds) - best
        row |= {part: excess[mask].mean() for part, mask in masks.items()}
        row["held out"] = excess[~masks["fitted"]].mean()
        row["r"] = share_correlation(row_odds, share, all_cells)
        row["r more urns"] = share_correlation(row_odds, share, masks["more urns"])
        row["r_out"] = share_correlation(row_odds, share_out, all_cells)
        row |= {name: curves[name].at(row_odds).mean() for name in ("tv", "tv_out")}
    return pd.DataFrame([{"problem": "", **row} for row in rows])


def excess_by_step(cells: pd.DataFrame, **accounts: Account | Baseline) -> pd.DataFrame:
    """Return what accounts lose beyond the best mixture for each cell.

    Columns: n_tasks, seed, step, who, excess (nats).
    """
    curves = read_curves(cells)
    best = curves.values.min(-1)
    table = cells[["n_tasks", "seed", "step"]]
    excess = {who: curves.at(account.log_odds(cells)) - best for who, account in accounts.items()}
    tables = [table.assign(who=who, excess=values) for who, values in excess.items()]
    return pd.concat(tables, ignore_index=True)


def fit_simulated_map(
    cells: pd.DataFrame, truth: Account | Baseline, *, noise: float, generator: Generator
) -> dict[str, Interval]:
    """Return the means over seeds of `simulated_fits`, with their t intervals."""
    table = simulated_fits(cells, truth, noise=noise, generator=generator)
    return {name: intervals.t_interval(table[name].tolist()) for name in table}


def simulated_fits(
    cells: pd.DataFrame, truth: Account | Baseline, *, noise: float, generator: Generator
) -> pd.DataFrame:
    """Fit account and baseline to a simulated map: mixtures of M and G with the log odds of
    `truth`.

    Return one row per seed: alpha, beta and ln gamma, fitted to each seed alone, the excess KL
    (nats) of account and baseline over the best mixtures for the large diversities, and the paired
    difference of the two on the same map. `simulate_curves` draws the map.
    """
    simulated = simulate_curves(cells, truth.log_odds(cells), noise=noise, generator=generator)
    by_seed = []
    for indices in cells.groupby("seed").indices.values():
        seed_cells = cells.iloc[indices].reset_index(drop=True)
        curves = Curves(simulated.values[indices])
        account = fit(seed_cells, curves).account
        values = {
            "alpha": account.alpha,
            "beta": account.beta,
            "ln gamma": float(np.log(account.gamma)),
        }
        fits = {"account": account, "baseline": fit_baseline(seed_cells, curves)}
        for who, fitted in fits.items():
            excess = curves.at(fitted.log_odds(seed_cells)) - curves.values.min(-1)
            mask = split_cells(seed_cells)["more urns"]
            values[f"KL more urns, {who}"] = float(excess[mask].mean())
        of_account, of_baseline = (values[f"KL more urns, {who}"] for who in fits)
        values["account − baseline"] = of_account - of_baseline
        by_seed.append(values)
    return pd.DataFrame(by_seed)


def memorizer_weights(cells: pd.DataFrame, **accounts: Account | Baseline) -> pd.DataFrame:
    """Return the memorizer's weight by several accounts, with the share that the models show.

    Columns: n_tasks, seed, step, share, part, who, w_m.
    """
    masks = split_cells(cells)
    part = np.select(list(masks.values()), list(masks), "")
    table = cells[["n_tasks", "seed", "step", "share"]].assign(part=part)
    return pd.concat(
        table.assign(who=who, w_m=expit(account.log_odds(cells)))
        for who, account in accounts.items()
    )


def adjusted_p_values(gaps: Sequence[Interval]) -> list[float]:
    """Return two-sided p-values of t tests that each gap is zero, after Holm's adjustment (1979).

    The gaps are one family of claims, each a mean with its error over n seeds.
    """
    p_values = np.array([2 * stdtr(gap.n - 1, -abs(gap.value / gap.error)) for gap in gaps])
    order = np.argsort(p_values)
    scaled = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted.tolist()
