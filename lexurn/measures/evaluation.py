"""How far a predictor is from its references: a tidy table, each number with its standard error and n.

    step  split  row  reference  measure  mean  sem  n

`row` is a row number, `last`, or `mean` (rows 1 … C; row 0 has seen nothing and is reported apart. Of words it counts,
and rows behind EOS, where all agree, count as zero: C + 1 times `mean` is nats a word). Rows of the table
average over sequences; `n` counts them, and `sem` is the standard error over them, for one model and its one pool (the
low-entropy sequences are all there are: theirs is a spread, not an uncertainty). Measures in nats: `loss`
(−log p of the next token, no reference), `entropy` of the prediction, and `symmetrized_kl`, `kl` (reference ‖ model)
and `regret` (model loss − reference loss) against each reference. Of an average of predictors (a lexical model under
several tables) there is also their `disagreement`: the mean KL of a single one from the average.

Splits are named sequences, references named predictors; made once and remembered, comparisons on them are paired.
"""

from collections.abc import Mapping
from math import inf
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor

from lexurn.base import divergences
from lexurn.base.shapes import LogProbs, Predictor, Tokens
from lexurn.measures.intervals import with_error
from lexurn.predictors import Average, mean_prediction

PerSequence = Float64[Tensor, "batch time"]

MOST_TOKENS = 64
"""Of which every one has a column in a table of predictions."""


def evaluate(
    predictor: Predictor,
    references: Mapping[str, Predictor],
    splits: Mapping[str, Tokens],
    *,
    step: int = 0,
    first_row: int = 1,
    at_once: int | None = None,
) -> pd.DataFrame:
    """Score a predictor on every split against every reference; means are over rows from `first_row` on.

    Where vocabularies are large, no more than some sequences should be predicted `at_once`. Raises ValueError where the
    predictor's answer is no log-probabilities for these tokens.
    """
    tables = []
    for name, tokens in splits.items():
        parts = [tokens] if at_once is None or at_once >= len(tokens) else tokens.split(at_once)
        found = [measures(predictor, references, part) for part in parts]
        values = {of: torch.cat([each[of] for each in found]) for of in found[0]}
        tables.append(_table(name, values, first_row))
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "step", step)
    return table


def measures(
    predictor: Predictor, references: Mapping[str, Predictor], tokens: Tokens
) -> dict[tuple[str, str], PerSequence]:
    """(reference, measure) -> values (batch time) before any averaging; the reference of `loss` and `entropy` is ''."""
    each = predictor.predict_each(tokens) if isinstance(predictor, Average) else None
    model = predictor(tokens) if each is None else mean_prediction(each)
    answers = {name: reference(tokens) for name, reference in references.items()}
    _check_log_probs(model, answers)
    _check_causal(
        predictor.predictors[0] if each is not None else predictor, tokens, model.shape[-1]
    )
    model = divergences.as_double(model).to(tokens.device)
    loss = divergences.negative_log_likelihood(model, tokens)
    values = {("", "loss"): loss, ("", "entropy"): divergences.entropy(model)}
    if each is not None:
        values["", "disagreement"] = divergences.kl(each, model).mean(0)
    for name, reference in answers.items():
        values[name, "symmetrized_kl"] = divergences.symmetrized_kl(reference, model)
        values[name, "kl"] = divergences.kl(reference, model)
        values[name, "regret"] = loss - divergences.negative_log_likelihood(reference, tokens)
    return values


def _check_log_probs(log_probs: Any, answers: Mapping[str, LogProbs]) -> None:
    if not isinstance(log_probs, Tensor):
        raise TypeError(
            f"a predictor must return a torch tensor of log-probabilities, got {type(log_probs).__name__}; "
            "use torch.as_tensor(...)"
        )
    for reference in answers.values():
        if log_probs.shape != reference.shape:
            wanted, came = tuple(reference.shape), tuple(log_probs.shape)
            raise ValueError(
                f"a predictor must return (batch, time, vocab) = {wanted} here, got {came}"
            )
    if log_probs.isnan().any():
        raise ValueError(
            "a predictor must return log-probabilities, got nan; a probability of 0 is -inf"
        )
    sums = log_probs.double().exp().sum(-1).flatten()
    off = (sums - 1).abs().nan_to_num(inf)
    if off.max() > 1e-3:
        raise ValueError(
            "a predictor must return log-probabilities, whose exponentials add up to 1; they add up to "
            f"{sums[off.argmax()].item():.4g} at one row; use .log_softmax(-1)"
        )


def _check_causal(predictor: Predictor, tokens: Tokens, vocab_size: int) -> None:
    """On a few sequences, as the classic mistake, a row t that has seen token t, makes any predictor look good."""
    few, half = tokens[:4], tokens.shape[1] // 2
    changed = torch.cat([few[:, :half], (few[:, half:] + 1) % vocab_size], 1)
    before, after = (predictor(each)[:, : half + 1].exp() for each in (few, changed))
    moved = (before - after).abs().amax((0, 2)) > 1e-3
    if moved.any():
        raise ValueError(
            f"a predictor must be a function of the tokens before each row, but row {int(moved.nonzero()[0])} changes "
            f"when only tokens[:, {half}:] do; row t may have seen tokens[:, :t]"
        )


def select(
    table: pd.DataFrame, *, split: str, measure: str = "symmetrized_kl", row: str = "mean"
) -> pd.DataFrame:
    """The lines of one split, measure and row, indexed by reference: mean, sem, n."""
    lines = table[(table["split"] == split) & (table["measure"] == measure) & (table["row"] == row)]
    return lines.set_index("reference")[["mean", "sem", "n"]]


def distance(table: pd.DataFrame) -> str:
    """The measure that says how far a model is from its references: symmetrized_kl, or regret where that is infinite,
    as it is to an oracle, which knows what can not come."""
    means = table[(table["measure"] == "symmetrized_kl") & (table["row"] == "mean")]["mean"]
    return "symmetrized_kl" if means.lt(inf).any() else "regret"


def regret_per_sequence(table: pd.DataFrame, *, n_rows: int) -> pd.DataFrame:
    """Return the total regret of sequences of `n_rows` rows: split, reference, value, sem, n.

    What a reference holds for impossible is left out: strings longer than those it was made for.
    """
    mean = table[(table["measure"] == "regret") & (table["row"] == "mean")]
    mean = mean[np.isfinite(mean["mean"])]
    return pd.DataFrame(
        {
            "split": mean["split"],
            "reference": mean["reference"],
            "value": n_rows * mean["mean"],
            "sem": n_rows * mean["sem"],
            "n": mean["n"],
        }
    ).reset_index(drop=True)


def summary(table: pd.DataFrame, *, measure: str | None = None) -> pd.DataFrame:
    """`mean ± s.e.` of one measure (that of `distance`), a line per split and row kind, a column per reference."""
    lines = table[
        (table["measure"] == (measure or distance(table))) & table["row"].isin(["mean", "last"])
    ].copy()
    lines["text"] = [
        with_error(mean, sem) for mean, sem in zip(lines["mean"], lines["sem"], strict=True)
    ]
    return lines.pivot_table(
        index=["split", "row", "n"], columns="reference", values="text", aggfunc="first", sort=False
    )


def on_one_sequence(predictors: Mapping[str, Predictor], tokens: Tokens) -> pd.DataFrame:
    """What each predictor says along one sequence, tokens (1 time): predictor, row, color, probability, ball."""
    tables = []
    for name, predictor in predictors.items():
        probs = predictor(tokens)[0].exp().cpu()  # time vocab
        table = pd.DataFrame(probs.numpy()).rename_axis("row").reset_index()
        table = table.melt("row", var_name="color", value_name="probability").astype({"color": int})
        tables.append(
            table.assign(predictor=name, ball=table["row"].map(dict(enumerate(tokens[0].tolist()))))
        )
    return pd.concat(tables, ignore_index=True)


def of_those_that_come(table: pd.DataFrame, tokens: Tokens) -> tuple[pd.DataFrame, list[int]]:
    """Of `on_one_sequence` the tokens alone that come in it, numbered as they first come; and which they are."""
    come = list(dict.fromkeys(tokens[0].tolist()))
    number = {token: place for place, token in enumerate(come)}
    kept = table[table["color"].isin(come)]
    return kept.assign(color=kept["color"].map(number), ball=kept["ball"].map(number)), come


def last_predictions(
    predictor: Predictor, references: Mapping[str, Predictor], tokens: Tokens
) -> pd.DataFrame:
    """Every sequence with what the model and its references predict at the last row, for a person to look through.

    Columns: balls (those seen), `<who>/<color>` for the probabilities of the `model` and each reference, and
    `symmetrized_kl/<reference>`. Of more than `MOST_TOKENS` tokens, `<who>/next` is the probability of the one that
    came and `<who>/best` the one thought most probable.
    """
    table = pd.DataFrame({"balls": [" ".join(map(str, seen)) for seen in tokens[:, :-1].tolist()]})
    answers = {
        name: each(tokens)[:, -1] for name, each in {"model": predictor, **references}.items()
    }
    for name, log_probs in answers.items():
        if log_probs.shape[-1] > MOST_TOKENS:
            table[f"{name}/next"] = log_probs.exp().gather(-1, tokens[:, -1:])[:, 0].tolist()
            table[f"{name}/best"] = log_probs.argmax(-1).tolist()
            continue
        for color, probs in enumerate(log_probs.exp().T.tolist()):
            table[f"{name}/{color}"] = probs
    for name in references:
        table[f"symmetrized_kl/{name}"] = divergences.symmetrized_kl(
            answers["model"], answers[name]
        ).tolist()
    return table


def _table(split: str, values: dict[tuple[str, str], PerSequence], first_row: int) -> pd.DataFrame:
    lines: dict[str, list[Any]] = {
        name: [] for name in ("row", "reference", "measure", "mean", "sem", "n")
    }
    for (reference, measure), value in values.items():
        columns = torch.cat(
            [value, value[:, -1:], value[:, first_row:].mean(-1, keepdim=True)], 1
        )  # batch row
        rows, n = [*map(str, range(value.shape[1])), "last", "mean"], len(value)
        lines["row"] += rows
        lines["mean"] += columns.mean(0).tolist()
        lines["sem"] += (columns.std(0) / n**0.5).tolist()
        for name, constant in (("reference", reference), ("measure", measure), ("n", n)):
            lines[name] += [constant] * len(rows)
    return pd.DataFrame({"split": split, **lines})
