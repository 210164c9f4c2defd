"""How much of its pool has a model memorized? Measured against the best rule without memory.

    G_α*       the add-α rule that predicts the pool best: what counting alone can do
    captured   1 − KL(M ‖ h) / KL(M ‖ G_α*), the share of the memorizer's advantage over counting
               that the model h has. M is S for models without names.
    B_ε        memorizing with doubt: the mixture of whole sequences from M (1 − ε) and from fresh
               urns (ε), and with a share u of the uniform prediction in every row

`captured` is a ratio of means over rows 1 … C and sequences, at most 1 and unbounded below. Means
over urns are taken of ln(1 − captured), the `deficit`, so that they are of ratios: 0 for a model as
far from M as G_α* is, −2.3 where a tenth of that is left.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log

import numpy as np
import torch
from scipy import optimize, stats

from lexurn.base import divergences
from lexurn.base.shapes import LogProbs, Pool, Predictor, Tokens
from lexurn.measures import comparison
from lexurn.predictors import Generalizing, SequenceMixture, Uniform
from lexurn.predictors.combining import log_evidence, mix_sequences

LOG_ALPHAS = (-5.0, 12.0)
"""Bounds of ln α in the search for the best add-α rule."""

LOGITS = np.arange(-25.0, 8.5, 1.0)
"""The grid of logit ε on which a fit begins."""


def add_alpha_loss(pool: Pool, alpha: float, n_rows: int) -> float:
    """Return the mean loss of the add-α rule over rows 1 … n_rows − 1 of the pool's sequences.

    It is exact: the count of colour v at row t is binomial with t trials, so that the loss is
    ln(t + V α) − Σ_v θ_v E ln(n_v + α), averaged over urns.
    """
    urns = pool.numpy()  # tasks colors
    rows = np.arange(1, n_rows)
    counts = np.arange(n_rows)
    probs = stats.binom.pmf(counts, rows[:, None, None, None], urns[..., None])
    log_mass = (probs * np.log(counts + alpha)).sum(-1)  # rows tasks colors
    losses = np.log(rows + urns.shape[1] * alpha)[:, None] - (urns * log_mass).sum(-1)
    return float(losses.mean())


def best_alpha(pool: Pool, n_rows: int) -> float:
    """Return the α of the add-α rule that predicts the pool's sequences of `n_rows` tokens best."""
    optimum = optimize.minimize_scalar(
        lambda log_alpha: add_alpha_loss(pool, np.exp(log_alpha), n_rows),
        bounds=LOG_ALPHAS,
        method="bounded",
    )
    return float(np.exp(optimum.x))


def best_generalizing(pool: Pool, n_rows: int) -> Generalizing:
    """Return G_α*, the best rule without memory for this pool."""
    return Generalizing(pool.shape[1], best_alpha(pool, n_rows))


def mean_kl(first: Predictor, second: Predictor, tokens: Tokens) -> float:
    """Return the mean of KL(first ‖ second) over rows 1 … C and sequences, in nats."""
    return divergences.kl(first(tokens), second(tokens))[:, 1:].mean().item()


def captured(predictor: Predictor, memorizer: Predictor, pool: Pool, tokens: Tokens) -> float:
    """Return the share of the memorizer's advantage over counting that a predictor has.

    `tokens` are sequences of the pool.
    """
    scale = mean_kl(memorizer, best_generalizing(pool, tokens.shape[1]), tokens)
    return 1 - mean_kl(memorizer, predictor, tokens) / scale


@dataclass(frozen=True)
class Doubt:
    """The B_ε nearest to a model: logit ε, the uniform share u, and the mean KL(model ‖ B_ε).

    `is_bound` says that the fit ended at an end of the grid of logit ε, which is then a bound.
    """

    logit: float
    uniform: float
    kl: float
    is_bound: bool

    @property
    def epsilon(self) -> float:
        """The prior probability that a sequence comes from a fresh urn."""
        return float(1 / (1 + np.exp(-self.logit)))


def fit_doubt(
    predictor: Predictor,
    references: Mapping[str, Predictor],
    tokens: Tokens,
    *,
    memorizing: str,
    max_uniform: float = 1.0,
) -> Doubt:
    """Return the B_ε with a uniform share u of at most `max_uniform` nearest to a predictor.

    It minimizes the mean KL(model ‖ B) over rows 1 … C: a grid of logit ε, then a bounded search,
    with the best u for each ε. `tokens` should be of fresh urns: in distribution, an ε below .01
    changes too little to be found.
    """
    log_model = divergences.as_double(predictor(tokens))
    names = (memorizing, "generalizing")
    parts = torch.stack([divergences.as_double(references[name](tokens)) for name in names])
    evidence = torch.stack([log_evidence(part, tokens) for part in parts])

    def best_share(logit: float) -> tuple[float, float]:
        """Return the distance of the best B_ε of this ε, and its uniform share."""
        log_weights = torch.tensor([0.0, logit], dtype=torch.float64)
        mixture = mix_sequences(parts, log_weights, evidence)
        if max_uniform == 0:
            return _distance(log_model, mixture, 0.0), 0.0
        optimum = optimize.minimize_scalar(
            lambda u: _distance(log_model, mixture, u), bounds=(0.0, max_uniform), method="bounded"
        )
        return float(optimum.fun), float(optimum.x)

    coarse = [best_share(logit)[0] for logit in LOGITS]
    best = int(np.argmin(coarse))
    bounds = LOGITS[max(best - 1, 0)], LOGITS[min(best + 1, len(LOGITS) - 1)]
    logit = optimize.minimize_scalar(
        lambda logit: best_share(logit)[0], bounds=bounds, method="bounded"
    ).x
    distance, uniform = best_share(logit)
    return Doubt(float(logit), uniform, distance, best in (0, len(LOGITS) - 1))


def with_doubt(doubt: Doubt, references: Mapping[str, Predictor], *, memorizing: str) -> Predictor:
    """Return B_ε with its uniform share as a predictor."""
    parts = [references[memorizing], references["generalizing"]]
    mixture = SequenceMixture(parts, [1 - doubt.epsilon, doubt.epsilon])
    return lambda tokens: _add_uniform(mixture(tokens), doubt.uniform)


def doubt_and_blend(
    predictor: Predictor, ends: Mapping[str, Predictor], *, fresh: Tokens, inside: Tokens
) -> dict[str, float | bool]:
    """Return the B_ε and the blend of rows that are nearest to a predictor on fresh urns.

    `ends` are G and the memorizer, in this order; `inside` are sequences in distribution. The
    result has epsilon, uniform and is_bound of B_ε, and the mean KL(predictor ‖ fit) in
    distribution, where nothing was fitted, of both: doubt and blend. The blend mixes `ends` and U
    with the same weights in every row. `epsilon_alone` and `doubt_alone` are those of the B_ε
    without a uniform share.
    """
    memorizing = list(ends)[1]
    fit = fit_doubt(predictor, ends, fresh, memorizing=memorizing)
    alone = fit_doubt(predictor, ends, fresh, memorizing=memorizing, max_uniform=0.0)
    blended = dict(ends) | {"uniform": Uniform(predictor(fresh[:1]).shape[-1])}
    weights = comparison.mixture_weights(predictor, blended, fresh)
    return {
        "epsilon": fit.epsilon,
        "uniform": fit.uniform,
        "is_bound": fit.is_bound,
        "doubt": mean_kl(predictor, with_doubt(fit, ends, memorizing=memorizing), inside),
        "epsilon_alone": alone.epsilon,
        "doubt_alone": mean_kl(predictor, with_doubt(alone, ends, memorizing=memorizing), inside),
        "blend": comparison.kl_from_mixture(predictor, blended, inside, weights=weights),
    }


def _add_uniform(log_probs: LogProbs, share: float) -> LogProbs:
    return ((1 - share) * log_probs.exp() + share / log_probs.shape[-1]).log()


def _distance(log_model: LogProbs, log_mixture: LogProbs, share: float) -> float:
    return divergences.kl(log_model, _add_uniform(log_mixture, share))[:, 1:].mean().item()


def deficit(kl_to_model: float, kl_to_best: float) -> float:
    """Return ln(1 − captured) from the two mean divergences of a memorizer, in nats."""
    return log(kl_to_model / kl_to_best)
