"""Does lexical invariance generalize, or memorize up to the names? Many training urns, and what models did with each.

The published headline is the score of a model at the last row alone, KL(empirical frequencies ‖ model). `published`
repeats it, with the exact predictors beside the models. `standings` corrects it: distances to G, M and S over all
trained rows, and the distance between G and S for the same urn to divide them by, as urns differ in what they can tell.
`trajectories` follows both along training. Sequences out of distribution, a fresh urn each; nats.

A relative distance alone may mislead: a model that merely hedges, G drawn towards the uniform predictor, seems nearer
to S too, the more so for flat urns. So each model has a control, which hedges as far from G as the model is (`hedged`).
"""

from collections.abc import Sequence
from math import log

import numpy as np
import pandas as pd
import torch

from lexurn.base import divergences
from lexurn.base.seeding import generator
from lexurn.base.shapes import LogProbs
from lexurn.measures import comparison, discrimination, evaluation, intervals, mixtures
from lexurn.predictors import Uniform
from lexurn.runs import fit
from lexurn.runs.run import Run

N_BALLS, N_SETS, N_URNS, N_SEQUENCES = 30, 4, 10, 25
"""Of the published protocol, but for the number of sets, which is 1 there."""


def published(runs: Sequence[Run]) -> pd.DataFrame:
    """Who (a kind of model, or a reference), n_colors, seed (the training urn), mean, sem, n: the published score.

    `n` counts fresh urns, of which each has a few sequences: `sem` is over them. Models of one training urn, one of a
    kind, and its references are scored on the same sequences.
    """
    pools: dict[tuple[int, int], list[Run]] = {}
    for run in runs:
        pools.setdefault((run.settings.task.n_colors, run.settings.training.seed), []).append(run)
    lines = []
    for (n_colors, seed), alike in pools.items():
        first, stream = alike[0].settings, generator(seed, "headline")
        tokens = discrimination.headline_sequences(
            fit.urns(first),
            n_balls=N_BALLS,
            n_urns=N_SETS * N_URNS,
            n_sequences=N_SEQUENCES,
            generator=stream,
        )
        scored = {run.settings.kind: run.predictor for run in alike} | fit.references(
            first, alike[0].pool
        )
        for who, predictor in scored.items():
            urns = discrimination.headline_scores(predictor, tokens).view(-1, N_SEQUENCES).mean(1)
            mean, sem = intervals.mean_and_sem(urns)
            lines.append(
                {
                    "who": who,
                    "n_colors": n_colors,
                    "seed": seed,
                    "mean": mean,
                    "sem": sem,
                    "n": len(urns),
                }
            )
    return pd.DataFrame(lines)


def standings(runs: Sequence[Run]) -> pd.DataFrame:
    """A line for each run: where its model, that of the best validation loss, stands among G, M and S.

    name, kind, n_colors, n_tasks, context_length, d_model, seed
    entropy             of the training urns (nats, mean over the pool), as a share of ln n_colors
    to_<reference>      distance, with `_sem`; `n` sequences
    apart               d(G, S)
    nearest             the least of the distances to G and to what this kind of model can memorize, / d(G, S)
    regret              nats a ball lost in distribution against what this kind of model can memorize, with `_sem`
    r, r_low, r_high    relative distance, from −1 (G) to +1 (what this kind of model can memorize); NaN if undetermined
    control             r of the predictor that only hedges (`hedged`), and is as far from G as the model
    """
    lines = []
    for run in runs:
        settings, tokens, references = (
            run.settings,
            run.splits["out_of_distribution"],
            run.references,
        )
        flat = {
            name: settings.flat()[name]
            for name in ("n_colors", "n_tasks", "context_length", "d_model", "seed")
        }
        entropy = divergences.entropy(run.pool.log()).mean().item() / log(flat["n_colors"])
        line = {
            "name": run.path.name,
            "kind": settings.kind,
            **flat,
            "entropy": entropy,
            "n": len(tokens),
        }
        found = evaluation.select(run.results, split="out_of_distribution")
        for name in references:
            line |= {
                f"to_{name}": found.loc[name, "mean"],
                f"to_{name}_sem": found.loc[name, "sem"],
            }
        line["apart"] = _apart(run, "generalizing", "symmetrized")
        to_g = line["to_generalizing"]
        line["nearest"] = (
            min(to_g, line[f"to_{settings.memorizing}"]) / line["apart"]
            if line["apart"]
            else np.nan
        )
        lost = evaluation.select(run.results, split="in_distribution", measure="regret").loc[
            settings.memorizing
        ]
        line |= {"regret": lost["mean"], "regret_sem": lost["sem"]}
        options = {
            "memorizing": settings.memorizing,
            "generator": generator(0, "relative distance"),
        }
        relative = comparison.relative_distance(run.predictor, references, tokens, **options)
        r, scale = relative.interval, _apart(run, "generalizing", settings.memorizing)
        if relative.is_undetermined:
            line |= dict.fromkeys(("r", "r_low", "r_high", "control"), np.nan)
        else:
            control = hedged(references["generalizing"](tokens), distance=to_g)
            to_end = (
                divergences.symmetrized_kl(references[settings.memorizing](tokens), control)[:, 1:]
                .mean()
                .item()
            )
            away = (
                divergences.symmetrized_kl(references["generalizing"](tokens), control)[:, 1:]
                .mean()
                .item()
            )
            line |= {
                "r": r.value,
                "r_low": r.low,
                "r_high": r.high,
                "control": (away - to_end) / scale,
            }
        lines.append(line)
    return pd.DataFrame(lines)


def hedged(log_g: LogProbs, *, distance: float) -> LogProbs:
    """G mixed with the uniform predictor, so that it is this far from G (rows 1 … C), or uniform if that is not enough.

    It has learned nothing that G does not know: what it shares with a model is no sign of memorizing.
    """
    uniform = torch.full_like(log_g, -log(log_g.shape[-1]))
    low, high = 0.0, 1.0
    for _ in range(30):
        share = (low + high) / 2
        mixed = torch.logaddexp(log_g + np.log1p(-share), uniform + log(share))
        far = divergences.symmetrized_kl(log_g, mixed)[:, 1:].mean().item() > distance
        low, high = (low, share) if far else (share, high)
    return mixed


def nearest_mixtures(runs: Sequence[Run]) -> pd.DataFrame:
    """The mixture of G, M, S and U nearest to each model on fresh urns: kind, n_colors, seed, the weight
    of each, `left_over`, the mean KL of the model from that mixture, and for scale `from_g`, that of the model from G.
    """
    lines = []
    for run in runs:
        settings, tokens = run.settings, run.splits["out_of_distribution"]
        references = run.references | {"uniform": Uniform(settings.task.n_colors)}
        weights = mixtures.mixture_weights(run.predictor, references, tokens)
        left = mixtures.kl_from_mixture(run.predictor, references, tokens, weights=weights)
        only_g = mixtures.kl_from_mixture(
            run.predictor,
            {"generalizing": references["generalizing"]},
            tokens,
            weights={"generalizing": 1.0},
        )
        of = {
            "kind": settings.kind,
            "n_colors": settings.task.n_colors,
            "seed": settings.training.seed,
        }
        lines.append({**of, **weights, "left_over": left, "from_g": only_g})
    return pd.DataFrame(lines)


def by_row(runs: Sequence[Run]) -> pd.DataFrame:
    """Distances row by row, averaged over runs: split, measure, row, reference, mean, and sem over the n runs."""
    table = pd.concat([run.results.assign(name=run.path.name) for run in runs])
    table = table[table["measure"] == "symmetrized_kl"]
    groups = table.groupby(["split", "measure", "row", "reference"], sort=False)["mean"]
    return groups.agg(["mean", "sem", "count"]).reset_index().rename(columns={"count": "n"})


def trajectories(runs: Sequence[Run]) -> pd.DataFrame:
    """Along training: name, kind, n_colors, seed, step, reference, and for it

    distance, share   out of distribution, and divided by d(G, S) for the same urn
    weight            in the mixture of G, M, S and U that is nearest to the model
    regret_in         nats a ball that the model loses more than the reference, in distribution
    regret_out        the same out of distribution
    """
    tables = []
    for run in runs:
        metrics, splits, apart = run.metrics, run.splits, _apart(run, "generalizing", "symmetrized")
        of = {
            "name": run.path.name,
            "kind": run.settings.kind,
            "n_colors": run.settings.task.n_colors,
        }
        of["seed"] = run.settings.training.seed
        for name, reference in run.references.items():
            distance = metrics[f"out_of_distribution/symmetrized_kl/{name}"]
            columns = {
                "step": metrics["step"],
                "reference": name,
                "distance": distance,
                "share": distance / apart,
            }
            columns["weight"] = metrics.get(
                f"out_of_distribution/weight/{name}", np.nan
            )  # older runs have none
            for split, column in (
                ("in_distribution", "regret_in"),
                ("out_of_distribution", "regret_out"),
            ):
                lost = divergences.negative_log_likelihood(reference(splits[split]), splits[split])
                columns[column] = (
                    metrics[f"{split}/loss"] - comparison.mean_over_rows(lost).mean().item()
                )
            tables.append(pd.DataFrame({**of, **columns}))
        weight = metrics.get("out_of_distribution/weight/uniform", np.nan)
        tables.append(
            pd.DataFrame({**of, "step": metrics["step"], "reference": "uniform", "weight": weight})
        )
    return pd.concat(tables, ignore_index=True)


def joined(early: pd.DataFrame, late: pd.DataFrame) -> pd.DataFrame:
    """Trajectories of trainings that begin alike: the first steps from those looked at more often, then the longer."""
    return pd.concat(
        [early[early["step"] > 0], late[late["step"] > early["step"].max()]], ignore_index=True
    )


def relative(trajectory: pd.DataFrame) -> pd.DataFrame:
    """The relative distance between G and S along training, and regrets: kind, n_colors, seed, step, relative_distance,
    `regret to S in distribution`, `regret to G on fresh urns`."""
    values = ["share", "regret_in", "regret_out"]
    wide = trajectory.pivot(
        index=["kind", "n_colors", "seed", "step"], columns="reference", values=values
    )
    columns = {
        "relative_distance": wide["share", "generalizing"] - wide["share", "symmetrized"],
        "regret to S in distribution": wide["regret_in", "symmetrized"],
        "regret to G on fresh urns": wide["regret_out", "generalizing"],
    }
    return pd.DataFrame(columns).reset_index()


def _apart(run: Run, first: str, second: str) -> float:
    """The distance between two references of a run on fresh urns."""
    ends = run.references[first], run.references[second]
    return (
        comparison.mean_over_rows(comparison.distance(*ends, run.splits["out_of_distribution"]))
        .mean()
        .item()
    )
