"""Which fit predicts lexical models: their own account, normal models' account, or a baseline?"""

from collections.abc import Callable

import pandas as pd

from lexurn.chapters.strategies.account import Account
from lexurn.chapters.strategies.fitting import Baseline, FitError, fit, fit_baseline, split_cells
from lexurn.chapters.strategies.maps import Curves, read_curves


def lexical_scores(
    lexical: pd.DataFrame, others: pd.DataFrame, normal: pd.DataFrame, extra_bits: int
) -> pd.DataFrame:
    """Return what four fits lose beyond the best mixture for the cells of lexical models.

    lexical      cells to which an account and a baseline are fitted, for every seed alone
    others       cells of lexical models with another number of colours, held out
    normal       cells of normal models, to which an account is fitted that sees no lexical model
    extra_bits   what the fast program for S has more than the shortest one

    Columns: who (account, normal models' account, the same, fast program, or baseline), seed, part
    (of `split_cells`, or four colours) and kl (nats). Fits without enough data or without a minimum
    are left out.
    """
    rows = []
    for seed, own in lexical.groupby("seed"):
        own, other, named = (
            table[table["seed"] == seed].reset_index(drop=True) for table in (own, others, normal)
        )
        fits: dict[str, tuple[Callable[[], Account | Baseline], int]] = {
            "account": (lambda own=own: fit(own, read_curves(own)).account, 0),
            "normal models' account": (lambda own=named: fit(own, read_curves(own)).account, 0),
            "the same, fast program": (
                lambda own=named: fit(own, read_curves(own)).account,
                extra_bits,
            ),
            "baseline": (lambda own=own: fit_baseline(own, read_curves(own)), 0),
        }
        for who, (fit_one, bits) in fits.items():
            try:
                fitted = fit_one()
            except FitError:
                continue
            excess = _excess(own, fitted, bits)
            parts = {part: excess[mask].mean() for part, mask in split_cells(own).items()}
            parts["four colours"] = _excess(other, fitted, bits).mean()
            rows += [(who, seed, part, kl) for part, kl in parts.items()]
    return pd.DataFrame(rows, columns=["who", "seed", "part", "kl"])


def _excess(cells: pd.DataFrame, fitted: Account | Baseline, bits: int) -> pd.Series:
    curves: Curves = read_curves(cells)
    odds = fitted.log_odds(cells.assign(k_m=cells["k_m"] + bits))
    return pd.Series(curves.at(odds) - curves.values.min(-1), cells.index)
