"""How much of S a model lacks, by the numbers of names N and of alphabets K: laws and their tests.

    additive     y = a + b ln K + c ln N
    two routes   y = min(a + b ln K, c + d ln N)
    triples      y = a + b ln T, with T the expected number of distinct triples of names in K sets

y is the deficit ln(1 − captured) (`standings`). By the second law a model either learns its
alphabets one by one, which costs more the more there are, or learns every name for itself, which
costs more the more names there are, and it takes the cheaper route. By the third law a model learns
combinations of three names. Every alphabet has four of them, and different alphabets may share
some. Laws are fitted to means over urns by least squares.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import comb
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special
from scipy.optimize import least_squares

from lexurn.measures.intervals import Interval, ratio_interval

Numbers = np.ndarray | float


class Law(NamedTuple):
    """A formula (parameters, ln K, ln N) → y, and the parameters that its fits start from."""

    formula: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    starts: tuple[tuple[float, ...], ...]


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


LAWS = {
    "K alone": Law(lambda p, k, n: p[0] + p[1] * k, ((-2.5, 0.2),)),
    "N alone": Law(lambda p, k, n: p[0] + p[1] * n, ((-2.5, 0.2),)),
    "additive": Law(lambda p, k, n: p[0] + p[1] * k + p[2] * n, ((-2.5, 0.2, 0.0),)),
    "distinct pairs": Law(lambda p, k, n: p[0] + p[1] * distinct_subsets(2, k, n), ((-3.0, 0.4),)),
    "distinct triples": Law(
        lambda p, k, n: p[0] + p[1] * distinct_subsets(3, k, n), ((-3.0, 0.4),)
    ),
    "two routes": Law(
        lambda p, k, n: np.minimum(p[0] + p[1] * k, p[2] + p[3] * n),
        tuple((-2.5, b, -1.5 - 2 * d, d) for b in (0.2, 0.4, 0.8) for d in (0.5, 1.0, 1.5)),
    ),
}
"""A minimum has kinks, so its fit starts several times, and the best fit counts."""


def cells_of(names: Sequence[str], coordinates: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Return the cell of each run: its values on the axes of the grid, joined by a space."""
    return [" ".join(map(str, coordinates[name].values())) for name in names]


def alphabets_of(cell: str) -> tuple[int, int]:
    """Return N and K of a cell of `names_alphabets`, or of a grid of the same kind."""
    if cell in BLOCKS:
        n_blocks, size = BLOCKS[cell]
        return n_blocks * size, n_blocks * comb(size, 4)
    names, _, sets = cell.partition(" ")
    n_names = int(names[1:])
    by_design = {"all": comb(n_names, 4), "groups": n_names // 4, "design": 20}
    return n_names, by_design.get(sets) or int(sets[1:] or 1)


def cells(deficits: pd.DataFrame) -> pd.DataFrame:
    """Return n_names, n_alphabets and the mean deficit of each cell of random sets, or all sets.

    `deficits` has one row per urn and one column per cell of `names_alphabets` or `names_between`.
    """
    numbers = {cell: alphabets_of(cell) for cell in deficits if is_random(cell)}
    table = pd.DataFrame(numbers, index=["n_names", "n_alphabets"]).T
    return table.assign(deficit=deficits[list(numbers)].mean())


def is_random(cell: str) -> bool:
    return not cell.endswith(("groups", "design", "blocks"))


def predict(name: str, parameters: np.ndarray, table: pd.DataFrame) -> np.ndarray:
    """Return the deficits that a law predicts for cells (cells)."""
    logs = [np.log(table[column].to_numpy(float)) for column in ("n_alphabets", "n_names")]
    return LAWS[name].formula(parameters, *logs)


def fit(name: str, table: pd.DataFrame) -> np.ndarray:
    """Return the parameters of a law that fit the cells of a table best."""
    observed = table["deficit"].to_numpy()
    solutions = [
        least_squares(lambda p: predict(name, p, table) - observed, start)
        for start in LAWS[name].starts
    ]
    return min(solutions, key=lambda solution: solution.cost).x


def error(name: str, parameters: np.ndarray, table: pd.DataFrame) -> float:
    """Return the root mean square error of a law over cells."""
    differences = predict(name, parameters, table) - table["deficit"].to_numpy()
    return float(np.sqrt(np.mean(differences**2)))


def compare(fitted: pd.DataFrame, held_out: pd.DataFrame) -> pd.DataFrame:
    """Return one row per law: its errors on the cells fitted to, on left-out ones, and beyond.

    Columns: law, parameters (their number), fitted, left_out (each cell predicted from the others),
    left_out_names (all cells of each number of names predicted from those of the others), held_out.
    """
    rows = []
    for name, law in LAWS.items():
        each_cell = [fitted.index == cell for cell in fitted.index]
        each_n = [(fitted["n_names"] == n).to_numpy() for n in sorted(set(fitted["n_names"]))[1:]]
        rows.append(
            {
                "law": name,
                "parameters": len(law.starts[0]),
                "fitted": error(name, fit(name, fitted), fitted),
                "left_out": _left_out(name, fitted, each_cell),
                "left_out_names": _left_out(name, fitted, each_n),
                "held_out": error(name, fit(name, fitted), held_out),
            }
        )
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


def held_out_ratios(fitted: pd.DataFrame, held_out: pd.DataFrame) -> dict[str, Interval]:
    """Return the held-out error of each law, divided by that of distinct triples, over urns.

    Laws are fitted to each urn alone and predict held-out cells of the same urn, so that errors
    are paired. The mean over urns is geometric, and its interval is a t interval of log ratios.
    """
    errors: dict[str, list[float]] = {name: [] for name in LAWS}
    for urn in fitted.index.intersection(held_out.index):
        own, others = cells(fitted.loc[[urn]]), cells(held_out.loc[[urn]])
        for name in LAWS:
            errors[name].append(error(name, fit(name, own), others))
    return {name: ratio_interval(errors[name], errors["distinct triples"]) for name in LAWS}


BLOCKS = {"30 names in 3 blocks": (3, 10), "32 names in 4 blocks": (4, 8)}
"""The cells of `names_blocks`: the number of blocks, and the names of each.

Sequences use all alphabets within a block, so that K is large and T is small.
"""


def foretell(deficits: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the deficits that two laws foretell for blocks, by cell: one row per urn.

    The laws are fitted to each urn alone; the columns are distinct triples and two routes.
    """
    triples, routes = (by_urn(name, deficits) for name in ("distinct triples", "two routes"))
    formula = LAWS["two routes"].formula
    tables = {}
    for cell, (n_blocks, size) in BLOCKS.items():
        log_t, log_k, log_n = np.log([n_blocks * comb(size, m) for m in (3, 4, 1)])
        foretold = {
            "distinct triples": triples[0] + triples[1] * log_t,
            "two routes": formula(routes.to_numpy().T, log_k, log_n),
        }
        tables[cell] = pd.DataFrame(foretold, index=deficits.index)
    return tables


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
        grid = np.geomspace(1, part["n_alphabets"].max(), 60)
        curve = pd.DataFrame({"n_names": n_names, "n_alphabets": grid})
        yield curve.assign(deficit=predict(name, parameters, curve))
