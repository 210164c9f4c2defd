"""Where models stand: how far from G, M and S, by row and by counts, and what they have captured.

Models read every sequence with one embedding table, as in training, unless a column says otherwise.
The models of one training urn see the same sequences. Units are nats.
"""

from collections.abc import Sequence

import pandas as pd
import torch

from lexurn import models
from lexurn.base import divergences
from lexurn.base.seeding import generator
from lexurn.base.shapes import Predictor
from lexurn.measures import comparison, intervals, memorization
from lexurn.predictors.counting import prefix_counts
from lexurn.runs.run import Run

SPLITS = {"in_distribution": "in distribution", "out_of_distribution": "on fresh urns"}

EDGES = (-2.0, -0.6, -0.4, -0.2, -0.1, 0.0, 0.1, 0.2, 2.0)
"""Bounds of the groups of sequences, in nats of entropy."""


def standings(runs: Sequence[Run]) -> pd.DataFrame:
    """Return one row per run: the share of the memorizer's advantage that the model lacks.

    kind, seed
    missing       1 − captured, in distribution
    low, high     its 95 % bootstrap interval over sequences
    averaged      the same if a lexical model averages its predictions over several tables
    """
    rows = []
    for run in runs:
        tokens, model = run.splits["in_distribution"], _as_trained(run)
        memorizer = run.references[run.settings.memorizing]
        counter = memorization.best_generalizing(run.pool, tokens.shape[1])
        kls = [divergences.kl(memorizer(tokens), other(tokens)) for other in (model, counter)]
        interval = intervals.bootstrap(
            *map(comparison.mean_over_rows, kls),
            statistic=lambda model, counter, axis: model.mean(axis) / counter.mean(axis),
            generator=generator(0, "missing share"),
        )
        shares = {
            name: 1 - memorization.captured(predictor, memorizer, run.pool, tokens)
            for name, predictor in {"missing": model, "averaged": run.predictor}.items()
        }
        rows.append(_identity(run) | shares | {"low": interval.low, "high": interval.high})
    return pd.DataFrame(rows)


def distances(runs: Sequence[Run]) -> pd.DataFrame:
    """Return each run's distance from each reference: kind, seed, split, reference, mean."""
    by = ["kind", "seed", "split", "reference"]
    return distances_by_row(runs).groupby(by, sort=False)["mean"].mean().reset_index()


def distances_by_row(runs: Sequence[Run]) -> pd.DataFrame:
    """Return the same at every row from 1 on, in the column `row`."""
    parts = []
    for run in runs:
        model = _as_trained(run)
        for split, name in SPLITS.items():
            tokens = run.splits[split]
            for reference, predictor in run.references.items():
                means = comparison.distance(predictor, model, tokens)[:, 1:].mean(0).tolist()
                table = pd.DataFrame({"row": range(1, tokens.shape[1]), "mean": means})
                parts.append(table.assign(**_identity(run), split=name, reference=reference))
    return pd.concat(parts, ignore_index=True)


def by_counts(runs: Sequence[Run]) -> pd.DataFrame:
    """Return distances at the last row, on fresh urns, for groups of sequences with similar counts.

    The groups depend on the counts alone: on the entropy of the frequencies of the balls seen, less
    the entropy of the training urn (`x`, its mean in the group). A number is averaged over the
    sequences of each run and then over runs. Columns: kind, reference (`generalizing`,
    `symmetrized`, or `G to S` for the distance between these two), x, mean, sem, n (runs).
    """
    parts = []
    for run in runs:
        tokens, model = run.splits["out_of_distribution"], _as_trained(run)
        counts = prefix_counts(tokens, run.settings.task.n_colors)[:, -1]
        frequencies = counts / counts.sum(-1, keepdim=True)
        flatter = _entropy(frequencies) - _entropy(run.pool).mean()
        table = pd.DataFrame({"x": flatter.numpy()})
        g, s = (run.references[name] for name in ("generalizing", "symmetrized"))
        pairs = {"generalizing": (model, g), "symmetrized": (model, s), "G to S": (g, s)}
        for name, pair in pairs.items():
            table[name] = comparison.distance(*pair, tokens)[:, -1].numpy()
        groups = table.groupby(pd.cut(table["x"], EDGES, labels=False)).mean()
        parts.append(groups.rename_axis("group").reset_index().assign(**_identity(run)))
    named = ["kind", "group", "seed", "x"]
    table = pd.concat(parts).melt(named, var_name="reference", value_name="distance")
    groups = table.groupby(["kind", "reference", "group"], sort=False)
    columns = {"mean": ("distance", "mean"), "sem": ("distance", "sem"), "n": ("seed", "count")}
    return groups.agg(x=("x", "mean"), **columns).reset_index().sort_values("group", kind="stable")


def _entropy(probs: torch.Tensor) -> torch.Tensor:
    return -torch.special.xlogy(probs, probs).sum(-1)


def _as_trained(run: Run) -> Predictor:
    return models.as_trained_predictor(run.model, seed=run.settings.training.seed)


def _identity(run: Run) -> dict[str, str | int]:
    return {"kind": run.settings.kind, "seed": run.settings.training.seed}
