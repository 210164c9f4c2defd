"""Does lexical invariance generalize, or memorize up to the names? Many training urns, and what models did with each.

The published headline is the score of a model at the last row alone, KL(empirical frequencies ‖ model). `published`
repeats it, with the exact predictors beside the models. `standings` corrects it: distances to G, M and S over all
trained rows, and the distance between G and S for the same urn to divide them by, as urns differ in what they can tell.
`trajectories` follows both along training. Sequences out of distribution, a fresh urn each; nats.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
import pandas as pd
from torch import Generator

from lexurn import comparison, discrimination, divergences, evaluation, experiment, uncertainty
from lexurn.runs import Run
from lexurn.seeding import generator
from lexurn.uncertainty import Interval

N_BALLS, N_SETS, N_URNS, N_SEQUENCES = 30, 4, 10, 25
"""Of the published protocol, but for the number of sets, which is 1 there."""


def published(runs: Sequence[Run]) -> pd.DataFrame:
    """Who (a kind of model, or a reference), n_colors, seed (the training urn), mean, sem, n: the published score.

    `n` counts fresh urns, of which each has a few sequences: `sem` is over them. Models of one training urn and its
    references are scored on the same sequences.
    """
    lines = []
    for (n_colors, seed), alike in _by_pool(runs):
        stream = generator(seed, "headline")
        tokens = discrimination.headline_sequences(
            n_colors, n_balls=N_BALLS, n_urns=N_SETS * N_URNS, n_sequences=N_SEQUENCES, generator=stream
        )
        scored = {run.settings.kind: run.predictor for run in alike}
        scored |= experiment.references(alike[0].settings, alike[0].pool)
        for who, predictor in scored.items():
            urns = discrimination.headline_scores(predictor, tokens).view(-1, N_SEQUENCES).mean(1)
            mean, sem = uncertainty.mean_and_sem(urns)
            lines.append({"who": who, "n_colors": n_colors, "seed": seed, "mean": mean, "sem": sem, "n": len(urns)})
    return pd.DataFrame(lines)


def standings(runs: Sequence[Run]) -> pd.DataFrame:
    """A line for each run: where its model stands among G, M and S.

    name, kind, n_colors, n_tasks, context_length, d_model, seed
    entropy             of the training urns (nats, mean over the pool), as a share of ln n_colors
    to_<reference>      distance, with `_sem`; `n` sequences
    apart, apart_sem    d(G, S)
    regret              nats a ball lost in distribution against what this kind of model can become, with `_sem`
    r, r_low, r_high    relative distance, from −1 (G) to +1 (what this kind of model memorizes); NaN if undetermined
    """
    lines = []
    for run in runs:
        settings, tokens, references = run.settings, run.splits["out_of_distribution"], run.references
        flat = {name: settings.flat()[name] for name in ("n_colors", "n_tasks", "context_length", "d_model", "seed")}
        entropy = divergences.entropy(run.pool.log()).mean().item() / np.log(flat["n_colors"])
        line = {"name": run.path.name, "kind": settings.kind, **flat, "entropy": entropy}
        found = evaluation.select(run.results, split="out_of_distribution")
        for name in references:
            line |= {f"to_{name}": found.loc[name, "mean"], f"to_{name}_sem": found.loc[name, "sem"]}
        ends = references["generalizing"], references["symmetrized"]
        line["apart"], line["apart_sem"] = uncertainty.mean_and_sem(
            comparison.over_rows(comparison.distance(*ends, tokens))
        )
        lost = evaluation.select(run.results, split="in_distribution", measure="regret").loc[settings.memorizing]
        line |= {"regret": lost["mean"], "regret_sem": lost["sem"]}
        options = {"memorizing": settings.memorizing, "generator": generator(0, "relative distance")}
        relative = comparison.relative_distance(run.predictor, references, tokens, **options)
        r = relative.interval
        bounds = [np.nan] * 3 if relative.undetermined else [r.value, r.low, r.high]
        lines.append({**line, "n": len(tokens), **dict(zip(("r", "r_low", "r_high"), bounds, strict=True))})
    return pd.DataFrame(lines)


def trajectories(runs: Sequence[Run]) -> pd.DataFrame:
    """Along training: name, kind, n_colors, seed, step, reference, and for it

    distance, share   out of distribution, and divided by d(G, S) for the same urn
    weight            in the mixture of G, M, S and U that is nearest to the model
    regret_in         nats a ball that the model loses more than the reference, in distribution
    regret_out        the same out of distribution
    """
    tables = []
    for run in runs:
        metrics, splits = run.metrics, run.splits
        ends = run.references["generalizing"], run.references["symmetrized"]
        apart = comparison.over_rows(comparison.distance(*ends, splits["out_of_distribution"])).mean().item()
        of = {"name": run.path.name, "kind": run.settings.kind, "n_colors": run.settings.task.n_colors}
        for name, reference in run.references.items():
            distance = metrics[f"out_of_distribution/symmetrized_kl/{name}"]
            columns = {"step": metrics["step"], "reference": name, "distance": distance, "share": distance / apart}
            columns["weight"] = metrics[f"out_of_distribution/weight/{name}"]
            for split, column in (("in_distribution", "regret_in"), ("out_of_distribution", "regret_out")):
                lost = divergences.negative_log_likelihood(reference(splits[split]), splits[split])
                columns[column] = metrics[f"{split}/loss"] - comparison.over_rows(lost).mean().item()
            tables.append(pd.DataFrame({**of, "seed": run.settings.training.seed, **columns}))
        weight = metrics["out_of_distribution/weight/uniform"]
        uniform = {"step": metrics["step"], "reference": "uniform", "weight": weight}
        tables.append(pd.DataFrame({**of, "seed": run.settings.training.seed, **uniform}))
    return pd.concat(tables, ignore_index=True)


@dataclass(frozen=True)
class Verdict:
    """Where the models of one kind stand, over training urns: their mean relative distance, how many are nearer to
    which end for certain, and the rank correlation of r with the urn's entropy."""

    memorizer: str
    r: Interval
    n_nearer_g: int
    n_nearer_memorizer: int
    n_undetermined: int
    with_entropy: Interval

    def line(self) -> dict[str, Any]:
        """For a table."""
        return {
            "mean r [95 %]": str(self.r),
            "n": self.r.n,
            "nearer G": self.n_nearer_g,
            "nearer M or S": self.n_nearer_memorizer,
            "undetermined": self.n_undetermined,
            "rank correlation of r with entropy [95 %]": str(self.with_entropy),
        }

    def __str__(self) -> str:
        name = self.memorizer[0].upper()
        ends = {1: f"nearer to {name} than to G", -1: f"nearer to G than to {name}", 0: "not told from half-way"}
        if isnan(self.r.low):
            average = f"On average r = {self.r}"
        else:
            average = f"On average they are {ends[self.r.side]}: r = {self.r}"
        open_ones = self.r.n - self.n_nearer_g - self.n_nearer_memorizer
        urns = (
            f"of {self.r.n} urns' models {self.n_nearer_g} are nearer to G, {self.n_nearer_memorizer} to {name}, "
            f"{open_ones} neither for certain"
        )
        side = {1: "The flatter the urn, the nearer to " + name, -1: "The flatter the urn, the nearer to G"}
        entropy = side.get(self.with_entropy.side, "A dependence on the urn's entropy is not shown")
        return f"{average}; {urns}. {entropy} (rank correlation {self.with_entropy})."


def verdict(standing: pd.DataFrame, *, generator: Generator) -> Verdict:
    """That of the lines of one kind in `standings`, each a training urn."""
    known = standing.dropna(subset="r")
    r, entropy = known["r"].tolist(), known["entropy"].tolist()
    return Verdict(
        "memorizing" if (standing["kind"] == "normal").all() else "symmetrized",
        uncertainty.bootstrap(r, generator=generator),
        int((known["r_high"] < 0).sum()),
        int((known["r_low"] > 0).sum()),
        len(standing) - len(known),
        uncertainty.correlation(entropy, r, ranks=True, generator=generator),
    )


def over_urns(table: pd.DataFrame, value: str, *, by: Sequence[str], generator: Generator) -> pd.DataFrame:
    """The mean of a column over training urns, a line for each group, with its 95 % interval: mean, low, high, n.

    Urns are resampled (see `uncertainty.bootstrap`); lines without a value are left out.
    """
    lines = []
    for group, values in table.dropna(subset=value).groupby(list(by), sort=False)[value]:
        found = uncertainty.bootstrap(values.tolist(), generator=generator)
        mean = {"mean": found.value, "low": found.low, "high": found.high, "n": found.n, "text": str(found)}
        lines.append({**dict(zip(by, group, strict=True)), **mean})
    return pd.DataFrame(lines, columns=[*by, "mean", "low", "high", "n", "text"])


def _by_pool(runs: Sequence[Run]) -> list[tuple[tuple[int, int], list[Run]]]:
    """Runs with the same colours and the same training urns together."""
    pools: dict[tuple[int, int], list[Run]] = {}
    for run in runs:
        pools.setdefault((run.settings.task.n_colors, run.settings.training.seed), []).append(run)
    return list(pools.items())
