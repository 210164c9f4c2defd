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

from lexurn import divergences
from lexurn.evaluation import PerSequence, measures
from lexurn.shapes import Predictor, Tokens
from lexurn.uncertainty import Interval, Values, bootstrap, in_words, mean_and_sem, with_error

N_BLOCKS = 10
"""Blocks of sequences that the jackknife leaves out in turn."""


@dataclass(frozen=True)
class RelativeDistance:
    """(d(h, G) − d(h, M)) / d(G, M): −1 where the model h is G, +1 where it is M, unclamped, with its interval.

    Undetermined where G and M are no further apart than two standard errors of their distance.
    """

    interval: Interval
    apart: float
    apart_sem: float

    @property
    def undetermined(self) -> bool:
        return not self.apart > 2 * self.apart_sem

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
        return RelativeDistance(Interval(float("nan"), float("nan"), float("nan"), len(tokens)), 0.0, 0.0)
    return RelativeDistance(bootstrap(to_g, to_m, apart, statistic=_ratio, generator=generator), *mean_and_sem(apart))


def along_training(metrics: pd.DataFrame, *, memorizing: str, apart: float, split: str) -> pd.DataFrame:
    """Step and relative_distance at every evaluation of a training, from its logged distances and the ends' own."""
    to_g, to_m = (metrics[f"{split}/symmetrized_kl/{name}"] for name in ("generalizing", memorizing))
    return pd.DataFrame({"step": metrics["step"], "relative_distance": (to_g - to_m) / apart})


def over_runs(found: Sequence[RelativeDistance], *, generator: Generator) -> Interval:
    """The mean relative distance of several runs, each divided by its own pool's d(G, M); runs are resampled.

    Undetermined ones are left out; `n` counts the others. Raises ValueError where there is none.
    """
    values = [each.interval.value for each in found if not each.undetermined]
    if not values:
        raise ValueError(f"all of {len(found)} relative distances are undetermined; use pools that discriminate")
    return bootstrap(values, generator=generator)


def mixture(predictor: Predictor, references: Mapping[str, Predictor], tokens: Tokens) -> pd.DataFrame:
    """The mixture of references that is nearest to a predictor on rows 1 … C: reference, weight, sem, n.

    Least mean KL(predictor ‖ mixture). The standard error is that of the jackknife over `N_BLOCKS` blocks of sequences.
    """
    log_model = divergences.as_double(predictor(tokens))[:, 1:]
    log_references = torch.stack([divergences.as_double(each(tokens))[:, 1:] for each in references.values()])
    weights = divergences.mixture_weights(log_model, log_references)
    blocks = torch.arange(len(tokens)) % min(N_BLOCKS, len(tokens))
    without = torch.stack(
        [divergences.mixture_weights(log_model[keep], log_references[:, keep]) for keep in _all_but_one(blocks)]
    )
    sem = ((len(without) - 1) * without.var(0, correction=0)).sqrt()
    columns = {"reference": list(references), "weight": weights.tolist(), "sem": sem.tolist()}
    return pd.DataFrame({**columns, "n": len(tokens)})


def relabelling(predictor: Predictor, tokens: Tokens, *, vocab_size: int, generator: Generator) -> PerSequence:
    """How much the names of the tokens matter: symmetrized KL (batch time) between a prediction and the one for the
    sequence with its tokens renamed by a random permutation, the names changed back. 0 for G and S, not for M.
    """
    order = torch.rand(len(tokens), vocab_size, generator=generator).argsort(-1).to(tokens.device)  # old -> new
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
    """In words: how far the predictor is from each reference, which is nearest, and how far these are apart."""
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
    apart = [
        f"{first} and {second} are {in_words(over_rows(distance(references[first], references[second], tokens)))}"
        for first, second in itertools.combinations(references, 2)
    ]
    return text + _nearest(distances, ranked) + "For scale, " + ", ".join(apart) + " apart."


def _nearest(distances: Mapping[str, Tensor], ranked: Sequence[str]) -> str:
    """A paired comparison of the two nearest."""
    first, second = ranked[:2]
    mean, sem = mean_and_sem(distances[second] - distances[first])
    if mean > 2 * sem:
        return f"**Nearest is the {first} predictor**, by {with_error(mean, sem)} (paired) before {second}. "
    return f"**Equally near are {first} and {second}**, within two errors ({with_error(mean, sem)}, paired). "


def _ratio(to_g: np.ndarray, to_m: np.ndarray, apart: np.ndarray, axis: int) -> Values:
    return (to_g.mean(axis) - to_m.mean(axis)) / apart.mean(axis)


def _all_but_one(blocks: Tensor) -> list[Tensor]:
    return [blocks != left_out for left_out in blocks.unique()]
