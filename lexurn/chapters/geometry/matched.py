"""Comparisons of models at equal steps and at matched loss.

A model that has learned more has another geometry for that reason alone. So two models are compared
twice: with their last weights, and at the moments of their trainings at which they have the same
loss. The matched loss is the one at which the worst of all runs ends, so that every run has it.
Values between two checkpoints are interpolated in the loss. What is left uncontrolled is the
learning rate, which is higher at the matched moment of a run that learns faster.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lexurn.measures import intervals

HOLDS = {
    (True, True): "at both",
    (True, False): "at equal steps only",
    (False, True): "at matched loss only",
    (False, False): "at neither",
}


def matched_loss(along: pd.DataFrame) -> float:
    """Return the largest last loss of the runs; `along` has tables of `along_training` with the
    columns system and seed."""
    losses = along[(along["measure"] == "loss") & (along["step"] == along["step"].max())]
    return float(losses["value"].max())


def at_loss(along: pd.DataFrame, loss: float) -> pd.DataFrame:
    """Return the values of each run where it first has a loss: system, seed, step, layer, measure,
    value.

    Raises ValueError if a run never has it.
    """
    parts = []
    for (system, seed), part in along.groupby(["system", "seed"], sort=False):
        losses = part[part["measure"] == "loss"].set_index("step")["value"].sort_index()
        below = losses[losses <= loss + 1e-9]
        if below.empty:
            raise ValueError(f"{system}, seed {seed}: its loss does not pass {loss:.4g}")
        after = below.index[0]
        before = losses.index[losses.index <= after][-2:][0]  # itself, if it is the first
        fall = losses[before] - losses[after]
        share = (losses[before] - loss) / fall if fall else 0.0
        wide = part.pivot_table(index=["layer", "measure"], columns="step", values="value")
        values = wide[before] + share * (wide[after] - wide[before])
        step = before + share * (after - before)
        table = values.rename("value").reset_index()
        parts.append(table.assign(system=system, seed=seed, step=step))
    return pd.concat(parts, ignore_index=True)


def at_end(along: pd.DataFrame) -> pd.DataFrame:
    """Return the values of each run with its last weights."""
    return along[along["step"] == along["step"].max()]


def differences(
    table: pd.DataFrame, pairs: Mapping[str, tuple[Sequence[str], Sequence[str]]], layer: int
) -> pd.DataFrame:
    """Return comparison, measure, seed, value: the first systems' mean minus the second systems'.

    `pairs` names each comparison; seeds pair the systems. Only one layer is compared. Layer −1 is
    the last one of each system, which is read out: behind the last norm, if it has one.
    """
    wanted = table.groupby("system")["layer"].transform("max") if layer == -1 else layer
    of_layer = table[table["layer"] == wanted]
    parts = []
    for name, (first, second) in pairs.items():
        means = [
            of_layer[of_layer["system"].isin(systems)].groupby(["measure", "seed"])["value"].mean()
            for systems in (first, second)
        ]
        difference = (means[0] - means[1]).rename("value").reset_index()
        parts.append(difference.assign(comparison=name))
    return pd.concat(parts, ignore_index=True)


def verdicts(
    at_steps: pd.DataFrame, at_matched_loss: pd.DataFrame, measures: Mapping[str, str]
) -> pd.DataFrame:
    """Return what holds where: comparison, measure, holds, and `steps` and `matched`, both pairs
    (mean, standard error).

    A difference holds if its 95 % t interval over seeds excludes zero; if it holds at both with
    different signs, `holds` says so. Both tables are those of `differences`.
    """
    rows = []
    for comparison in at_steps["comparison"].unique():
        for measure, name in measures.items():
            estimates = []
            for table in (at_steps, at_matched_loss):
                is_own = (table["comparison"] == comparison) & (table["measure"] == measure)
                estimates.append(intervals.t_interval(table.loc[is_own, "value"].tolist()))
            signs = [estimate.sign for estimate in estimates]
            holds = HOLDS[bool(signs[0]), bool(signs[1])]
            if None in signs:
                holds = "too few seeds"
            elif np.prod(signs) < 0:
                holds = "at both, reversed"
            cells = [(estimate.value, estimate.error) for estimate in estimates]
            row = {"comparison": comparison, "measure": name, "steps": cells[0]}
            rows.append(row | {"matched": cells[1], "holds": holds})
    return pd.DataFrame(rows)
