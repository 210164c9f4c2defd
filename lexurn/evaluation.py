"""How far a predictor is from its references: a tidy table, each number with its standard error and n.

    step  split  row  reference  measure  mean  sem  n

`row` is a row number, `last`, or `mean` (rows 1 … C; row 0 has seen nothing and is reported apart). Rows of the table
average over sequences; `n` counts them, and `sem` is the standard error over them, for one model and its one pool (the
low-entropy sequences are all there are: theirs is a spread, not an uncertainty). Measures in nats: `loss`
(−log p of the next token, no reference), `entropy` of the prediction, and `symmetrized_kl`, `kl` (reference ‖ model)
and `regret` (model loss − reference loss) against each reference.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, inf, isnan, log10

import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor

from lexurn import divergences
from lexurn.shapes import LogProbs, Predictor, Tokens

PerSequence = Float64[Tensor, "batch time"]


@dataclass(frozen=True)
class Split:
    """Held-out sequences and what each reference predicts on them; made once, so that comparisons are paired."""

    name: str
    tokens: Tokens
    references: dict[str, LogProbs]


def splits(tokens: Mapping[str, Tokens], references: Mapping[str, Predictor]) -> list[Split]:
    """Evaluation splits from named sequences and named reference predictors."""
    return [
        Split(name, sequences, {of: predictor(sequences) for of, predictor in references.items()})
        for name, sequences in tokens.items()
    ]


def evaluate(predictor: Predictor, held: list[Split], *, step: int = 0) -> pd.DataFrame:
    """Score a predictor on every split against every reference."""
    table = pd.concat([_table(split.name, measures(predictor, split)) for split in held], ignore_index=True)
    table.insert(0, "step", step)
    return table


def measures(predictor: Predictor, split: Split) -> dict[tuple[str, str], PerSequence]:
    """(reference, measure) -> values (batch time) before any averaging; the reference of `loss` and `entropy` is ''.

    Raises ValueError where the predictor's answer is no log-probabilities for these tokens.
    """
    model = divergences.as_double(predictor(split.tokens)).to(split.tokens.device)
    _check_log_probs(model, split)
    loss = divergences.negative_log_likelihood(model, split.tokens)
    values = {("", "loss"): loss, ("", "entropy"): divergences.entropy(model)}
    for name, reference in split.references.items():
        values[name, "symmetrized_kl"] = divergences.symmetrized_kl(reference, model)
        values[name, "kl"] = divergences.kl(reference, model)
        values[name, "regret"] = loss - divergences.negative_log_likelihood(reference, split.tokens)
    return values


def _check_log_probs(log_probs: Tensor, split: Split) -> None:
    for reference in split.references.values():
        if log_probs.shape != reference.shape:
            wanted, came = tuple(reference.shape), tuple(log_probs.shape)
            raise ValueError(f"a predictor must return (batch, time, vocab) = {wanted} here, got {came}")
    sums = log_probs.exp().sum(-1).flatten()
    off = (sums - 1).abs().nan_to_num(inf)
    if off.max() > 1e-3:
        raise ValueError(
            f"a predictor must return log-probabilities, whose exponentials add up to 1; on {split.name} they add up "
            f"to {sums[off.argmax()].item():.4g} at one row; use .log_softmax(-1)"
        )


def select(table: pd.DataFrame, *, split: str, measure: str = "symmetrized_kl", row: str = "mean") -> pd.DataFrame:
    """The lines of one split, measure and row, indexed by reference: mean, sem, n."""
    lines = table[(table["split"] == split) & (table["measure"] == measure) & (table["row"] == row)]
    return lines.set_index("reference")[["mean", "sem", "n"]]


def summary(table: pd.DataFrame, *, measure: str = "symmetrized_kl") -> pd.DataFrame:
    """`mean ± s.e.` of one measure, a line per split and row kind, a column per reference."""
    lines = table[(table["measure"] == measure) & table["row"].isin(["mean", "last"])].copy()
    lines["text"] = [with_error(mean, sem) for mean, sem in zip(lines["mean"], lines["sem"], strict=True)]
    return lines.pivot_table(
        index=["split", "row", "n"], columns="reference", values="text", aggfunc="first", sort=False
    )


def between(split: Split, first: str, second: str) -> PerSequence:
    """Symmetrized KL between two references (batch time)."""
    return divergences.symmetrized_kl(split.references[first], split.references[second])


def describe(predictor: Predictor, held: list[Split], *, split: str = "out_of_distribution") -> str:
    """In words: how far the predictor is from each reference, which is nearest, and how far these are apart."""
    of = _named(held, split)
    distances = {
        name: value[:, 1:].mean(-1)  # batch
        for (name, measure), value in measures(predictor, of).items()
        if measure == "symmetrized_kl"
    }
    ranked = sorted(distances, key=lambda name: distances[name].mean().item())
    text = (
        f"On {len(of.tokens)} sequences {split.replace('_', ' ')}, this model is "
        + ", ".join(f"{_in_words(distances[name])} from the {name}" for name in ranked)
        + " predictor (nats, mean over rows 1 … C, ± one standard error over these sequences, for one model). "
    )
    if "memorizing" in distances and "symmetrized" not in distances:
        text += "The symmetrized predictor is left out, too slow for so many colours or urns. "
    ranked = [name for name in ranked if distances[name].isfinite().all()]
    if len(ranked) < 2:
        return text
    difference = distances[ranked[1]] - distances[ranked[0]]
    mean, sem = _mean_and_sem(difference)
    if mean > 2 * sem:
        text += f"**Nearest is the {ranked[0]} predictor**, by {_in_words(difference)} (paired) before {ranked[1]}. "
    else:
        text += (
            f"**Equally near are {ranked[0]} and {ranked[1]}**, within two errors ({_in_words(difference)}, paired). "
        )
    apart = [
        f"{first} and {second} are {_in_words(between(of, first, second)[:, 1:].mean(-1))}"
        for first, second in itertools.combinations(of.references, 2)
    ]
    return text + "For scale, " + ", ".join(apart) + " apart."


def on_one_sequence(
    predictors: Mapping[str, Predictor], held: list[Split], *, split: str = "out_of_distribution", sequence: int = 0
) -> pd.DataFrame:
    """What each predictor says along one held-out sequence: predictor, row, color, probability, ball."""
    tokens = _named(held, split).tokens[sequence : sequence + 1]
    tables = []
    for name, predictor in predictors.items():
        probs = predictor(tokens)[0].exp().cpu()  # time vocab
        table = pd.DataFrame(probs.numpy()).rename_axis("row").reset_index()
        table = table.melt("row", var_name="color", value_name="probability")
        tables.append(table.assign(predictor=name, ball=table["row"].map(dict(enumerate(tokens[0].tolist())))))
    return pd.concat(tables, ignore_index=True)


def _named(held: list[Split], name: str) -> Split:
    for each in held:
        if each.name == name:
            return each
    raise KeyError(f"no split named {name}; there are {', '.join(each.name for each in held)}")


def with_error(mean: float, sem: float) -> str:
    """`0.0216 ± 0.0006`, to the second digit of the standard error but no coarser than 0.01."""
    if mean == inf:
        return "infinite"
    if not sem > 1e-9 * abs(mean):  # a constant, but for rounding; or a single sequence, whose error is not known
        return f"{mean:.4g} ± {'?' if isnan(sem) else 0}"
    decimals = min(max(1 - floor(log10(sem)), 2), 12)
    return f"{mean:.{decimals}f} ± {sem:.{decimals}f}"


def _in_words(values: Tensor) -> str:
    return with_error(*_mean_and_sem(values))


def _mean_and_sem(values: Tensor) -> tuple[float, float]:
    return values.mean().item(), (values.std() / len(values) ** 0.5).item()


def _table(split: str, values: dict[tuple[str, str], PerSequence]) -> pd.DataFrame:
    tables = []
    for (reference, measure), value in values.items():
        columns = torch.cat([value, value[:, -1:], value[:, 1:].mean(-1, keepdim=True)], 1)  # batch row
        rows = [*map(str, range(value.shape[1])), "last", "mean"]
        n = len(value)
        tables.append(
            pd.DataFrame(
                {
                    "split": split,
                    "row": rows,
                    "reference": reference,
                    "measure": measure,
                    "mean": columns.mean(0).tolist(),
                    "sem": (columns.std(0) / n**0.5).tolist(),
                    "n": n,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)
