"""What a state of fixed size leaves to be known, on urns whose colours have no names.

    share_left(run)                the excess of a model over S, as a share of the uniform excess
    shares_left(runs)              the same for many runs, with the numbers that a state keeps
    by_seed(table, numbers, …)     the shares of one size of state
    ratio(first, second)           of two such series, paired by seeds

The share is 0 for S and 1 for a predictor that knows nothing but the number of colours. It makes
urns comparable, for which S gains more or less.
"""

from collections.abc import Sequence
from math import log

import pandas as pd

from lexurn.chapters.architectures import costs
from lexurn.chapters.architectures.learning import eval_split, regret_along_training
from lexurn.measures import evaluation, intervals
from lexurn.measures.intervals import Interval
from lexurn.runs.run import Run

ALPHABETS = {1: "one alphabet", 0: "all alphabets"}
"""What numbers of alphabets are called; the others are called by the number."""

MIN_SHARE = 1e-4


def share_left(run: Run) -> float:
    """Return the excess at the last step over that of the uniform predictor on these sequences.

    Every sequence is read with one table, as in training.
    """
    split = eval_split(run)
    loss = evaluation.select(run.results, split=split, measure="loss")["mean"].item()
    regret = evaluation.select(run.results, split=split, measure="regret")["mean"]
    of_uniform = log(run.task.vocab_size) - (loss - regret[run.task.optimum])
    return float(regret_along_training(run)["value"].iloc[-1] / of_uniform)


def shares_left(trained: Sequence[Run]) -> pd.DataFrame:
    """Return the share left of every run, with what it was trained on.

    Columns: model, n_colors, numbers (that a layer keeps), alphabets, rate, seed, and value.
    """
    rows = []
    for run in trained:
        settings = run.settings
        n_sets = settings.vocabulary.n_alphabets
        numbers = costs.state_size(settings.backbone, settings.task.context_length)
        cell = (settings.backbone.name, settings.task.n_colors, numbers)
        name = ALPHABETS.get(n_sets, f"{n_sets} alphabets")
        train = settings.training
        rows.append((*cell, name, train.learning_rate, train.seed, share_left(run)))
    columns = ["model", "n_colors", "numbers", "alphabets", "rate", "seed", "value"]
    return pd.DataFrame(rows, columns=columns)


def by_seed(table: pd.DataFrame, numbers: int, *, n_colors: int, alphabets: str) -> pd.Series:
    """Return by seed the share that a state of so many numbers leaves; empty if none was trained.

    `table` is that of `shares_left` for one model and one rate of each size.
    """
    part = table[(table["n_colors"] == n_colors) & (table["alphabets"] == alphabets)]
    return part[part["numbers"] == numbers].set_index("seed")["value"]


def ratio(first: pd.Series, second: pd.Series) -> Interval:
    """Return the geometric mean of first / second over the seeds that both have.

    A share below `MIN_SHARE` counts as `MIN_SHARE`: a sample may leave a model less than S.
    """
    both = pd.concat([first, second], axis=1, join="inner").clip(lower=MIN_SHARE)
    return intervals.ratio_interval(both.iloc[:, 0].tolist(), both.iloc[:, 1].tolist())
