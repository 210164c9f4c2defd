"""What a map shows without a fit: when models stop being uniform, turn, and lose generalization."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def first_settled_step(cells: pd.DataFrame, *, max_weight: float = 0.1, min_steps: int = 5) -> int:
    """Return the first step from which on the mean weight of U stays below `max_weight`.

    Before it, models neither memorize nor generalize. If that step comes late or never, return the
    step that leaves the last `min_steps` steps.
    """
    weights = cells.groupby("step")["weight_u"].mean().sort_index()
    is_settled = weights[::-1].lt(max_weight).cummin()[::-1]
    latest = weights.index[-min(min_steps, len(weights))]
    return int(min(is_settled.idxmax(), latest) if is_settled.any() else latest)


def settled_cells(cells: pd.DataFrame, *, max_weight: float = 0.1) -> pd.DataFrame:
    """Return the cells of each kind and task diversity from its `first_settled_step` on.

    Early in training a model passes from U to wherever it goes. On this way it may stand nearer to
    the memorizer than to G without ever having been near G, so no transition from G to the
    memorizer may be read there.
    """
    groups = cells.groupby(["kind", "n_tasks"], sort=False)
    settled = [
        group[group["step"] >= first_settled_step(group, max_weight=max_weight)]
        for _, group in groups
    ]
    return pd.concat(settled).sort_index()


def crossings(cells: pd.DataFrame) -> pd.DataFrame:
    """Return where models turn from G to the memorizer: kind, n_tasks, seed, step, why.

    `step` is the first of the `settled_cells` at which the share reaches one half, interpolated
    between logarithms of checkpoints. It is NaN if the share is above one half when the model
    leaves U (`why`: sooner), stays below (later), or is undetermined.
    """
    rows = []
    for group, run_cells in settled_cells(cells).groupby(["kind", "n_tasks", "seed"], sort=False):
        run_cells = run_cells.sort_values("step").dropna(subset="share")
        is_above = (run_cells["share"] >= 0.5).to_numpy()
        log_steps, shares = np.log(run_cells["step"].to_numpy()), run_cells["share"].to_numpy()
        step, why = np.nan, ""
        if not is_above.any():
            why = "later" if len(run_cells) else "undetermined"
        elif is_above[0]:
            why = "sooner"
        else:
            i = int(is_above.argmax())
            step = float(np.exp(np.interp(0.5, shares[i - 1 : i + 1], log_steps[i - 1 : i + 1])))
        rows.append((*group, step, why))
    return pd.DataFrame(rows, columns=["kind", "n_tasks", "seed", "step", "why"])


def mean_crossings(crossings: pd.DataFrame) -> pd.DataFrame:
    """Return n_tasks and step: the geometric mean of the crossings, if every seed has one."""
    log_steps = np.log(crossings.set_index("n_tasks")["step"]).groupby("n_tasks")
    means = log_steps.agg(lambda seeds: seeds.mean(skipna=False))
    return np.exp(means.dropna()).rename("step").reset_index()


def slopes(crossings: pd.DataFrame) -> pd.Series:
    """Return d ln N / d ln D of the crossings by seed, for seeds with at least two crossings."""
    by_seed = {}
    for seed, rows in crossings.dropna(subset="step").groupby("seed"):
        if len(rows) > 1:
            log_tasks, log_steps = (
                np.log(rows[name].to_numpy(float)) for name in ("n_tasks", "step")
            )
            by_seed[seed] = np.polyfit(log_tasks, log_steps, 1)[0]
    return pd.Series(by_seed, dtype=float)


def dips(cells: pd.DataFrame) -> pd.DataFrame:
    """Return whether generalizing is transient: it is if `kl_out` first falls and then rises.

    Only `settled_cells` count, because what a model loses falls in any case while it leaves U.
    Columns: kind, n_tasks, seed, step, least, last, fall (first − least), rise (last − least). We
    locate the minimum on the *other* seeds (leave-one-out), so that the choice of this step does
    not enlarge the rise. With a single seed, its own minimum is used, and every rise is positive.
    """
    rows = []
    for (kind, n_tasks), group in settled_cells(cells).groupby(["kind", "n_tasks"], sort=False):
        wide = group.pivot(index="step", columns="seed", values="kl_out")
        for seed in wide:
            others = wide.drop(columns=seed) if wide.shape[1] > 1 else wide
            step = others.mean(axis=1).idxmin()
            first, least, last = wide[seed].iloc[0], wide.loc[step, seed], wide[seed].iloc[-1]
            rows.append((kind, n_tasks, seed, step, least, last, first - least, last - least))
    columns = ["kind", "n_tasks", "seed", "step", "least", "last", "fall", "rise"]
    return pd.DataFrame(rows, columns=columns)


def late_changes(cells: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return how a column changes from half of the steps to the last: n_tasks, seed, change.

    The value at half of the steps is interpolated between logarithms of checkpoints.
    """
    rows = []
    for (n_tasks, seed), own in cells.groupby(["n_tasks", "seed"]):
        own = own.sort_values("step")
        steps, values = own["step"].to_numpy(float), own[column].to_numpy(float)
        half = np.interp(np.log(steps[-1] / 2), np.log(steps), values)
        rows.append((n_tasks, seed, values[-1] - half))
    return pd.DataFrame(rows, columns=["n_tasks", "seed", "change"])


def delays(cells: pd.DataFrame, *, base: str, shares: Sequence[float]) -> pd.DataFrame:
    """Return by which factor other alphabets reach a loss later than `base` does.

    Columns: seed, alphabet, share, factor. `cells` are maps with the column alphabet. The loss is
    `kl_in`, and its levels are `shares` of the distance from G to the memorizer (`apart`). A curve
    passes a level where a line between checkpoints first does, on logarithmic axes; the factor is
    NaN if a curve does not reach the level.
    """
    rows = []
    for seed, own in cells.groupby("seed"):
        wide = own.pivot(index="step", columns="alphabet", values="kl_in").sort_index()
        for share in shares:
            level = share * float(own["apart"].iloc[0])
            steps = {name: _first_passage(wide[name], level) for name in wide}
            factors = {name: step / steps[base] for name, step in steps.items() if name != base}
            rows += [(seed, name, share, factor) for name, factor in factors.items()]
    return pd.DataFrame(rows, columns=["seed", "alphabet", "share", "factor"])


def _first_passage(losses: pd.Series, level: float) -> float:
    """Return the step at which losses, indexed by step, first fall to a level; NaN if never."""
    is_reached = (losses <= level).to_numpy()
    if not is_reached.any():
        return float("nan")
    i = int(is_reached.argmax())
    if i == 0:
        return float(losses.index[0])
    log_steps, log_losses = np.log(losses.index[i - 1 : i + 1]), np.log(losses.iloc[i - 1 : i + 1])
    return float(np.exp(np.interp(-np.log(level), -log_losses.to_numpy(), log_steps.to_numpy())))
