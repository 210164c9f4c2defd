"""Curves along training: what they measure, and under how many random tables.

A lexical model is evaluated along training with one random table per sequence, as it is trained.
Its final table averages probabilities over several tables, which is another quantity: an average is
nearer to every reference than its members are. Runs that were trained before this distinction have
curves of the average. The column `n_tables` of a run's metrics says which of the two a row is: the
number of tables that were averaged, 0 for a model without random tables. The other columns are
step, learning_rate, train_loss, validation_loss, and the means of `evaluate_means`.
"""

from collections.abc import Mapping
from math import inf

import pandas as pd

from lexurn.base.shapes import Predictor, Tokens
from lexurn.measures import evaluation


def evaluate_means(
    predictor: Predictor,
    references: Mapping[str, Predictor],
    splits: Mapping[str, Tokens],
    *,
    first_row: int = 1,
    batch_size: int | None = None,
) -> dict[str, float]:
    """Return the mean loss and the mean distances from every reference, without standard errors.

    They are named `<split>/<measure>/<reference>`, and `…/last` at the last row. This is the part
    of `evaluate` that is needed along training, where the predictor is known to be causal.
    """
    means: dict[str, dict[str, float]] = {"loss": {}, "symmetrized_kl": {}, "regret": {}}
    for split, tokens in splits.items():
        scores = evaluation.score_split(
            predictor, references, tokens, batch_size=batch_size, check=False
        )
        for (reference, measure), values in scores.items():
            if measure in means:
                name = "/".join(filter(None, [split, measure, reference]))
                means[measure][name] = values[:, first_row:].mean().item()
                means[measure][f"{name}/last"] = values[:, -1].mean().item()
    kl = means["symmetrized_kl"]
    has_kl = any(kl[name] < inf for name in kl if not name.endswith("/last"))
    return means["loss"] | means["symmetrized_kl" if has_kl else "regret"]


def step_label(table: pd.DataFrame) -> str:
    """Return the label of the step axis, which says under how many tables curves were measured.

    Without a column `n_tables`, and for models without random tables, it is "step".
    """
    numbers = sorted(set(table.get("n_tables", pd.Series()).dropna().astype(int)) - {0})
    if len(numbers) > 1:
        return f"step (lexical: {' and '.join(map(str, numbers))} tables, not comparable)"
    return f"step (lexical: {numbers[0]} table{'s' * (numbers[0] > 1)})" if numbers else "step"
