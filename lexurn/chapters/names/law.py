"""How much of S a model lacks: laws of the numbers of names and alphabets, and their tests.

    one number     y = a + b ln x, with x the number of names N, of alphabets K, of distinct pairs
                   or of distinct triples T of names that occur together in some alphabet
    additive       y = a + b ln K + c ln N
    two routes     y = min(a + b ln K, c + d ln N)

y is the deficit ln(1 − captured) (`standings`). A *cell* is one choice of names and alphabets. For
random alphabets, the numbers of pairs and triples are expected ones. Laws are fitted by least
squares to cells of random alphabets: to means over urns, or to each urn alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import comb

import numpy as np
import pandas as pd
from scipy import special
from scipy.optimize import least_squares

from lexurn.measures.intervals import Interval, t_interval, t_interval_of_mean

Numbers = np.ndarray | float

LAWS = {
    "N alone": ("n_names",),
    "K alone": ("n_alphabets",),
    "additive": ("n_alphabets", "n_names"),
    "distinct pairs": ("n_pairs",),
    "distinct triples": ("n_triples",),
    "two routes": ("n_alphabets", "n_names"),
}
"""The numbers whose logarithms a law is about."""

PARTS = {
    "N16 groups": (16, 4, 4),
    "N16 design": (16, 20, 4),
    "N32 groups": (32, 8, 4),
    "30 names in 3 blocks": (30, 3, 10),
    "32 names in 4 blocks": (32, 4, 8),
}
"""Cells whose alphabets are not random: all names, parts, and names of each part.

Sequences use every alphabet within a part. No two parts share a pair of names, and those of groups
and blocks share no name.
"""


def distinct_subsets(size: int, log_k: Numbers, log_n: Numbers) -> Numbers:
    """Return the log of the expected number of distinct subsets of names in K different sets of 4.

    Of all sets, each subset is in the same number, and the chance that K of them, drawn without
    replacement, miss these is hypergeometric.
    """
    n, k = np.exp(log_n), np.exp(log_k)
    sets, with_subset = special.binom(n, 4), special.binom(n - size, 4 - size)
    rest = np.maximum(sets - with_subset - k, -1 + 1e-9)
    log_missed = special.gammaln(sets - with_subset + 1) - special.gammaln(rest + 1)
    log_missed += special.gammaln(np.maximum(sets - k, 0) + 1) - special.gammaln(sets + 1)
    return np.log(-special.binom(n, size) * np.expm1(np.minimum(log_missed, 0)))


def cells_of(names: Sequence[str], coordinates: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Return the cell of each run: its values on the axes of the grid, joined by a space."""
    return [" ".join(map(str, coordinates[name].values())) for name in names]


def alphabets_of(cell: str) -> tuple[int, int]:
    """Return N and K of a cell of `names_alphabets`, or of a grid of the same kind."""
    if cell in PARTS:
        n_names, n_parts, size = PARTS[cell]
        return n_names, n_parts * comb(size, 4)
    names, _, sets = cell.partition(" ")
    n_names = int(names[1:])
    return n_names, comb(n_names, 4) if sets == "all" else int(sets[1:] or 1)


def is_random(cell: str) -> bool:
    return cell not in PARTS


def count_random(n_names: Numbers, n_alphabets: Numbers) -> pd.DataFrame:
    """Return n_names, n_alphabets, n_pairs and n_triples for random alphabets."""
    logs = np.log(n_alphabets), np.log(n_names)
    subsets = {
        f"n_{name}": np.exp(distinct_subsets(size, *logs))
        for name, size in (("pairs", 2), ("triples", 3))
    }
    return pd.DataFrame({"n_names": n_names, "n_alphabets": n_alphabets, **subsets})


def count(cells: Sequence[str]) -> pd.DataFrame:
    """Return n_names, n_alphabets, n_pairs and n_triples of some cells, random or not."""
    table = count_random(*np.array([alphabets_of(cell) for cell in cells], dtype=float).T)
    table.index = list(cells)
    for cell in table.index.intersection(list(PARTS)):
        _, n_parts, size = PARTS[cell]
        table.loc[cell, ["n_pairs", "n_triples"]] = [n_parts * comb(size, m) for m in (2, 3)]
    return table


def mean_over_urns(values: Sequence[float] | pd.Series) -> Interval:
    """Return the mean with its 95 % t interval; without error and interval for fewer than three."""
    mean = t_interval(list(values))
    return mean if mean.n >= 3 else t_interval_of_mean(mean.value, np.nan, mean.n)


def cells(deficits: pd.DataFrame, *, random: bool = True) -> pd.DataFrame:
    """Return the numbers of each cell (`count`) and its mean deficit.

    `deficits` has one row per urn and one column per cell. Only cells of random alphabets are
    returned, or only the others.
    """
    chosen = [cell for cell in deficits if is_random(cell) == random]
    return count(chosen).assign(deficit=deficits[chosen].mean())


def predict(name: str, parameters: np.ndarray, table: pd.DataFrame) -> np.ndarray:
    """Return the deficits that a law predicts for cells (`count`)."""
    logs = np.log(table[[*LAWS[name]]].to_numpy(float)).T
    if name == "two routes":
        ends = np.reshape(parameters, (2, 2))  # a b, c d
        return np.min([end[0] + end[1] * log for end, log in zip(ends, logs, strict=True)], axis=0)
    return parameters[0] + np.dot(parameters[1:], logs)


def fit(name: str, table: pd.DataFrame) -> np.ndarray:
    """Return the parameters of a law that fit the cells of a table best.

    A minimum has kinks, so its fit starts several times, and the best fit counts.
    """
    observed = table["deficit"].to_numpy()
    if name != "two routes":
        logs = np.log(table[[*LAWS[name]]].to_numpy(float))
        return np.linalg.lstsq(np.column_stack([np.ones(len(logs)), logs]), observed)[0]
    starts = [(-2.5, b, -1.5 - 2 * d, d) for b in (0.2, 0.4, 0.8) for d in (0.5, 1.0, 1.5)]
    solutions = [
        least_squares(lambda p: predict(name, p, table) - observed, start) for start in starts
    ]
    return min(solutions, key=lambda solution: solution.cost).x


def error(name: str, parameters: np.ndarray, table: pd.DataFrame) -> float:
    """Return the root mean square error of a law over cells."""
    differences = predict(name, parameters, table) - table["deficit"].to_numpy()
    return float(np.sqrt(np.mean(differences**2)))


def compare(fitted: pd.DataFrame, others: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return one row per law: its errors on cells that it was not fitted to.

    Columns: law, parameters (their number), left_out (each cell predicted from the others),
    left_out_names (all cells of each number of names predicted from those of the others), and one
    for each table of other cells.
    """
    each_cell = [fitted.index == cell for cell in fitted.index]
    each_n = [(fitted["n_names"] == n).to_numpy() for n in sorted(set(fitted["n_names"]))[1:]]
    rows = []
    for name in LAWS:
        parameters = fit(name, fitted)
        row = {
            "law": name,
            "parameters": len(parameters),
            "left_out": _left_out(name, fitted, each_cell),
            "left_out_names": _left_out(name, fitted, each_n),
        }
        beyond = {key: error(name, parameters, table) for key, table in others.items()}
        rows.append(row | beyond)
    return pd.DataFrame(rows)


def _left_out(name: str, table: pd.DataFrame, groups: Sequence[np.ndarray]) -> float:
    """Return the error over groups of cells that are predicted from the cells outside."""
    differences = [
        predict(name, fit(name, table[~group]), table[group]) - table["deficit"][group]
        for group in groups
    ]
    return float(np.sqrt(np.mean(np.concatenate(differences) ** 2)))


def by_urn(name: str, deficits: pd.DataFrame) -> pd.DataFrame:
    """Return the parameters of a law that is fitted to each urn alone, one row per urn.

    Where a law is linear in its parameters, their means over urns are the parameters of `fit`, so
    that t intervals over urns are intervals of a law that is fitted to means.
    """
    fits = {urn: fit(name, cells(deficits.loc[[urn]])) for urn in deficits.index}
    return pd.DataFrame(fits).T


def foretell(deficits: pd.DataFrame, others: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return the deficits that each law foretells for other cells: one row per urn.

    Laws are fitted to each urn alone.
    """
    numbers, tables = count(others), {}
    for name in LAWS:
        parameters = by_urn(name, deficits)
        rows = [predict(name, own, numbers) for own in parameters.to_numpy()]
        tables[name] = pd.DataFrame(rows, index=parameters.index, columns=numbers.index)
    return tables


def ratio_of_errors(
    foretold: Mapping[str, pd.DataFrame], measured: pd.DataFrame, first: str, second: str
) -> Interval:
    """Return the error of one law divided by that of another, a geometric mean over urns.

    Each urn has its own forecasts (`foretell`) and its own root mean square errors over cells. The
    interval is over urns; it says nothing about other cells.
    """
    errors = {
        name: np.sqrt(((foretold[name] - measured[[*foretold[name]]]) ** 2).mean(axis=1))
        for name in (first, second)
    }
    logs = mean_over_urns(np.log(errors[first] / errors[second]))
    return Interval(*np.exp([logs.value, logs.low, logs.high]).tolist(), logs.n)


def greatest_factor(first: str, second: str, fitted: pd.DataFrame, *, max_names: int) -> float:
    """Return the largest factor between missing shares that two laws foretell for random alphabets.

    It is the largest over all numbers of alphabets and all numbers of names up to `max_names`.
    """
    numbers = [(n, k) for n in range(5, max_names + 1) for k in range(1, comb(n, 4) + 1)]
    table = count_random(*np.array(numbers, dtype=float).T)
    foretold = [predict(name, fit(name, fitted), table) for name in (first, second)]
    return float(np.exp(np.abs(foretold[0] - foretold[1]).max()))


def held_out_errors(fitted: pd.DataFrame, held_out: pd.DataFrame) -> pd.DataFrame:
    """Return jackknife pseudo-values, one row per urn, of errors on held-out cells.

    `fitted` and `held_out` have one row per urn and one column per cell. The column two_routes is
    the error of the law of two routes, and ratio is this error divided by that of the additive law.
    The mean of the pseudo-values over urns is the jackknife's estimate, and their standard error is
    its error.
    """
    urns = fitted.index.intersection(held_out.index)

    def errors(of: Sequence[int]) -> pd.Series:
        parts = cells(fitted.loc[of]), cells(held_out.loc[of])
        two, additive = (
            error(name, fit(name, parts[0]), parts[1]) for name in ("two routes", "additive")
        )
        return pd.Series({"two_routes": two, "ratio": two / additive})

    if len(urns) < 2:
        return pd.DataFrame({"two_routes": [np.nan], "ratio": [np.nan]})
    whole, n = errors(list(urns)), len(urns)
    rows = {urn: n * whole - (n - 1) * errors([u for u in urns if u != urn]) for urn in urns}
    return pd.DataFrame(rows).T


def curves(name: str, parameters: np.ndarray, table: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield a law as a curve over K for every number of names in a table."""
    for n_names, part in table.groupby("n_names"):
        curve = count_random(n_names, np.geomspace(1, part["n_alphabets"].max(), 60))
        yield curve.assign(deficit=predict(name, parameters, curve))
