"""What a map shows by itself: when models are no longer uniform, when they turn, and when what was learned is lost."""

import numpy as np
import pandas as pd


def settled(cells: pd.DataFrame, *, most: float = 0.1, leave: int = 5) -> int:
    """The first step from which on U has on average less than this weight in the models: what is before is neither
    memorizing nor generalizing yet. Where that comes late or never, such that the last `leave` steps remain."""
    weights = cells.groupby("step")["weight_u"].mean().sort_index()
    late = weights[::-1].lt(most).cummin()[::-1]
    last = weights.index[-min(leave, len(weights))]
    return int(min(late.idxmax(), last) if late.any() else last)


def crossings(cells: pd.DataFrame, *, since: int = 0) -> pd.DataFrame:
    """Where models turn from G to the memorizer: kind, n_tasks, seed, step, and where that is unknown why.

    `step`: at which the share passes one half for the first time after `since`, between two kept steps by their
    logarithms; NaN where it was above from the start (`why`: sooner), stays below (later), or was undetermined.
    """
    lines = []
    for of, mine in cells[cells["step"] >= since].groupby(["kind", "n_tasks", "seed"], sort=False):
        mine = mine.sort_values("step").dropna(subset="share")
        above, steps, shares = (
            (mine["share"] >= 0.5).to_numpy(),
            np.log(mine["step"]),
            mine["share"].to_numpy(),
        )
        line = {
            **dict(zip(("kind", "n_tasks", "seed"), of, strict=True)),
            "step": np.nan,
            "why": "",
        }
        if not above.any():
            line["why"] = "later" if len(mine) else "undetermined"
        elif above[0]:
            line["why"] = "sooner"
        else:
            i = int(above.argmax())
            line["step"] = float(
                np.exp(np.interp(0.5, shares[i - 1 : i + 1], steps.iloc[i - 1 : i + 1]))
            )
        lines.append(line)
    return pd.DataFrame(lines)


def half_way(crossed: pd.DataFrame) -> pd.DataFrame:
    """n_tasks and step: the geometric mean over seeds of their crossings, where every seed has one."""
    logs = (
        np.log(crossed.set_index("n_tasks")["step"])
        .groupby("n_tasks")
        .agg(lambda each: each.mean(skipna=False))
    )
    return np.exp(logs.dropna()).rename("step").reset_index()


def slopes(crossed: pd.DataFrame) -> pd.Series:
    """How steeply ln N at the crossing grows with ln D: a line's slope for each seed with two crossings or more."""
    found = {
        seed: np.polyfit(
            np.log(mine["n_tasks"].to_numpy(float)), np.log(mine["step"].to_numpy(float)), 1
        )[0]
        for seed, mine in crossed.dropna(subset="step").groupby("seed")
        if len(mine) > 1
    }
    return pd.Series(found, dtype=float)


def dips(cells: pd.DataFrame) -> pd.DataFrame:
    """Is generalizing transient? kind, n_tasks, seed, step, least, last, fall = first − least, and rise = last − least,
    of `kl_out`; transient is what first falls and then rises.

    The step is where the *other* seeds are nearest to G on average, so that a curve that only wavers does not rise on
    average; of a single seed it is its own least, which makes every rise positive.
    """
    lines = []
    for (kind, n_tasks), mine in cells.groupby(["kind", "n_tasks"], sort=False):
        wide = mine.pivot(index="step", columns="seed", values="kl_out")
        for seed in wide:
            others = wide.drop(columns=seed) if wide.shape[1] > 1 else wide
            step = others.mean(axis=1).idxmin()
            least, last = wide.loc[step, seed], wide[seed].iloc[-1]
            of = {"kind": kind, "n_tasks": n_tasks, "seed": seed, "step": step}
            fall = wide[seed].iloc[0] - least
            lines.append({**of, "least": least, "last": last, "fall": fall, "rise": last - least})
    return pd.DataFrame(lines)
