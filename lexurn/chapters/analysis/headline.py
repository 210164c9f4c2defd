"""Does lexical invariance make models generalize? Models of many urns, compared with G, M and S.

    published_scores    the score of the published experiment, which sees the last row alone
    memorized           how much of its training urn a model has memorized, in distribution
    doubts              the doubt with which it did (`measures.memorization`, B_ε)
    along               where models are between G and S along their trainings
    standings           distances on fresh urns over all trained rows

"The memorizer" is M for normal models and S for the others. Units are nats. `memorized` and
`doubts` read every sequence with one table, as in training; `standings` averages tables.
"""

from collections.abc import Callable, Sequence
from math import log

import numpy as np
import pandas as pd

from lexurn import models
from lexurn.base.seeding import generator
from lexurn.base.shapes import Predictor, Tokens
from lexurn.measures import comparison, evaluation, intervals, memorization
from lexurn.measures.intervals import Interval
from lexurn.predictors import Uniform
from lexurn.runs.run import Run

N_BALLS = 30
N_SETS = 4  # the published protocol has 1
N_URNS = 10
N_SEQUENCES = 25

FRESH = "out_of_distribution"


def published_scores(runs: Sequence[Run]) -> pd.DataFrame:
    """Return the published score of each model and reference: who, n_colors, seed, mean, sem, n.

    `who` is a kind of model or a reference and `seed` identifies the training urn. `n` counts fresh
    urns, each with a few sequences, and `sem` is over urns. `one_table` is the mean score if a
    lexical model reads each sequence with one table, as published; `mean` averages tables. The
    models of one training urn (one model per kind) and their references are scored on the same
    sequences.
    """
    groups: dict[tuple[int, int], list[Run]] = {}
    for run in runs:
        key = (run.settings.task.n_colors, run.settings.training.seed)
        groups.setdefault(key, []).append(run)
    rows = []
    for (n_colors, seed), group in groups.items():
        tokens = comparison.headline_sequences(
            group[0].task.prior,
            n_balls=N_BALLS,
            n_urns=N_SETS * N_URNS,
            n_sequences=N_SEQUENCES,
            generator=generator(seed, "headline"),
        )
        predictors = {run.settings.kind: run.predictor for run in group}
        predictors |= group[0].task.references()
        single = {run.settings.kind: as_trained(run) for run in group}
        for name, predictor in predictors.items():
            scores = comparison.headline_scores(predictor, tokens)
            urn_means = scores.view(-1, N_SEQUENCES).mean(1)
            mean, sem = intervals.mean_and_sem(urn_means)
            row = {"who": name, "n_colors": n_colors, "seed": seed, "mean": mean, "sem": sem}
            one_table = comparison.headline_scores(single.get(name, predictor), tokens).mean()
            rows.append({**row, "n": len(urn_means), "one_table": one_table.item()})
    return pd.DataFrame(rows)


def as_trained(run: Run) -> Predictor:
    """Return a run's model as a predictor that reads each sequence with one table."""
    return models.as_trained_predictor(run.model, seed=run.settings.training.seed)


def memorized(runs: Sequence[Run]) -> pd.DataFrame:
    """Return one row per run: how much of its training urn the model has memorized.

    name, kind, n_colors, seed, n_steps
    deficit           ln(1 − captured) in distribution, against the best add-α rule
    relative          relative distance in distribution, from −1 (G) to +1 (the memorizer)
    relative_fresh    the same on fresh urns
    """
    return pd.DataFrame([_memorized(run) for run in runs])


def _memorized(run: Run) -> dict[str, object]:
    model, inside = as_trained(run), run.splits["in_distribution"]
    ends = run.references["generalizing"], run.references[run.settings.memorizing]
    captured = memorization.captured(model, ends[1], run.pool, inside)
    row = _identity(run) | {"n_steps": run.settings.training.n_steps, "deficit": log(1 - captured)}
    for column, split in (("relative", "in_distribution"), ("relative_fresh", FRESH)):
        tokens = run.splits[split]
        to_g, to_memorizer = (_distance(model, end, tokens) for end in ends)
        row[column] = (to_g - to_memorizer) / _distance(*ends, tokens)
    return row


def _identity(run: Run) -> dict[str, object]:
    settings = run.settings
    row = {"name": run.path.name, "kind": settings.kind, "n_colors": settings.task.n_colors}
    return row | {"seed": settings.training.seed}


def doubts(runs: Sequence[Run]) -> pd.DataFrame:
    """Return one row per run: the B_ε and the blend of rows nearest to it on fresh urns.

    Both are fitted on fresh urns and scored in distribution. Columns: name, kind, n_colors, seed,
    and those of `memorization.doubt_and_blend`.
    """
    rows = []
    for run in runs:
        tokens = {"fresh": run.splits[FRESH], "inside": run.splits["in_distribution"]}
        ends = {name: run.references[name] for name in ("generalizing", run.settings.memorizing)}
        rows.append(_identity(run) | memorization.doubt_and_blend(as_trained(run), ends, **tokens))
    return pd.DataFrame(rows)


def standings(runs: Sequence[Run]) -> pd.DataFrame:
    """Return one row per run: where its best weights are among G, M and S on fresh urns.

    name, kind, n_colors, seed
    to_<reference>      distance in nats
    apart               d(G, S)
    r, r_low, r_high    relative distance from −1 (G) to +1 (the memorizer); NaN if undetermined
    """
    return pd.DataFrame([_standing(run) for run in runs])


def _standing(run: Run) -> dict[str, object]:
    references, tokens = run.references, run.splits[FRESH]
    distances = evaluation.select(run.results, split=FRESH)["mean"]
    row = _identity(run) | {f"to_{name}": distances[name] for name in references}
    row["apart"] = _distance(references["generalizing"], references["symmetrized"], tokens)
    relative = comparison.relative_distance(
        run.predictor,
        references,
        tokens,
        memorizing=run.settings.memorizing,
        generator=generator(0, "relative distance"),
    )
    if relative.is_undetermined:
        return row | dict.fromkeys(("r", "r_low", "r_high"), np.nan)
    r = relative.interval
    return row | {"r": r.value, "r_low": r.low, "r_high": r.high}


def nearest_mixtures(runs: Sequence[Run]) -> pd.DataFrame:
    """Return the mixture of G, M, S and U nearest to each model on fresh urns.

    Columns: kind, n_colors, seed, the weight of each predictor, `left_over` (the mean KL of the
    model from that mixture) and `from_g` (the mean KL of the model from G alone, for scale).
    """
    rows = []
    for run in runs:
        settings, tokens = run.settings, run.splits[FRESH]
        references = run.references | {"uniform": Uniform(settings.task.n_colors)}
        weights = comparison.mixture_weights(run.predictor, references, tokens)
        only_g = dict.fromkeys(references, 0.0) | {"generalizing": 1.0}
        row = {"kind": settings.kind, "n_colors": settings.task.n_colors}
        row |= {"seed": settings.training.seed, **weights}
        for column, mixture in (("left_over", weights), ("from_g", only_g)):
            row[column] = comparison.kl_from_mixture(
                run.predictor, references, tokens, weights=mixture
            )
        rows.append(row)
    return pd.DataFrame(rows)


def distances_by_row(runs: Sequence[Run]) -> pd.DataFrame:
    """Return distances averaged over runs: split, measure, row, reference, mean, sem, n (runs)."""
    table = pd.concat([run.results_by_row.assign(name=run.path.name) for run in runs])
    table = table[table["measure"] == "symmetrized_kl"]
    groups = table.groupby(["split", "measure", "row", "reference"], sort=False)["mean"]
    return groups.agg(["mean", "sem", "count"]).reset_index().rename(columns={"count": "n"})


def along(runs: Sequence[Run]) -> pd.DataFrame:
    """Return relative distances between G and the memorizer along trainings.

    Columns: kind, n_colors, seed, step, n_tables, split (in distribution, on fresh urns), and
    relative_distance. The divergences are those that were measured along the training.
    """
    parts = []
    for run in runs:
        ends = ("generalizing", run.settings.memorizing)
        for split, name in (("in_distribution", "in distribution"), (FRESH, "on fresh urns")):
            to_g, to_memorizer = (run.metrics[f"{split}/symmetrized_kl/{end}"] for end in ends)
            apart = _distance(*(run.references[end] for end in ends), run.splits[split])
            table = run.metrics[["step", "n_tables"]].assign(**_identity(run), split=name)
            parts.append(table.assign(relative_distance=(to_g - to_memorizer) / apart))
    return pd.concat(parts, ignore_index=True).drop(columns="name")


def join_trajectories(early: pd.DataFrame, late: pd.DataFrame) -> pd.DataFrame:
    """Return two trajectories of the same training as one: `late` continues where `early` ends."""
    continued = late[late["step"] > early["step"].max()]
    return pd.concat([early[early["step"] > 0], continued], ignore_index=True)


def over_urns(
    table: pd.DataFrame,
    value: str,
    *,
    by: Sequence[str],
    interval: Callable[[list[float]], Interval],
) -> pd.DataFrame:
    """Return mean, low, high, n and text of the column `value` for each group, over urns.

    `interval` makes them from the values of a group. Rows without a value are left out.
    """
    rows = []
    for group, values in table.dropna(subset=value).groupby(list(by), sort=False)[value]:
        mean = interval(values.tolist())
        rows.append((*group, mean.value, mean.low, mean.high, mean.n, str(mean)))
    return pd.DataFrame(rows, columns=[*by, "mean", "low", "high", "n", "text"])


def _distance(first: Predictor, second: Predictor, tokens: Tokens) -> float:
    """Return the mean symmetrized KL over rows 1 … C and sequences."""
    return comparison.mean_over_rows(comparison.distance(first, second, tokens)).mean().item()
