"""How the step of the largest mean cosine follows the step nearest to the unigram.

    factors_of(turning)      the factors between the two steps of one norm placement, with intervals
    factor(logs)             the geometric mean of factors, by their logarithms over seeds

The steps are those of `trajectories.turning_points`. Placements are judged one by one, because the
mean of an early and a late collapse may lie at the unigram although none of the two does.
"""

from math import exp

import numpy as np
import pandas as pd

from lexurn.measures import intervals
from lexurn.measures.intervals import Interval


def factors_of(turning: pd.DataFrame) -> dict[str, Interval]:
    """Return `ratio`, `collapse`, `unigram` and `follows`, each with its 95 % interval over seeds.

    `ratio` is the step of the largest cosine over the step nearest to the unigram (mean of the
    warm-ups). `collapse` and `unigram` are what the longest warm-up delays the two by, compared
    with the shortest one, and `follows` is the ratio of the two delays.
    """
    logs = np.log(turning.set_index(["seed", "warmup"])[["collapse", "unigram"]])
    ratio = (logs["collapse"] - logs["unigram"]).groupby("seed").mean()
    ends = logs.index.get_level_values("warmup")
    delays = logs.xs(ends.max(), level="warmup") - logs.xs(ends.min(), level="warmup")
    return {
        "ratio": factor(ratio),
        "collapse": factor(delays["collapse"]),
        "unigram": factor(delays["unigram"]),
        "follows": factor(delays["collapse"] - delays["unigram"]),
    }


def factor(logs: pd.Series) -> Interval:
    """Return the factor exp(mean of `logs`) with its 95 % t interval; one logarithm per seed."""
    each = intervals.t_interval(logs.tolist())
    value, low, high = (exp(number) for number in (each.value, each.low, each.high))
    return Interval(value, low, high, each.n, value * each.error)
