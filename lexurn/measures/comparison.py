"""Which reference does a predictor resemble? Relative distance, relabelling, and texts.

Every result comes with its uncertainty over sequences, for one model. `mean_over_runs` combines
several models, each with its own pool and seed. Distances are symmetrized KL in nats, averaged over
rows 1 … C.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
import pandas as pd
import torch
from torch import Generator, Tensor

from lexurn.base import divergences
from lexurn.base.shapes import Predictor, Tokens
from lexurn.measures.evaluation import PerSequence, score_sequences
from lexurn.measures.intervals import (
    MIN_UNITS,
    Interval,
    Values,
    bootstrap,
    format_mean,
    is_above_zero,
    mean_and_sem,
)


@dataclass(frozen=True)
class RelativeDistance:
    """(d(h, G) − d(h, M)) / d(G, M): −1 if the model h is G, +1 if it is M, unclamped.

    `reference_distance` is d(G, M), followed by its standard error.
    """

    interval: Interval
    reference_distance: float
    reference_distance_sem: float

    @property
    def is_undetermined(self) -> bool:
        """Return whether d(G, M) is within two standard errors of 0, or there are few sequences."""
        is_clear = self.reference_distance > 2 * self.reference_distance_sem
        return self.interval.n < MIN_UNITS or not is_clear

    @property
    def rescaled(self) -> float:
        """Return the relative distance from 0 (the model is G) to 1 (it is M)."""
        return (self.interval.value + 1) / 2

    def __str__(self) -> str:
        return "undetermined" if self.is_undetermined else str(self.interval)


def relative_distance(
    predictor: Predictor,
    references: Mapping[str, Predictor],
    tokens: Tokens,
    *,
    generator: Generator,
    memorizing: str = "memorizing",
) -> RelativeDistance:
    """Return where a predictor lies between `generalizing` and the reference named `memorizing`.

    For lexical models, that reference is `symmetrized`. Each distance is averaged over rows 1 … C
    and over sequences before the division. The bootstrap resamples sequences.
    """
    ends = {name: references[name] for name in ("generalizing", memorizing)}
    scores = score_sequences(predictor, ends, tokens)
    to_g, to_m = (mean_over_rows(scores[name, "symmetrized_kl"]) for name in ends)
    scale = mean_over_rows(distance(*ends.values(), tokens))
    if not scale.mean() > 0:
        return RelativeDistance(Interval(nan, nan, nan, len(tokens)), 0.0, 0.0)
    interval = bootstrap(to_g, to_m, scale, statistic=_ratio, generator=generator)
    return RelativeDistance(interval, *mean_and_sem(scale))


def along_training(
    metrics: pd.DataFrame, *, memorizing: str, reference_distance: float, split: str
) -> pd.DataFrame:
    """Return step and relative_distance at every evaluation of a training run.

    `metrics` are the logged distances of the model and `reference_distance` is d(G, M) on this
    split.
    """
    to_g = metrics[f"{split}/symmetrized_kl/generalizing"]
    to_m = metrics[f"{split}/symmetrized_kl/{memorizing}"]
    relative = (to_g - to_m) / reference_distance
    return pd.DataFrame({"step": metrics["step"], "relative_distance": relative})


def mean_over_runs(distances: Sequence[RelativeDistance], *, generator: Generator) -> Interval:
    """Return the mean relative distance of several runs, each divided by d(G, M) of its own pool.

    The bootstrap resamples runs. `n` counts the runs with a determined relative distance; the
    others are left out. Raises ValueError if no run has one.
    """
    values = [one.interval.value for one in distances if not one.is_undetermined]
    if not values:
        raise ValueError(
            f"all of {len(distances)} relative distances are undetermined; "
            "use pools for which G and the memorizer differ more"
        )
    return bootstrap(values, generator=generator)


def relabelling(
    predictor: Predictor, tokens: Tokens, *, vocab_size: int, generator: Generator
) -> PerSequence:
    """Return the symmetrized KL (batch time) between a prediction and its relabelled prediction.

    The relabelled prediction is made for the sequence with tokens renamed by a random permutation
    (never the identity), and its tokens are renamed back. It is 0 for S and, under a symmetric
    prior, for G, but not for M.
    """
    names = torch.arange(vocab_size)
    order = torch.rand(len(tokens), vocab_size, generator=generator).argsort(-1)  # old -> new
    is_identity = (order == names).all(-1, keepdim=True)
    order = torch.where(is_identity, names.roll(1), order).to(tokens.device)
    renamed = divergences.as_double(predictor(order.gather(1, tokens)))
    renamed_back = renamed.gather(-1, order[:, None].expand_as(renamed))
    return divergences.symmetrized_kl(divergences.as_double(predictor(tokens)), renamed_back)


def distance(first: Predictor, second: Predictor, tokens: Tokens) -> PerSequence:
    """Return the symmetrized KL between two predictors (batch time)."""
    return divergences.symmetrized_kl(first(tokens), second(tokens))


def mean_over_rows(values: PerSequence) -> Tensor:
    """Return the mean over rows 1 … C (batch)."""
    return values[:, 1:].mean(-1)


def describe(
    predictor: Predictor,
    references: Mapping[str, Predictor],
    splits: Mapping[str, Tokens],
    *,
    split: str = "out_of_distribution",
) -> str:
    """Return a text: the distances to all references, and the nearest reference if one is clear."""
    if split not in splits:
        raise KeyError(f"split must be one of {', '.join(splits)}, got {split!r}")
    tokens = splits[split]
    scores = score_sequences(predictor, references, tokens)
    distances = {name: mean_over_rows(scores[name, "symmetrized_kl"]) for name in references}
    ranked = sorted(distances, key=lambda name: distances[name].mean().item())
    texts = [f"{format_mean(distances[name])} from the {name}" for name in ranked]
    text = (
        f"On {len(tokens)} sequences {split.replace('_', ' ')}, this model is {', '.join(texts)} "
        "predictor (nats, mean over rows 1 … C, ± one standard error over these sequences, "
        "for one model). "
    )
    if "memorizing" in distances and "symmetrized" not in distances:
        text += (
            "The symmetrized predictor is left out: it is too slow for so many colours or urns. "
        )
    ranked = [name for name in ranked if distances[name].isfinite().all()]
    if len(ranked) < 2:
        return text
    first, second = ranked[:2]
    difference = distances[second] - distances[first]
    between = mean_over_rows(distance(references[first], references[second], tokens))
    if is_above_zero(difference):
        text += (
            f"**The {first} predictor is nearest**, by {format_mean(difference)} (paired); "
            f"{second} is next. "
        )
    else:
        text += (
            f"**It is not clear whether {first} or {second} is nearer**: the paired difference is "
            f"{format_mean(difference)}. "
        )
    if distances[first].mean() > between.mean():
        text += (
            f"But the distance between these two is only {format_mean(between)}: "
            "the model is **far from both**. "
        )
    return text.rstrip()


def ranking(values: Mapping[str, Tensor]) -> str:
    """Return `a < b ≈ c` for values (batch) on the same sequences; ≈ if the order is not clear."""
    names = sorted(values, key=lambda name: values[name].mean().item())
    text = names[0]
    for before, name in itertools.pairwise(names):
        text += f" {'<' if is_above_zero(values[name] - values[before]) else '≈'} {name}"
    return text


def nearest_by_row(
    predictor: Predictor, references: Mapping[str, Predictor], tokens: Tokens
) -> str:
    """Return a text: which reference is nearest at which rows from 1 on, if one is clear."""
    scores = score_sequences(predictor, references, tokens)
    nearest = []
    for row in range(1, tokens.shape[1]):
        values = {name: scores[name, "symmetrized_kl"][:, row] for name in references}
        first, second = sorted(values, key=lambda name: values[name].mean().item())[:2]
        is_clear = is_above_zero(values[second] - values[first])
        nearest.append((row, first if is_clear else "none for certain"))
    texts = []
    for name, span in itertools.groupby(nearest, key=lambda pair: pair[1]):
        rows = [row for row, _ in span]
        place = f"row {rows[0]}" if len(rows) == 1 else f"rows {rows[0]} to {rows[-1]}"
        texts.append(f"{name} at {place}")
    return ", ".join(texts)


def describe_scale(references: Mapping[str, Predictor], tokens: Tokens) -> str:
    """Return a text: the distances between the references, as a scale for a model's distances."""
    texts = []
    for first, second in itertools.combinations(references, 2):
        between = mean_over_rows(distance(references[first], references[second], tokens))
        texts.append(f"{format_mean(between)} between {first} and {second}")
    return f"For scale, the distances are {', '.join(texts)}." if texts else ""


def _ratio(to_g: np.ndarray, to_m: np.ndarray, scale: np.ndarray, axis: int) -> Values:
    return (to_g.mean(axis) - to_m.mean(axis)) / scale.mean(axis)
