"""Which reference does a predictor resemble? Relative distance, texts, and the published score.

Every result comes with its uncertainty over sequences, for one model. Distances are
symmetrized KL in nats, averaged over rows 1 … C.

The published headline has another score: KL(empirical frequencies ‖ predictor) at the last row, on
sequences from fresh urns. The first chapter scores exact predictors in this way, and the fourth
trained models.

The mixture of exact predictors that is nearest to a model is fitted to rows 1 … C of all sequences,
by the mean KL(model ‖ mixture) in nats.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan

import torch
from jaxtyping import Float, Float64
from torch import Generator, Tensor

from lexurn.base import divergences
from lexurn.base.shapes import Predictor, Tokens
from lexurn.generators.urns import Urns
from lexurn.measures.evaluation import PerSequence, score_sequences
from lexurn.measures.intervals import (
    MIN_UNITS,
    Interval,
    bootstrap,
    format_mean,
    is_above_zero,
    mean_and_sem,
)
from lexurn.predictors import Empirical

MAX_NEWTON_STEPS = 100
"""About 15 are enough."""


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
    interval = bootstrap(
        to_g,
        to_m,
        scale,
        statistic=lambda g, m, scale, axis: (g.mean(axis) - m.mean(axis)) / scale.mean(axis),
        generator=generator,
    )
    return RelativeDistance(interval, *mean_and_sem(scale))


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


def headline_sequences(
    task: Urns, *, n_balls: int, n_urns: int, n_sequences: int, generator: Generator
) -> Tokens:
    """Draw `n_sequences` from each of `n_urns` fresh urns.

    The sequences of an urn lie side by side. Each has `n_balls` + 1 balls, because the predictor
    does not see the last one.
    """
    urns = task.sample_tasks(n_urns, generator=generator).repeat_interleave(n_sequences, 0)
    return task.sample(urns, n_balls + 1, generator=generator)


def headline_scores(predictor: Predictor, tokens: Tokens) -> Float64[Tensor, "batch"]:
    """Return KL(empirical frequencies ‖ predictor) at the last row of each sequence, in nats."""
    log_probs = divergences.as_double(predictor(tokens))[:, -1]
    return divergences.kl(Empirical(log_probs.shape[-1])(tokens)[:, -1], log_probs)


def mixture_weights(
    predictor: Predictor, references: Mapping[str, Predictor], tokens: Tokens
) -> dict[str, float]:
    """Return the weights of the references in the mixture nearest to a predictor, by their name.

    They have no errors, which makes them fast enough to use in training.
    """
    weights = fit_weights(*stack_log_probs(predictor, references, tokens))
    return dict(zip(references, weights.tolist(), strict=True))


def kl_from_mixture(
    predictor: Predictor,
    references: Mapping[str, Predictor],
    tokens: Tokens,
    *,
    weights: Mapping[str, float],
) -> float:
    """Return the mean KL(predictor ‖ mixture with `weights`) over rows 1 … C, in nats."""
    log_model, log_references = stack_log_probs(predictor, references, tokens)
    ordered = torch.tensor([weights[name] for name in references], dtype=log_references.dtype)
    mixed = (log_references.cpu() + ordered.log()[:, None, None, None]).logsumexp(0)
    return divergences.kl(log_model.cpu(), mixed).mean().item()


def stack_log_probs(
    predictor: Predictor, references: Mapping[str, Predictor], tokens: Tokens
) -> tuple[Tensor, Tensor]:
    """Return log-probabilities of rows 1 … C: the predictor's and the references', stacked."""
    log_references = [
        divergences.as_double(reference(tokens))[:, 1:] for reference in references.values()
    ]
    return divergences.as_double(predictor(tokens))[:, 1:], torch.stack(log_references)


def fit_weights(
    log_model: Float[Tensor, "*rows vocab"], log_references: Float[Tensor, "references *rows vocab"]
) -> Float[Tensor, "references"]:
    """Return the weights w on the simplex that minimize the mean KL(model ‖ Σ w_i reference_i).

    The problem is convex. Because rows of the model add up to 1, minimizing the cross-entropy plus
    Σ w over w ≥ 0 gives weights that add up to 1. A primal-dual interior-point method with Newton
    steps solves it in float64 (Nocedal and Wright 2006, chapter 19). A weight of 0 is returned as
    1e-5 or less. Where a reference is 0 it counts as e^−700, so that derivatives stay finite.
    """
    model = log_model.cpu().double().exp().flatten()  # rows · vocab
    references = log_references.cpu().double().clamp_min(-700).exp().flatten(1)
    model = model / log_model.shape[:-1].numel()
    n = len(references)
    weights = torch.full((n,), 1 / n, dtype=torch.float64)
    slacks = torch.ones(n, dtype=torch.float64)  # multipliers of w ≥ 0
    for _ in range(MAX_NEWTON_STEPS):
        ratios = references / (weights @ references)
        gradient = 1 - ratios @ model
        barrier = 0.1 * (weights @ slacks) / n
        if barrier < 1e-11 and (gradient - slacks).abs().max() < 1e-9:
            break
        hessian = (ratios * model) @ ratios.T + torch.diag(slacks / weights)
        step = torch.linalg.solve(hessian, barrier / weights - gradient)
        slack_step = barrier / weights - slacks - slacks / weights * step
        weights = weights + _fraction(weights, step) * step
        slacks = slacks + _fraction(slacks, slack_step) * slack_step
    return weights / weights.sum()


def _fraction(values: Tensor, step: Tensor) -> float:
    """Return the largest fraction of a step up to 1 after which values keep 5 % of their size."""
    return min(1.0, 0.95 / (-step / values).max().clamp_min(1e-300).item())
