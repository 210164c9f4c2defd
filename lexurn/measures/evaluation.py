"""How far a predictor is from its references: a tidy table with a standard error and n per number.

    step  split  row  reference  measure  mean  sem  n

`row` is a row number, `last`, or `mean` over rows 1 … C (row 0 has seen no token). For strings of
formal languages, `mean` includes row 0. Rows after EOS, where all predictors agree, count as zero,
so that (C + 1) · `mean` is nats per string.

Each table row averages over `n` sequences; `sem` is the standard error over them, for one model and
its one pool. The low-entropy split lists all its sequences, so its `sem` measures spread, not
uncertainty.

Measures in nats: `loss` (−log p of the next token) and `entropy` of the prediction have no
reference; `symmetrized_kl`, `kl` (reference ‖ model) and `regret` (model loss − reference loss)
have one. For an average of predictors (a lexical model under several tables), `disagreement` is the
mean KL of a single predictor from the average. A measure `single_table_…` is that of a lexical
model with one random table per sequence, as in training, instead of the average: because
divergences are convex it is at least as large, and its `sem` includes the noise of the tables. A
measure `new_table_…` is the same with tables that training never uses, where there are such tables.

Splits are named sequences and references are named predictors. All predictors see the same
sequences, so comparisons between them are paired.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor

from lexurn import predictors
from lexurn.base import divergences
from lexurn.base.shapes import Predictor, Tokens, check_causal, check_log_probs
from lexurn.measures.intervals import format_with_error

PerSequence = Float64[Tensor, "batch time"]

SINGLE_TABLE = "single_table_"
"""Prefix of the measures of a lexical model with one random table per sequence."""

NEW_TABLE = "new_table_"
"""Prefix of the same measures with tables that training never uses, such as new alphabets."""

MAX_TOKEN_COLUMNS = 64
"""The largest vocabulary for which a table of predictions has one column per token."""


def evaluate(
    predictor: Predictor,
    references: Mapping[str, Predictor],
    splits: Mapping[str, Tokens],
    *,
    step: int = 0,
    first_row: int = 1,
    batch_size: int | None = None,
) -> pd.DataFrame:
    """Return the scores of a predictor on every split against every reference.

    Means are over rows from `first_row` on. `batch_size` limits how many sequences are predicted
    together, which saves memory for large vocabularies. Raises ValueError if the predictor does not
    return log-probabilities for these tokens, or has seen later ones.
    """
    tables = []
    for split, tokens in splits.items():
        scores = score_split(predictor, references, tokens, batch_size=batch_size, check=True)
        values = torch.stack(list(scores.values()))  # scores batch time
        mean = values[..., first_row:].mean(-1, keepdim=True)
        values = torch.cat([values, values[..., -1:], mean], -1)  # scores batch row
        rows = [*map(str, range(tokens.shape[1])), "last", "mean"]
        columns = {
            "step": step,
            "split": split,
            "row": rows * len(scores),
            "reference": [name for name, _ in scores for _ in rows],
            "measure": [measure for _, measure in scores for _ in rows],
            "mean": values.mean(1).flatten().tolist(),
            "sem": (values.std(1) / len(tokens) ** 0.5).flatten().tolist(),
            "n": len(tokens),
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def evaluate_means(
    predictor: Predictor,
    references: Mapping[str, Predictor],
    splits: Mapping[str, Tokens],
    *,
    measure: str = "symmetrized_kl",
    first_row: int = 1,
    batch_size: int | None = None,
) -> dict[str, float]:
    """Return the mean loss and the mean distances from every reference, without standard errors.

    They are named `<split>/<measure>/<reference>`, and `…/last` at the last row. This is the part
    of `evaluate` that is needed along training, where the predictor is known to be causal.
    """
    means: dict[str, dict[str, float]] = {"loss": {}, measure: {}}
    for split, tokens in splits.items():
        scores = score_split(predictor, references, tokens, batch_size=batch_size, check=False)
        for (reference, scored), values in scores.items():
            if scored in means:
                name = "/".join(filter(None, [split, scored, reference]))
                means[scored][name] = values[:, first_row:].mean().item()
                means[scored][f"{name}/last"] = values[:, -1].mean().item()
    return means["loss"] | means[measure]


def score_split(
    predictor: Predictor,
    references: Mapping[str, Predictor],
    tokens: Tokens,
    *,
    batch_size: int | None,
    check: bool,
) -> dict[tuple[str, str], PerSequence]:
    """Return the scores of all sequences of a split, which are predicted in batches."""
    if batch_size is None or len(tokens) <= batch_size:
        # Cached references recognize a split by identity: keep a single batch as it is.
        return score_sequences(predictor, references, tokens, check=check)
    scores = []
    for start in range(0, len(tokens), batch_size):
        is_numbered = isinstance(predictor, predictors.PerSequencePredictor)
        part = partial(predictor, start=start) if is_numbered else predictor
        batch = tokens[start : start + batch_size]
        scores.append(score_sequences(part, references, batch, check=check))
    return {key: torch.cat([score[key] for score in scores]) for key in scores[0]}


def score_sequences(
    predictor: Predictor,
    references: Mapping[str, Predictor],
    tokens: Tokens,
    *,
    check: bool = True,
) -> dict[tuple[str, str], PerSequence]:
    """Return (reference, measure) → values (batch time); `loss` and `entropy` have reference ''.

    `check` makes sure that row t has not seen token t, by two more predictions.
    """
    is_average = isinstance(predictor, predictors.Average)
    members = predictor.predict_each(tokens) if is_average else None
    model = predictors.mean_prediction(members) if is_average else predictor(tokens)
    log_references = {name: reference(tokens) for name, reference in references.items()}
    check_log_probs(model, log_references)
    if check:
        single = (lambda tokens: predictor.predict_each(tokens)[0]) if is_average else predictor
        check_causal(single, tokens, vocab_size=model.shape[-1])
    model = divergences.as_double(model).to(tokens.device)
    loss = divergences.negative_log_likelihood(model, tokens)
    values = {("", "loss"): loss, ("", "entropy"): divergences.entropy(model)}
    if is_average:
        values["", "disagreement"] = divergences.kl(members, model).mean(0)
    for name, reference in log_references.items():
        values[name, "symmetrized_kl"] = divergences.symmetrized_kl(reference, model)
        values[name, "kl"] = divergences.kl(reference, model)
        values[name, "regret"] = loss - divergences.negative_log_likelihood(reference, tokens)
    return values


def select(
    table: pd.DataFrame, *, split: str, measure: str = "symmetrized_kl", row: str = "mean"
) -> pd.DataFrame:
    """Return mean, sem and n of one split, measure and row, indexed by reference."""
    rows = table[(table["split"] == split) & (table["measure"] == measure) & (table["row"] == row)]
    return rows.set_index("reference")[["mean", "sem", "n"]]


def regret_per_sequence(table: pd.DataFrame, *, n_rows: int) -> pd.DataFrame:
    """Return the total regret of sequences of `n_rows` rows: split, reference, value, sem, n.

    Infinite regrets are left out: those of sequences that a reference holds for impossible.
    """
    is_kept = (table["measure"] == "regret") & (table["row"] == "mean") & np.isfinite(table["mean"])
    means = table[is_kept].reset_index(drop=True)
    return means[["split", "reference"]].assign(
        value=n_rows * means["mean"], sem=n_rows * means["sem"], n=means["n"]
    )


def summary(table: pd.DataFrame, *, measure: str = "symmetrized_kl") -> pd.DataFrame:
    """Return one measure as text `mean ± s.e.`, with one column per reference.

    There is one row per split and kind of row.
    """
    is_shown = (table["measure"] == measure) & table["row"].isin(["mean", "last"])
    texts = [format_with_error(*pair) for pair in table.loc[is_shown, ["mean", "sem"]].to_numpy()]
    return (
        table[is_shown]
        .assign(text=texts)
        .pivot_table(
            index=["split", "row", "n"],
            columns="reference",
            values="text",
            aggfunc="first",
            sort=False,
        )
    )


def predict_sequence(compared: Mapping[str, Predictor], tokens: Tokens) -> pd.DataFrame:
    """Return the prediction of each predictor at each row of one sequence, tokens (1 time).

    Columns: predictor, row, color, probability, ball.
    """
    tables = []
    for name, predictor in compared.items():
        table = (
            pd.DataFrame(predictor(tokens)[0].exp().cpu().numpy())  # time vocab
            .rename_axis("row")
            .reset_index()
            .melt("row", var_name="color", value_name="probability")
            .astype({"color": int})
        )
        balls = table["row"].map(dict(enumerate(tokens[0].tolist())))
        tables.append(table.assign(predictor=name, ball=balls))
    return pd.concat(tables, ignore_index=True)


def last_predictions(
    predictor: Predictor, references: Mapping[str, Predictor], tokens: Tokens
) -> pd.DataFrame:
    """Return every sequence with the predictions of the model and its references at the last row.

    Columns: balls (the balls seen), `<name>/<color>` for the probabilities of the `model` and of
    each reference, and `symmetrized_kl/<reference>`. For vocabularies of more than
    `MAX_TOKEN_COLUMNS` tokens, `<name>/next` is the probability of the next token of the sequence
    and `<name>/best` is the most probable token.
    """
    columns = {"balls": [" ".join(map(str, seen)) for seen in tokens[:, :-1].tolist()]}
    last_rows = {"model": predictor(tokens)[:, -1]}
    last_rows |= {name: reference(tokens)[:, -1] for name, reference in references.items()}
    for name, log_probs in last_rows.items():
        if log_probs.shape[-1] > MAX_TOKEN_COLUMNS:
            columns[f"{name}/next"] = log_probs.exp().gather(-1, tokens[:, -1:])[:, 0].tolist()
            columns[f"{name}/best"] = log_probs.argmax(-1).tolist()
        else:
            for color, probs in enumerate(log_probs.exp().T.tolist()):
                columns[f"{name}/{color}"] = probs
    for name in references:
        distances = divergences.symmetrized_kl(last_rows["model"], last_rows[name])
        columns[f"symmetrized_kl/{name}"] = distances.tolist()
    return pd.DataFrame(columns)
