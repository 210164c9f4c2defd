"""A learning rate that moves once an epoch, with a warm-up that is counted in steps.

An inverse-square-root schedule rises over `warmup` updates and falls as √(warmup / n) after them.
If n counts epochs, a training of a few hundred epochs never ends its warm-up of 1000. With one
batch an epoch, epochs are steps and nothing is wrong.
"""

import pandas as pd


def rate_factor(n: int, warmup: int) -> float:
    """Return the factor on the peak rate after n updates of the schedule."""
    return n / warmup if n < warmup else (warmup / n) ** 0.5


def factors(steps: list[int], *, warmup: int, steps_per_epoch: int) -> pd.DataFrame:
    """Return the factors of both schedules: step, who, factor."""
    rows = []
    for step in steps:
        rows.append((step, "once an epoch", rate_factor(step // steps_per_epoch, warmup)))
        rows.append((step, "every step", rate_factor(step, warmup)))
    return pd.DataFrame(rows, columns=["step", "who", "factor"])


def pairs(step: int, *, warmup: int, steps_per_epoch: int) -> pd.DataFrame:
    """Return a pair: the factor at one step, as published and as meant."""
    both = factors([step], warmup=warmup, steps_per_epoch=steps_per_epoch)["factor"]
    return pd.DataFrame({"unit": [step], "published": both[:1], "corrected": both[1:].to_numpy()})
