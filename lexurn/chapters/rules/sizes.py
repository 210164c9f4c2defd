"""Transformers of several sizes: which learning rate each is trained with, and what it keeps.

Every size has its own learning rate for each positional encoding: the rate of `rules_rates` with
the least validation loss. `rules_sizes` trains other seeds with these rates.

    chosen_rates(losses)              the rate of each size, from losses of the tuning grid
    rate_mistakes(losses, grid)       where a grid's rates or seeds are not as they should be
    shares_by_size(maps, by_prompt)   what is kept, and what explains it, one value per seed
"""

import pandas as pd

from lexurn import runs
from lexurn.chapters.rules.decisions import explained
from lexurn.runs.sweeps import Sweep
from lexurn.settings import Settings

VARIED = ("n_layers", "d_model", "n_heads", "learning_rate")
"""The settings that differ between the points of the two grids, beside positions and seeds."""

CELL = ["n_layers", "d_model", "n_heads", "positions"]

EXPLAINED = "P(EOS) explained"
KEPT = "rule 1 kept"


def describe_point(point: Settings) -> dict[str, int | float | str]:
    """Return the size, the positional encoding, the learning rate and the seed of a point."""
    flat = point.flat()
    return {name: flat[name] for name in (*CELL, "learning_rate", "seed")}


def validation_losses(tuning: Sweep) -> pd.DataFrame:
    """Return the least validation loss of each run of the tuning grid, in the column `loss`."""
    rows = []
    for point in tuning.points:
        loss = runs.load(point.name).metrics["validation_loss"].min()
        rows.append(describe_point(point) | {"loss": loss})
    return pd.DataFrame(rows)


def chosen_rates(losses: pd.DataFrame) -> pd.DataFrame:
    """Return the learning rate of each size and positional encoding: that of the least mean loss.

    `losses` is the table of `validation_losses`; the mean is over seeds. The column `is_edge` says
    whether the grid has no larger, or no smaller, rate.
    """
    rates = losses["learning_rate"]
    means = losses.groupby([*CELL, "learning_rate"], sort=False)["loss"].mean().reset_index()
    best = means.loc[means.groupby(CELL, sort=False)["loss"].idxmin()]
    is_edge = best["learning_rate"].isin([rates.min(), rates.max()])
    return best.assign(is_edge=is_edge).reset_index(drop=True)


def rate_mistakes(losses: pd.DataFrame, grid: Sweep) -> list[str]:
    """Return one message for each size of a grid whose learning rate was not chosen by tuning.

    A seed that took part in the tuning is a mistake as well, and so is a size of only one of the
    two grids.
    """
    chosen = chosen_rates(losses).set_index(CELL)["learning_rate"]
    trained = pd.DataFrame(map(describe_point, grid.points))
    used = trained.groupby(CELL, sort=False)["learning_rate"].agg(lambda rates: sorted(set(rates)))
    messages = [
        f"{cell}: the grid has the rates {used.get(cell, [])}, tuning chose {chosen.get(cell)}"
        for cell in chosen.index.union(used.index)
        if used.get(cell, []) != [chosen.get(cell)]
    ]
    shared = set(trained["seed"]) & set(losses["seed"])
    return messages + [f"seed {seed} took part in the tuning" for seed in sorted(shared)]


def shares_by_size(maps: pd.DataFrame, by_prompt: pd.DataFrame) -> pd.DataFrame:
    """Return what each run keeps of rule 1 and what explains its P(EOS): model, size, what, value.

    `maps` and `by_prompt` are a grid's tables of `ending_map` and of `rates_by_prompt`, whose
    models have names such as `rotary, 7 layers`. `what` is `EXPLAINED` (the share of the variance
    of P(EOS) after a b that whether the b's have caught up explains) or `KEPT` (the share of
    prompts). Further columns: seed.
    """
    accounts = explained(maps)
    accounts = accounts[accounts["explanation"] == "whether b's have caught up"]
    greedy = by_prompt[by_prompt["decoding"] == "greedy"]
    kept = greedy.groupby(["model", "seed"], sort=False)["value"].mean().reset_index()
    table = pd.concat([accounts.assign(what=EXPLAINED), kept.assign(what=KEPT)], ignore_index=True)
    table[["model", "size"]] = table["model"].str.split(", ", n=1, expand=True).to_numpy()
    return table[["model", "size", "what", "seed", "value"]]


def size_values(shares: pd.DataFrame, base: str, deep: str) -> dict[str, pd.Series]:
    """Return the values of the forecasts on sizes by seed, from the table of `shares_by_size`.

    `base` and `deep` are the names of the sizes with the fewest and the most layers.
    """
    wide = shares.pivot(index=["what", "seed", "size"], columns="model", values="value")
    explained_by, kept = wide.loc[EXPLAINED], wide.loc[KEPT]
    difference = (explained_by["rotary"] - explained_by["transformer"]).groupby("seed").min()
    rotary = explained_by["rotary"].unstack("size")
    return {
        "sizes_explained_least_difference": difference,
        "sizes_rotary_explained_least": rotary.min(axis=1),
        "sizes_learned_explained_most": explained_by["transformer"].groupby("seed").max(),
        "sizes_rotary_deep_minus_shallow": rotary[deep] - rotary[base],
        "sizes_kept_difference": (kept["rotary"] - kept["transformer"]).groupby("seed").mean(),
    }
