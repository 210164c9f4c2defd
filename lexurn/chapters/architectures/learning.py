"""Backbones compared: their regret along training and at the end, and what they have learned.

    regret_along_training(run)       excess loss over the optimum along training
    final_regret(run)                excess loss over the optimum with the best weights
    predictor_distances(run)         for urns: distances to G, M and S
    token_influence(predictor, …)    how far each token moves each later prediction
    nearest_smoothing(predictor, …)  for coins: the nearest add-α rule

Losses are in nats per ball, per flip, or per string.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from scipy.optimize import minimize_scalar

from lexurn.base import divergences
from lexurn.base.seeding import generator
from lexurn.base.shapes import Predictor, Tokens
from lexurn.measures import evaluation
from lexurn.predictors import Generalizing
from lexurn.runs.run import Run


def eval_split(run: Run) -> str:
    """Return the name of the split whose sequences are distributed like those of training."""
    return next(
        name
        for name in ("relabelled", "in_distribution", "out_of_distribution")
        if name in run.splits
    )


def regret_along_training(run: Run) -> pd.DataFrame:
    """Return the excess loss over the optimum along training: step, n_tables, value.

    The value is in nats per ball or flip, and for formal languages per string.
    """
    split = eval_split(run)
    loss = evaluation.select(run.results, split=split, measure="loss")["mean"].item()
    regret = evaluation.select(run.results, split=split, measure="regret")["mean"]
    of_optimum = loss - regret[run.task.optimum]  # on the same sequences
    value = _n_rows(run) * (run.metrics[f"{split}/loss"] - of_optimum)
    return run.metrics[["step", "n_tables"]].assign(value=value)


def final_regret(run: Run) -> pd.DataFrame:
    """Return the excess loss over the optimum with the best weights: value, sem, n (sequences)."""
    chosen = evaluation.select(run.results, split=eval_split(run), measure="regret").loc[
        [run.task.optimum]
    ]
    regret = chosen[["mean", "sem"]] * _n_rows(run)
    return regret.rename(columns={"mean": "value"}).assign(n=chosen["n"])


def predictor_distances(run: Run) -> pd.DataFrame:
    """Return the symmetrized KL (nats) to each exact predictor on urns never seen in training.

    Columns: reference, value, sem, n.
    """
    rows = evaluation.select(run.results, split="out_of_distribution", measure="symmetrized_kl")
    return rows.reset_index()[["reference", "mean", "sem", "n"]].rename(columns={"mean": "value"})


def token_influence(predictor: Predictor, tokens: Tokens, vocab_size: int) -> pd.DataFrame:
    """Return how far replacing one token by a random other token moves each later prediction.

    Columns: seen (the position of the token), predicted (a later row), value (total variation,
    mean over the sequences).
    """
    before = predictor(tokens).exp()
    n_sequences, length = tokens.shape
    rows = []
    for seen in range(length - 1):
        stream = generator(seen, "another token")
        shift = torch.randint(1, vocab_size, (n_sequences,), generator=stream)
        changed = tokens.clone()
        changed[:, seen] = (tokens[:, seen] + shift) % vocab_size
        distance = (predictor(changed).exp() - before).abs().sum(-1).mean(0) / 2
        rows += [(seen, row, distance[row].item()) for row in range(seen + 1, length)]
    return pd.DataFrame(rows, columns=["seen", "predicted", "value"])


def influences(runs: Sequence[Run], names: Sequence[str]) -> pd.DataFrame:
    """Return `token_influence` of G and of the models of runs on 100 sequences, with their names.

    The column `who` is `exact` for G. All predictors see the sequences of the first run.
    """
    tokens = runs[0].splits["out_of_distribution"][:100]
    predictors = {"exact": runs[0].references["generalizing"]}
    predictors |= {name: run.predictor for name, run in zip(names, runs, strict=True)}
    tables = [
        token_influence(predictor, tokens, runs[0].task.vocab_size).assign(who=who)
        for who, predictor in predictors.items()
    ]
    return pd.concat(tables, ignore_index=True)


def smoothings(runs: Sequence[Run]) -> pd.DataFrame:
    """Return `nearest_smoothing` of the models of runs on 200 sequences each, one row per run."""
    tables = [
        nearest_smoothing(run.predictor, run.splits["out_of_distribution"][:200]) for run in runs
    ]
    return pd.concat(tables, ignore_index=True)


def nearest_smoothing(predictor: Predictor, tokens: Tokens) -> pd.DataFrame:
    """Return the rule (H + α) / (n + 2 α) that is nearest to a predictor of coins, in one row.

    The distance is KL(predictor ‖ rule), mean over rows 1 … C. Columns: ln_alpha (from −4 to 4), kl
    (to that rule), to_laplace (to α = 1), n (sequences).
    """
    log_probs = divergences.as_double(predictor(tokens))

    def kl(log_alpha: float) -> float:
        rule = Generalizing(2, float(np.exp(log_alpha)))
        return divergences.kl(log_probs, rule(tokens))[:, 1:].mean().item()

    nearest = minimize_scalar(kl, bounds=(-4.0, 4.0), method="bounded", options={"xatol": 1e-4})
    row = {"ln_alpha": float(nearest.x), "kl": float(nearest.fun)}
    return pd.DataFrame([row | {"to_laplace": kl(0.0), "n": len(tokens)}])


def _n_rows(run: Run) -> int:
    """Return the number of rows that a loss is summed over: all rows of strings, otherwise one."""
    return run.settings.task.context_length + 1 if run.settings.task.n_special else 1
