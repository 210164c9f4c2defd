"""Which exact predictor did a model become? Divergences from several, and the verdict.

Candidates are the optimum of a task, and what simpler predictors do. For urns without names: S, G,
and B_ε, a memorizer with doubt whose ε is fitted to the model on half of the fresh sequences. For
all tasks without names, and for coins: the best predictor whose logits are linear. For strings: the
best predictor that knows the row and the last letter alone.

The divergence is KL(candidate ‖ model): finite also where a candidate excludes a token. It is in
nats, per ball or flip as a mean over rows 1 … C, per string as a sum over rows. A model without
names reads every sequence with one table, as in training.
"""

from math import isnan

import numpy as np
import pandas as pd

from lexurn import models
from lexurn.base import divergences
from lexurn.base.shapes import Predictor
from lexurn.chapters.architectures import histories
from lexurn.chapters.architectures.learning import eval_split
from lexurn.chapters.architectures.simple_predictors import LastLetter, LinearCounts, LinearStrings
from lexurn.measures import intervals, memorization
from lexurn.predictors import Uniform
from lexurn.runs.run import Run

OPTIMA = ("generalizing", "symmetrized", "oracle", "relabelled")


def candidates(run: Run, model: Predictor) -> dict[str, Predictor]:
    """Return the exact predictors, by name, that a model of this run is compared with.

    `model` is the run's model; B_ε (`doubt`) is fitted to it.
    """
    rows = histories.task_rows(run.settings)
    named = {name: run.references[name] for name in OPTIMA if name in run.references}
    if run.settings.task.n_special:
        named = {run.task.optimum: run.references[run.task.optimum]}
        linear = {} if run.settings.kind == "normal" else {"linear logits": LinearStrings(rows)}
        return named | linear | {"last letter": LastLetter(rows)}
    if "symmetrized" in named:
        fresh = run.splits["out_of_distribution"]
        ends = {name: run.references[name] for name in ("generalizing", "symmetrized")}
        fit = memorization.fit_doubt(
            model, ends, fresh[: len(fresh) // 2], memorizing="symmetrized"
        )
        named["doubt"] = memorization.with_doubt(fit, ends, memorizing="symmetrized")
    return named | {"linear logits": LinearCounts(rows), "uniform": Uniform(run.task.vocab_size)}


def distances(run: Run) -> pd.DataFrame:
    """Return where, candidate and value: KL(candidate ‖ model) of a run's model.

    `where` is `in distribution`, for urns also `fresh urns`: the half of the fresh sequences that
    B_ε is not fitted to.
    """
    model = models.as_trained_predictor(run.model, seed=run.settings.training.seed)
    named = candidates(run, model)
    parts = {"in distribution": run.splits[eval_split(run)]}
    if "doubt" in named:
        fresh = run.splits["out_of_distribution"]
        parts["fresh urns"] = fresh[len(fresh) // 2 :]
    table = []
    for where, tokens in parts.items():
        log_model = divergences.as_double(model(tokens))
        for name, candidate in named.items():
            values = divergences.kl(divergences.as_double(candidate(tokens)), log_model)
            is_string = run.settings.task.n_special > 0
            value = values.sum(1).mean() if is_string else values[:, 1:].mean()
            table.append((where, name, value.item()))
    return pd.DataFrame(table, columns=["where", "candidate", "value"])


def verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Return the nearest candidate of each cell and those that cannot be told from it.

    `table` has data, model, where, candidate, seed and value. Columns: data, model, where, nearest,
    rivals (names, joined by `or`), value (geometric mean distance of the nearest), n. A rival is
    a candidate for which the 95 % t interval of the mean of ln(distance / distance of the nearest),
    paired by seeds, contains zero. With fewer than three seeds, every candidate is a rival.
    """
    rows = []
    for cell, group in table.groupby(["data", "model", "where"], sort=False):
        logs = np.log(group.pivot(index="seed", columns="candidate", values="value"))
        nearest = logs.mean().idxmin()
        rivals = []
        for name in logs.columns.drop(nearest):
            interval = intervals.t_interval((logs[name] - logs[nearest]).tolist())
            if isnan(interval.low) or interval.low <= 0:
                rivals.append(name)
        value = float(np.exp(logs[nearest].mean()))
        rows.append((*cell, nearest, " or ".join(rivals), value, len(logs)))
    columns = ["data", "model", "where", "nearest", "rivals", "value", "n"]
    return pd.DataFrame(rows, columns=columns)
