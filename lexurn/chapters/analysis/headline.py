"""Does lexical invariance make models generalize? Models of many urns, compared with G, M and S.

The published headline is the score of a model at the last row alone, KL(empirical frequencies ‖
model). `published_scores` repeats it and adds the exact predictors. `standings` corrects it:
distances to G, M and S over all trained rows, divided by the distance between G and S for the same
urn, because urns differ in how well they distinguish predictors. `trajectories` follows both along
training. All sequences are out of distribution, each from a fresh urn. Units are nats.

A relative distance alone can mislead. A model that hedges, which is G drawn towards the uniform
predictor, seems nearer to S too, most of all for flat urns. So every model has a control: a hedging
G at the same distance from G as the model (`hedge`).
"""

from collections.abc import Mapping, Sequence
from math import log

import numpy as np
import pandas as pd
import torch

from lexurn.base import divergences
from lexurn.base.seeding import generator
from lexurn.base.shapes import LogProbs, Predictor, Tokens
from lexurn.measures import comparison, evaluation, intervals
from lexurn.predictors import Uniform
from lexurn.runs.run import Run

N_BALLS = 30
N_SETS = 4  # the published protocol has 1
N_URNS = 10
N_SEQUENCES = 25


def published_scores(runs: Sequence[Run]) -> pd.DataFrame:
    """Return the published score of each model and reference: who, n_colors, seed, mean, sem, n.

    `who` is a kind of model or a reference and `seed` identifies the training urn. `n` counts fresh
    urns, each with a few sequences, and `sem` is over urns. The models of one training urn (one
    model per kind) and their references are scored on the same sequences.
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
        for name, predictor in predictors.items():
            scores = comparison.headline_scores(predictor, tokens)
            urn_means = scores.view(-1, N_SEQUENCES).mean(1)
            mean, sem = intervals.mean_and_sem(urn_means)
            row = {"who": name, "n_colors": n_colors, "seed": seed, "mean": mean, "sem": sem}
            rows.append({**row, "n": len(urn_means)})
    return pd.DataFrame(rows)


def standings(runs: Sequence[Run]) -> pd.DataFrame:
    """Return one row per run: where its best model lies among G, M and S.

    "The memorizer" is M for normal models and S for the others.

    name, kind, n_colors, n_tasks, context_length, d_model, seed
    entropy             of the training urns (mean over the pool), as a share of ln n_colors
    to_<reference>      distance in nats, with `_sem`; `n` sequences
    apart               d(G, S)
    nearest             the smaller of the distances to G and to the memorizer, / d(G, S)
    regret              nats per ball in distribution against the memorizer, with `_sem`
    r, r_low, r_high    relative distance from −1 (G) to +1 (the memorizer); NaN if undetermined
    control             r of a G that only hedges and is as far from G as the model (`hedge`)
    """
    return pd.DataFrame([_standing(run) for run in runs])


def _standing(run: Run) -> dict[str, object]:
    settings, references = run.settings, run.references
    tokens = run.splits["out_of_distribution"]
    columns = ("n_colors", "n_tasks", "context_length", "d_model", "seed")
    row = {"name": run.path.name, "kind": settings.kind}
    row |= {name: settings.flat()[name] for name in columns}
    row["entropy"] = divergences.entropy(run.pool.log()).mean().item() / log(row["n_colors"])
    row["n"] = len(tokens)
    distances = evaluation.select(run.results, split="out_of_distribution")
    for name in references:
        row[f"to_{name}"] = distances.loc[name, "mean"]
        row[f"to_{name}_sem"] = distances.loc[name, "sem"]
    to_g, to_memorizer = row["to_generalizing"], row[f"to_{settings.memorizing}"]
    row["apart"] = _reference_distance(run, "symmetrized")
    row["nearest"] = min(to_g, to_memorizer) / row["apart"] if row["apart"] else np.nan
    regrets = evaluation.select(run.results, split="in_distribution", measure="regret")
    row["regret"] = regrets.loc[settings.memorizing, "mean"]
    row["regret_sem"] = regrets.loc[settings.memorizing, "sem"]
    relative = comparison.relative_distance(
        run.predictor,
        references,
        tokens,
        memorizing=settings.memorizing,
        generator=generator(0, "relative distance"),
    )
    if relative.is_undetermined:
        return row | dict.fromkeys(("r", "r_low", "r_high", "control"), np.nan)
    log_g, log_memorizer = (
        references[name](tokens) for name in ("generalizing", settings.memorizing)
    )
    control = hedge(log_g, distance=to_g)
    difference = _mean_kl(log_g, control) - _mean_kl(log_memorizer, control)
    r = relative.interval
    row |= {"r": r.value, "r_low": r.low, "r_high": r.high}
    row["control"] = difference / _reference_distance(run, settings.memorizing)
    return row


def hedge(log_g: LogProbs, *, distance: float) -> LogProbs:
    """Return G mixed with the uniform predictor at this distance from G over rows 1 … C.

    If the uniform predictor is nearer than that, return it. The mixture knows nothing more than G,
    so its similarity with a model is no sign of memorizing.
    """
    uniform = torch.full_like(log_g, -log(log_g.shape[-1]))
    low, high = 0.0, 1.0
    for _ in range(30):
        share = (low + high) / 2
        mixed = torch.logaddexp(log_g + np.log1p(-share), uniform + log(share))
        is_too_far = _mean_kl(log_g, mixed) > distance
        low, high = (low, share) if is_too_far else (share, high)
    return mixed


def nearest_mixtures(runs: Sequence[Run]) -> pd.DataFrame:
    """Return the mixture of G, M, S and U nearest to each model on fresh urns.

    Columns: kind, n_colors, seed, the weight of each predictor, `left_over` (the mean KL of the
    model from that mixture) and `from_g` (the mean KL of the model from G alone, for scale).
    """
    rows = []
    for run in runs:
        settings, tokens = run.settings, run.splits["out_of_distribution"]
        references = run.references | {"uniform": Uniform(settings.task.n_colors)}
        weights = comparison.mixture_weights(run.predictor, references, tokens)
        only_g = dict.fromkeys(references, 0.0) | {"generalizing": 1.0}
        row = {"kind": settings.kind, "n_colors": settings.task.n_colors}
        row |= {"seed": settings.training.seed, **weights}
        for column, mixture in (("left_over", weights), ("from_g", only_g)):
            row[column] = kl_from_mixture(run.predictor, references, tokens, weights=mixture)
        rows.append(row)
    return pd.DataFrame(rows)


def kl_from_mixture(
    predictor: Predictor,
    references: Mapping[str, Predictor],
    tokens: Tokens,
    *,
    weights: Mapping[str, float],
) -> float:
    """Return the mean KL(predictor ‖ mixture with `weights`) over rows 1 … C, in nats."""
    log_model, log_references = comparison.stack_log_probs(predictor, references, tokens)
    ordered = torch.tensor([weights[name] for name in references], dtype=log_references.dtype)
    mixed = (log_references.cpu() + ordered.log()[:, None, None, None]).logsumexp(0)
    return divergences.kl(log_model.cpu(), mixed).mean().item()


def distances_by_row(runs: Sequence[Run]) -> pd.DataFrame:
    """Return distances averaged over runs: split, measure, row, reference, mean, sem, n (runs)."""
    table = pd.concat([run.results_by_row.assign(name=run.path.name) for run in runs])
    table = table[table["measure"] == "symmetrized_kl"]
    groups = table.groupby(["split", "measure", "row", "reference"], sort=False)["mean"]
    return groups.agg(["mean", "sem", "count"]).reset_index().rename(columns={"count": "n"})


def trajectories(runs: Sequence[Run]) -> pd.DataFrame:
    """Return one row per run, step and reference along training.

    Columns: name, kind, n_colors, seed, step, n_tables, reference, and

    distance, share   out of distribution in nats, and divided by d(G, S) for the same urn
    weight            in the mixture of G, M, S and U nearest to the model; NaN for older runs
    regret_in         regret of the model against the reference in distribution, nats per ball
    regret_out        the same out of distribution
    """
    tables = []
    for run in runs:
        metrics, splits, settings = run.metrics, run.splits, run.settings
        scale = _reference_distance(run, "symmetrized")
        constants = {
            "name": run.path.name,
            "kind": settings.kind,
            "n_colors": settings.task.n_colors,
            "seed": settings.training.seed,
            "step": metrics["step"],
            "n_tables": metrics["n_tables"],
        }
        for name, reference in run.references.items():
            distance = metrics[f"out_of_distribution/symmetrized_kl/{name}"]
            columns = {"reference": name, "distance": distance, "share": distance / scale}
            columns["weight"] = metrics.get(f"out_of_distribution/weight/{name}", np.nan)
            for split, column in (
                ("in_distribution", "regret_in"),
                ("out_of_distribution", "regret_out"),
            ):
                tokens = splits[split]
                losses = divergences.negative_log_likelihood(reference(tokens), tokens)
                reference_loss = comparison.mean_over_rows(losses).mean().item()
                columns[column] = metrics[f"{split}/loss"] - reference_loss
            tables.append(pd.DataFrame({**constants, **columns}))
        weight = metrics.get("out_of_distribution/weight/uniform", np.nan)
        tables.append(pd.DataFrame({**constants, "reference": "uniform", "weight": weight}))
    return pd.concat(tables, ignore_index=True)


def join_trajectories(early: pd.DataFrame, late: pd.DataFrame) -> pd.DataFrame:
    """Return two trajectories of the same training as one: `late` continues where `early` ends."""
    continued = late[late["step"] > early["step"].max()]
    return pd.concat([early[early["step"] > 0], continued], ignore_index=True)


def relative_distances(trajectory: pd.DataFrame) -> pd.DataFrame:
    """Return relative distances between G and S and regrets along training.

    Columns: kind, n_colors, seed, step, n_tables, relative_distance, `regret to S in distribution`,
    `regret to G on fresh urns`.
    """
    index = ["kind", "n_colors", "seed", "step", "n_tables"]
    values = ["share", "regret_in", "regret_out"]
    wide = trajectory.pivot(index=index, columns="reference", values=values)
    columns = {
        "relative_distance": wide["share", "generalizing"] - wide["share", "symmetrized"],
        "regret to S in distribution": wide["regret_in", "symmetrized"],
        "regret to G on fresh urns": wide["regret_out", "generalizing"],
    }
    return pd.DataFrame(columns).reset_index()


def _mean_kl(first: LogProbs, second: LogProbs) -> float:
    """Return the mean symmetrized KL over rows 1 … C and sequences."""
    return divergences.symmetrized_kl(first, second)[:, 1:].mean().item()


def _reference_distance(run: Run, memorizing: str) -> float:
    """Return d(G, reference) on fresh urns."""
    ends = (run.references[name] for name in ("generalizing", memorizing))
    distances = comparison.distance(*ends, run.splits["out_of_distribution"])
    return comparison.mean_over_rows(distances).mean().item()
