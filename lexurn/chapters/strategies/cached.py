"""The fits to a map, kept as cached tables (`lexurn.runs.cache`), because they take long."""

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from lexurn.base.seeding import generator
from lexurn.chapters.strategies.account import Account
from lexurn.chapters.strategies.fitting import (
    Baseline,
    Fit,
    fit,
    fit_baseline,
    fit_three,
    refit_resampled,
)
from lexurn.chapters.strategies.judging import ablations, simulated_fits
from lexurn.chapters.strategies.maps import read_curves
from lexurn.runs import cache


def cached_fit(cells: pd.DataFrame) -> tuple[Fit, list[Account]]:
    """Return the fit of the account to a map, and the accounts fitted to resampled seeds."""
    first, *others = cache.table(fit_table, cells).to_dict("records")
    names = ("alpha", "beta", "gamma")
    fitted, *resampled = [Account(*map(row.pop, names)) for row in (first, *others)]
    return Fit(fitted, **first), resampled


def fit_table(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the fields of `fit` in the first row, and those of `refit_resampled` below."""
    curves = read_curves(cells)
    fitted = fit(cells, curves)
    numbers = asdict(fitted)
    accounts = [numbers.pop("account"), *map(asdict, refit_resampled(cells, curves, fitted))]
    return pd.DataFrame(accounts).assign(**numbers)


def cached_baseline(cells: pd.DataFrame) -> Baseline:
    """Return the baseline that is fitted to a map."""
    return Baseline(**cache.table(baseline_table, cells).to_dict("records")[0])


def baseline_table(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the parameters of the baseline that is fitted to a map, in one row."""
    return pd.DataFrame([asdict(fit_baseline(cells, read_curves(cells)))])


def cached_three(cells: pd.DataFrame) -> Account:
    """Return the account that is fitted to uniform, generalizing and memorizing together."""
    return Account(**cache.table(three_table, cells).to_dict("records")[0])


def three_table(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the parameters of `fit_three`, in one row."""
    return pd.DataFrame([asdict(fit_three(cells).account)])


def ablation_table(cells: pd.DataFrame) -> pd.DataFrame:
    """Return `ablations` for the cells of every seed alone, with the column seed."""
    tables = []
    for seed, own in cells.groupby("seed"):
        own = own.reset_index(drop=True)
        curves = {name: read_curves(own, name) for name in ("kl", "tv", "tv_out")}
        tables.append(ablations(own, curves).assign(seed=seed))
    return pd.concat(tables, ignore_index=True)


def simulation_table(
    cells: pd.DataFrame, maker: str, parameters: Sequence[float], seed: int, n_maps: int = 1
) -> pd.DataFrame:
    """Return `simulated_fits` to maps made by an account or by a baseline with these parameters.

    `maker` is `an account` or `the baseline`; it also names the random stream of the seed. Each of
    the `n_maps` maps has pools and noise of its own. Columns: name (of the number), value (of one
    seed of one map).
    """
    truth = {"an account": Account, "the baseline": Baseline}[maker](*parameters)
    stream = generator(seed, "made by", maker)
    tables = [simulated_fits(cells, truth, noise=0.2, generator=stream) for _ in range(n_maps)]
    return pd.concat(tables, ignore_index=True).melt(var_name="name")
