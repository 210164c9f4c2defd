"""Backbones compared: their regret along training, and what they have learned.

    regret_along_training(run)     excess loss over the optimum along training
    token_influence(predictor, …)  how far each token moves each later prediction
    log_odds(runs, names)          for coins: predicted log odds by the number of heads
    laplace_shares(table)          whether they are those of Laplace's rule, or linear

Losses are in nats per ball, per flip, or per string.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor

from lexurn.base import divergences
from lexurn.base.seeding import generator
from lexurn.base.shapes import Predictor, Tokens
from lexurn.chapters.architectures import histories
from lexurn.chapters.architectures.simple_predictors import LinearCounts
from lexurn.measures import evaluation
from lexurn.predictors import Generalizing
from lexurn.runs.run import Run

N_ORDERS = 20
"""Random orders of the same flips that predictions are averaged over."""


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


def log_odds(runs: Sequence[Run], names: Sequence[str]) -> pd.DataFrame:
    """Return the predicted log odds of heads after all C flips, by the number of heads.

    Columns: who, run (the place among `runs`), heads, value (mean over `N_ORDERS` random orders).
    `who` is also `Laplace's rule` and `linear logits`, the best rule whose log odds are linear in
    the number of heads. All predictors see the same sequences.
    """
    length = runs[0].settings.task.context_length
    tokens = flips_by_heads(length)
    predictors = [
        ("Laplace's rule", -1, Generalizing(2)),
        ("linear logits", -1, LinearCounts(histories.coins(length))),
        *((name, number, runs[number].predictor) for number, name in enumerate(names)),
    ]
    tables = []
    for who, number, predictor in predictors:
        columns = {"who": who, "run": number, "heads": range(length + 1)}
        tables.append(pd.DataFrame(columns | {"value": predict_log_odds(predictor, tokens)}))
    return pd.concat(tables, ignore_index=True)


def run_log_odds(run: Run) -> pd.DataFrame:
    """Return heads, value and spread of one run's model: `log_odds` and how the order changes it.

    `spread` is the standard deviation over random orders of the same flips.
    """
    length = run.settings.task.context_length
    by_order = log_odds_by_order(run.predictor, flips_by_heads(length))
    columns = {"heads": range(length + 1), "value": by_order.mean(1), "spread": by_order.std(1)}
    return pd.DataFrame(columns)


def flips_by_heads(length: int) -> Tokens:
    """Return sequences of `length` flips and one more: `N_ORDERS` for each number of heads."""
    stream = generator(0, "orders")
    rows = []
    for heads in range(length + 1):
        for _ in range(N_ORDERS):
            order = torch.randperm(length, generator=stream)
            rows.append((order < heads).long())
    return torch.nn.functional.pad(torch.stack(rows), (0, 1))


def predict_log_odds(predictor: Predictor, tokens: Tokens) -> list[float]:
    """Return the mean log odds in the last row for each number of heads of `flips_by_heads`."""
    return log_odds_by_order(predictor, tokens).mean(1).tolist()


def log_odds_by_order(predictor: Predictor, tokens: Tokens) -> Float64[Tensor, "heads orders"]:
    """Return the log odds in the last row for each sequence of `flips_by_heads`."""
    last = divergences.as_double(predictor(tokens))[:, -1]
    return (last[:, 1] - last[:, 0]).reshape(-1, N_ORDERS)


def laplace_shares(table: pd.DataFrame) -> pd.DataFrame:
    """Return how far each model is on the way from linear log odds to those of Laplace's rule.

    The model's log odds are fitted, by least squares over all numbers of heads, as
    (1 − λ) linear + λ Laplace. Columns: who, run, value (λ), error (root mean square of what is
    left), left (the same as a share of the squared deviation from linear log odds), and free (λ if
    a constant and a slope are fitted too). `table` is that of `log_odds`.
    """
    wide = table.pivot(index=["who", "run"], columns="heads", values="value")
    linear, laplace = (wide.loc[who].to_numpy()[0] for who in ("linear logits", "Laplace's rule"))
    way = laplace - linear
    terms = np.stack([way, np.ones_like(way), np.arange(len(way))], 1)
    rows = []
    for (who, run), values in wide.iterrows():
        rest = values.to_numpy() - linear
        share = float(rest @ way / (way @ way))
        squares = float(np.sum((rest - share * way) ** 2))
        free = float(np.linalg.lstsq(terms, rest, rcond=None)[0][0])
        left = squares / float(rest @ rest) if rest.any() else 0.0
        rows.append((who, run, share, (squares / len(way)) ** 0.5, left, free))
    return pd.DataFrame(rows, columns=["who", "run", "value", "error", "left", "free"])


def _n_rows(run: Run) -> int:
    """Return the number of rows that a loss is summed over: all rows of strings, otherwise one."""
    return run.settings.task.context_length + 1 if run.settings.task.n_special else 1
