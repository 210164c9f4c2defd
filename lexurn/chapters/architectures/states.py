"""What a state of fixed size leaves to be known, on urns whose colours have no names.

    share_left(run)                the excess of a model over S, as a share of the uniform excess
    shares_left(grid, trained)     the same for a grid, with the numbers that a state keeps
    differences(table, …)          of two states, paired by seeds

The share is 0 for S and 1 for a predictor that knows nothing but the number of colours. It makes
urns comparable, for which S gains more or less.
"""

from collections.abc import Sequence
from math import log

import pandas as pd

from lexurn.chapters.architectures import costs
from lexurn.chapters.architectures.learning import eval_split, regret_along_training
from lexurn.measures import evaluation
from lexurn.runs.run import Run
from lexurn.runs.sweeps import Sweep

ALPHABETS = {1: "one alphabet", 0: "all alphabets"}
"""What numbers of alphabets are called; the others are called by the number."""


def share_left(run: Run) -> float:
    """Return the excess at the last step over that of the uniform predictor on these sequences.

    Every sequence is read with one table, as in training.
    """
    split = eval_split(run)
    loss = evaluation.select(run.results, split=split, measure="loss")["mean"].item()
    regret = evaluation.select(run.results, split=split, measure="regret")["mean"]
    of_uniform = log(run.task.vocab_size) - (loss - regret[run.task.optimum])
    return float(regret_along_training(run)["value"].iloc[-1] / of_uniform)


def shares_left(grid: Sweep, trained: Sequence[Run]) -> pd.DataFrame:
    """Return model, n_colors, numbers (kept by a layer), alphabets, seed and value (the share).

    `trained` are runs of points of the grid, in any number.
    """
    rows = []
    for run in trained:
        settings = run.settings
        n_sets = grid.coordinates[settings.name]["n_alphabets"]
        numbers = costs.state_size(settings.backbone, settings.task.context_length)
        cell = (settings.backbone.name, settings.task.n_colors, numbers)
        name = ALPHABETS.get(n_sets, f"{n_sets} alphabets")
        rows.append((*cell, name, settings.training.seed, share_left(run)))
    columns = ["model", "n_colors", "numbers", "alphabets", "seed", "value"]
    return pd.DataFrame(rows, columns=columns)


def differences(
    table: pd.DataFrame, small: int, large: int, *, n_colors: int, alphabets: str
) -> pd.Series:
    """Return by seed what a state of `small` numbers leaves more than one of `large` numbers.

    `table` is that of `shares_left` for one model. Seeds that lack one of the two are left out.
    """
    part = table[(table["n_colors"] == n_colors) & (table["alphabets"] == alphabets)]
    wide = part.pivot(index="seed", columns="numbers", values="value")
    wide = wide.reindex(columns=[small, large]).dropna()
    return (wide[small] - wide[large]).rename("value")
