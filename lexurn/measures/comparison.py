"""Which predictor is it? From distances to a verdict: relative distance, mixture weights, relabelling, and words.

Every verdict comes with its uncertainty over sequences, for one model; `over_runs` puts several models together, each
with a pool and a seed of its own. Distances are symmetrized KL in nats, averaged over rows 1 … C.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Generator, Tensor

from lexurn.base import divergences
from lexurn.base.shapes import Predictor, Tokens
from lexurn.measures.evaluation import PerSequence, measures
from lexurn.measures.intervals import (
    FEWEST,
    Interval,
    Values,
    bootstrap,
    in_words,
    is_above_zero,
    mean_and_sem,
)

N_BLOCKS = 10
"""Blocks of sequences that the jackknife leaves out in turn."""

BOUNDARY = 1e-3
"""A mixture weight below it is taken to be at the boundary of the simplex."""


@dataclass(frozen=True)
class RelativeDistance:
    """(d(h, G) − d(h, M)) / d(G, M): −1 where the model h is G, +1 where it is M, unclamped, with its interval.

    Undetermined where G and M are no further apart than two standard errors of their distance, or by a few sequences.
    """

    interval: Interval
    apart: float
    apart_sem: float

    @property
    def undetermined(self) -> bool:
        return self.interval.n < FEWEST or not self.apart > 2 * self.apart_sem

    @property
    def rescaled(self) -> float:
        """0 where the model is G, 1 where it is M."""
        return (self.interval.value + 1) / 2

    def __str__(self) -> str:
        return "undetermined" if self.undetermined else str(self.interval)


def relative_distance(
    predictor: Predictor,
    references: Mapping[str, Predictor],
    tokens: Tokens,
    *,
    generator: Generator,
    memorizing: str = "memorizing",
) -> RelativeDistance:
    """Where a predictor stands between `generalizing` and `memorizing` (of lexical models: `symmetrized`).

    Each distance is averaged over rows 1 … C and sequences before the division; sequences are resampled.
    """
    ends = {"generalizing": references["generalizing"], memorizing: references[memorizing]}
    found = measures(predictor, ends, tokens)
    to_g, to_m = (over_rows(found[name, "symmetrized_kl"]) for name in ends)
    apart = over_rows(distance(*ends.values(), tokens))
    if not apart.mean() > 0:
        return RelativeDistance(
            Interval(float("nan"), float("nan"), float("nan"), len(tokens)), 0.0, 0.0
        )
    return RelativeDistance(
        bootstrap(to_g, to_m, apart, statistic=_ratio, generator=generator), *mean_and_sem(apart)
    )


def along_training(
    metrics: pd.DataFrame, *, memorizing: str, apart: float, split: str
) -> pd.DataFrame:
    """Step and relative_distance at every evaluation of a training, from its logged distances and the ends' own."""
    to_g, to_m = (
        metrics[f"{split}/symmetrized_kl/{name}"] for name in ("generalizing", memorizing)
    )
    return pd.DataFrame({"step": metrics["step"], "relative_distance": (to_g - to_m) / apart})


def over_runs(found: Sequence[RelativeDistance], *, generator: Generator) -> Interval:
    """The mean relative distance of several runs, each divided by its own pool's d(G, M); runs are resampled.

    Undetermined ones are left out; `n` counts the others. Raises ValueError where there is none.
    """
    values = [each.interval.value for each in found if not each.undetermined]
    if not values:
        raise ValueError(
            f"all of {len(found)} relative distances are undetermined; use pools that discriminate"
        )
    return bootstrap(values, generator=generator)


def mixture(
    predictor: Predictor, references: Mapping[str, Predictor], tokens: Tokens
) -> pd.DataFrame:
    """The mixture of references that is nearest to a predictor on rows 1 … C: reference, weight, sem, n.

    Least mean KL(predictor ‖ mixture). The standard error is that of the jackknife over `N_BLOCKS` blocks of sequences,
    and NaN for a weight at the boundary (below `BOUNDARY`), where the jackknife does not hold.
    """
    log_model, log_references = _answers(predictor, references, tokens)
    weights = divergences.mixture_weights(log_model, log_references)
    blocks = torch.arange(len(tokens)) % min(N_BLOCKS, len(tokens))
    without = torch.stack(
        [
            divergences.mixture_weights(log_model[keep], log_references[:, keep])
            for keep in _all_but_one(blocks)
        ]
    )
    sem = ((len(without) - 1) * without.var(0, correction=0)).sqrt()
    sem[weights < BOUNDARY] = torch.nan
    columns = {"reference": list(references), "weight": weights.tolist(), "sem": sem.tolist()}
    return pd.DataFrame({**columns, "n": len(tokens)})


def mixture_weights(
    predictor: Predictor, references: Mapping[str, Predictor], tokens: Tokens
) -> dict[str, float]:
    """The weights of `mixture` alone, without their errors: cheap enough to be followed along a training."""
    weights = divergences.mixture_weights(*_answers(predictor, references, tokens))
    return dict(zip(references, weights.tolist(), strict=True))


def left_over(
    predictor: Predictor,
    references: Mapping[str, Predictor],
    tokens: Tokens,
    *,
    weights: Mapping[str, float],
) -> float:
    """What no mixture explains: mean KL (rows 1 … C, nats) of a predictor from the references mixed with `weights`."""
    log_model, log_references = _answers(predictor, references, tokens)
    log_weights = torch.tensor(
        [weights[name] for name in references], dtype=log_references.dtype
    ).log()
    mixed = (log_references.cpu() + log_weights[:, None, None, None]).logsumexp(0)
    return divergences.kl(log_model.cpu(), mixed).mean().item()


def relabelling(
    predictor: Predictor, tokens: Tokens, *, vocab_size: int, generator: Generator
) -> PerSequence:
    """How much the names of the tokens matter: symmetrized KL (batch time) between a prediction and the one for the
    sequence with its tokens renamed by a random permutation, never the identity, and the names changed back. 0 for S
    and, under a symmetric prior, for G; not for M.
    """
    names = torch.arange(vocab_size)
    order = torch.rand(len(tokens), vocab_size, generator=generator).argsort(-1)  # old -> new
    order = torch.where((order == names).all(-1, keepdim=True), names.roll(1), order).to(
        tokens.device
    )
    renamed = divergences.as_double(predictor(order.gather(1, tokens)))
    back = renamed.gather(-1, order[:, None].expand_as(renamed))
    return divergences.symmetrized_kl(divergences.as_double(predictor(tokens)), back)


def distance(first: Predictor, second: Predictor, tokens: Tokens) -> PerSequence:
    """Symmetrized KL between two predictors (batch time)."""
    return divergences.symmetrized_kl(first(tokens), second(tokens))


def over_rows(values: PerSequence) -> Tensor:
    """The mean over rows 1 … C (batch)."""
    return values[:, 1:].mean(-1)


def describe(
    predictor: Predictor,
    references: Mapping[str, Predictor],
    splits: Mapping[str, Tokens],
    *,
    split: str = "out_of_distribution",
) -> str:
    """In words: how far the predictor is from each reference, and whether it is nearest to one of them."""
    if split not in splits:
        raise KeyError(f"no split named {split}; there are {', '.join(splits)}")
    tokens = splits[split]
    distances = {
        name: over_rows(value)
        for (name, measure), value in measures(predictor, references, tokens).items()
        if measure == "symmetrized_kl"
    }
    ranked = sorted(distances, key=lambda name: distances[name].mean().item())
    text = (
        f"On {len(tokens)} sequences {split.replace('_', ' ')}, this model is "
        + ", ".join(f"{in_words(distances[name])} from the {name}" for name in ranked)
        + " predictor (nats, mean over rows 1 … C, ± one standard error over these sequences, for one model). "
    )
    if "memorizing" in distances and "symmetrized" not in distances:
        text += "The symmetrized predictor is left out, too slow for so many colours or urns. "
    ranked = [name for name in ranked if distances[name].isfinite().all()]
    if len(ranked) < 2:
        return text
    first, second = ranked[:2]
    difference = distances[second] - distances[first]
    between = over_rows(distance(references[first], references[second], tokens))
    if is_above_zero(difference):
        text += f"**Nearest is the {first} predictor**, by {in_words(difference)} (paired); {second} is next. "
    else:
        text += f"**It is not told whether {first} or {second} is nearer**: {in_words(difference)} (paired). "
    if distances[first].mean() > between.mean():
        text += (
            f"But these two are only {in_words(between)} apart: the model is **far from both**. "
        )
    return text.rstrip()


def ranking(values: Mapping[str, Tensor]) -> str:
    """In words: `a < b ≈ c`, from values (batch) on the same sequences; ≈ where neighbours are not told apart."""
    names = sorted(values, key=lambda name: values[name].mean().item())
    text = names[0]
    for before, name in itertools.pairwise(names):
        text += f" {'<' if is_above_zero(values[name] - values[before]) else '≈'} {name}"
    return text


def nearest_by_row(
    predictor: Predictor, references: Mapping[str, Predictor], tokens: Tokens
) -> str:
    """In words: which reference is nearest at which rows from 1 on, and where two are not told apart."""
    found = measures(predictor, references, tokens)
    spans: list[tuple[str, int]] = []
    for row in range(1, tokens.shape[1]):
        values = {name: found[name, "symmetrized_kl"][:, row] for name in references}
        first, second = sorted(values, key=lambda name: values[name].mean().item())[:2]
        name = first if is_above_zero(values[second] - values[first]) else "none for certain"
        if not spans or spans[-1][0] != name:
            spans.append((name, row))
    ends = [start - 1 for _, start in spans[1:]] + [tokens.shape[1] - 1]
    texts = []
    for (name, start), end in zip(spans, ends, strict=True):
        texts.append(f"{name} at row{f' {start}' if start == end else f's {start} to {end}'}")
    return ", ".join(texts)


def scale(references: Mapping[str, Predictor], tokens: Tokens) -> str:
    """In words: how far the references are apart, which is what a model's distances are to be read against."""
    apart = [
        f"{first} and {second} are {in_words(over_rows(distance(references[first], references[second], tokens)))}"
        for first, second in itertools.combinations(references, 2)
    ]
    return f"For scale, {', '.join(apart)} apart." if apart else ""


def _answers(
    predictor: Predictor, references: Mapping[str, Predictor], tokens: Tokens
) -> tuple[Tensor, Tensor]:
    """Log-probabilities of rows 1 … C: of the predictor, and of all references (references batch rows vocab)."""
    log_references = torch.stack(
        [divergences.as_double(each(tokens))[:, 1:] for each in references.values()]
    )
    return divergences.as_double(predictor(tokens))[:, 1:], log_references


def _ratio(to_g: np.ndarray, to_m: np.ndarray, apart: np.ndarray, axis: int) -> Values:
    return (to_g.mean(axis) - to_m.mean(axis)) / apart.mean(axis)


def _all_but_one(blocks: Tensor) -> list[Tensor]:
    return [blocks != left_out for left_out in blocks.unique()]
