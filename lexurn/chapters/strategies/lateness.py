"""By which factor fits expect networks to turn later than they do, beyond what was fitted."""

import pandas as pd

from lexurn.chapters.strategies.fitting import fit, fit_baseline
from lexurn.chapters.strategies.maps import read_curves


def lateness(cells: pd.DataFrame, crossings: pd.DataFrame, n_tasks: int) -> pd.DataFrame:
    """Return the step half way to the memorizer by two fits over that of the networks, by seed.

    `cells` are a map of 2000 steps, to which account and baseline are fitted for every seed alone.
    `crossings` are those of networks of `n_tasks` urns with the same seeds and pools, from longer
    trainings. Columns: seed, account, baseline; a factor above one means that the fit is late.
    """
    observed = crossings[crossings["n_tasks"] == n_tasks].set_index("seed")["step"]
    rows = []
    for seed, own in cells.groupby("seed"):
        own = own.reset_index(drop=True)
        curves = read_curves(own)
        at = own[own["n_tasks"] == n_tasks].head(1)
        fits = fit(own, curves).account, fit_baseline(own, curves)
        rows.append([seed, *(float(each.transition(at)[0]) / observed[seed] for each in fits)])
    return pd.DataFrame(rows, columns=["seed", "account", "baseline"])
