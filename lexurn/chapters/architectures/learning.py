"""Backbones side by side: what each loses on each kind of data, along training and at equal time.

    learning(run)            along training, nats more than the best that its kind can do; `best`: with the best weights
    distances(run)           of urns: distances to G, M and S
    influence(predictor, …)  how far each token moves each later prediction
    smoothing(predictor, …)  of coins: the add-α rule that it is nearest to

Nats a ball, a flip, or a word.
"""

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


def split(run: Run) -> str:
    """The sequences that are of the kind that the model is trained on."""
    return next(
        name
        for name in ("relabelled", "in_distribution", "out_of_distribution")
        if name in run.splits
    )


def learning(run: Run) -> pd.DataFrame:
    """Along a training: step, value, the loss beyond that of the optimum (nats a ball or flip; of words, a word)."""
    loss = evaluation.select(run.results, split=split(run), measure="loss")["mean"].item()
    regret = evaluation.select(run.results, split=split(run), measure="regret")["mean"]
    of_optimum = loss - regret[run.task.optimum]  # on the same sequences
    value = _tokens(run) * (run.metrics[f"{split(run)}/loss"] - of_optimum)
    return pd.DataFrame({"step": run.metrics["step"], "value": value})


def best(run: Run) -> pd.DataFrame:
    """The same with the best weights: value, sem (over sequences), n (sequences)."""
    chosen = evaluation.select(run.results, split=split(run), measure="regret").loc[
        [run.task.optimum]
    ]
    return (
        (chosen[["mean", "sem"]] * _tokens(run))
        .rename(columns={"mean": "value"})
        .assign(n=chosen["n"])
    )


def distances(run: Run) -> pd.DataFrame:
    """On urns never seen, symmetrized KL (nats) to each exact predictor: reference, value, sem, n."""
    found = evaluation.select(run.results, split="out_of_distribution", measure="symmetrized_kl")
    return found.reset_index()[["reference", "mean", "sem", "n"]].rename(columns={"mean": "value"})


def influence(predictor: Predictor, tokens: Tokens, vocab_size: int) -> pd.DataFrame:
    """How far changing one token moves each later prediction (total variation, a mean over the sequences): seen (which
    token), predicted (a later row), value. The token becomes another one, at random."""
    before, lines = predictor(tokens).exp(), []
    for seen in range(tokens.shape[1] - 1):
        changed = tokens.clone()
        others = torch.randint(
            1, vocab_size, (len(tokens),), generator=generator(seen, "another token")
        )
        changed[:, seen] = (tokens[:, seen] + others) % vocab_size
        moved = (predictor(changed).exp() - before).abs().sum(-1).mean(0) / 2
        lines += [(seen, row, moved[row].item()) for row in range(seen + 1, tokens.shape[1])]
    return pd.DataFrame(lines, columns=["seen", "predicted", "value"])


def smoothing(predictor: Predictor, tokens: Tokens) -> pd.DataFrame:
    """The α for which (H + α) / (n + 2 α) is nearest to a predictor of coins (KL(predictor ‖ rule), mean over rows 1 …
    of these flips), in a line: ln_alpha (from −4 to 4), kl (to that rule), to_laplace (to α = 1), n (sequences)."""
    ours = divergences.as_double(predictor(tokens))

    def kl(log_alpha: float) -> float:
        rule = Generalizing(2, float(np.exp(log_alpha)))
        return divergences.kl(ours, rule(tokens))[:, 1:].mean().item()

    found = minimize_scalar(kl, bounds=(-4.0, 4.0), method="bounded", options={"xatol": 1e-4})
    line = (float(found.x), float(found.fun), kl(0.0), len(tokens))
    return pd.DataFrame([line], columns=["ln_alpha", "kl", "to_laplace", "n"])


def _tokens(run: Run) -> int:
    """How many rows a loss is told of: one, but of words all of theirs."""
    return run.settings.task.context_length + 1 if run.settings.task.n_special else 1
