"""Coins (V = 2, θ ~ Beta): the attainable loss, and predictors compared on coins and sequences.

Colour 1 is heads. After H heads in N flips, the exact predictor under the prior Beta(α, β) gives
heads the probability (H + α) / (N + α + β). Settings write this prior as `alpha: [β, α]`, one
number per colour, tails first (see `beta_prior`).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64, Int64
from scipy import stats
from scipy.optimize import minimize
from torch import Generator, Tensor

from lexurn.base import divergences
from lexurn.base.shapes import LogProbs, Predictor, Tokens
from lexurn.chapters.coins.symmetry import total_variation
from lexurn.generators.urns import Urns
from lexurn.models import LanguageModel
from lexurn.models.language_model import evaluating


def beta_prior(alpha: float, beta: float) -> list[float]:
    """Return Beta(α, β) over the probability of heads in the order that settings use: [β, α]."""
    return [beta, alpha]


def attainable_loss(alpha: Sequence[float], n_rows: int) -> Float64[Tensor, "row"]:
    """Return the expected loss (nats) of the exact predictor at rows 0 … n_rows − 1: E[H_b(θ̂)].

    Row n is an exact sum over the beta-binomial law of the number of heads in n flips. The loss
    falls towards E[H_b(θ)], which no predictor attains.
    """
    tails_alpha, heads_alpha = Urns(2, alpha).alphas
    losses = []
    for n in range(n_rows):
        n_heads = torch.arange(n + 1, dtype=torch.float64)
        weights = torch.from_numpy(
            stats.betabinom(n, heads_alpha, tails_alpha).pmf(n_heads.numpy())
        )
        p = (n_heads + heads_alpha) / (n + heads_alpha + tails_alpha)
        entropy = divergences.entropy(torch.stack([p, 1 - p], -1).log())
        losses.append((weights * entropy).sum())
    return torch.stack(losses)


def unattainable_loss(alpha: Sequence[float]) -> float:
    """Return E[H_b(θ)], the loss (nats) of a predictor that knows θ: ½ under a uniform prior."""
    tails_alpha, heads_alpha = Urns(2, alpha).alphas
    prior = stats.beta(heads_alpha, tails_alpha)
    return float(prior.expect(lambda theta: stats.bernoulli(theta).entropy()))


def errors_by_theta(
    predictor: Predictor,
    exact: Predictor,
    thetas: Sequence[float],
    *,
    length: int,
    n_sequences: int,
    generator: Generator,
) -> pd.DataFrame:
    """Return the distance of a predictor from the exact one on coins of given θ, row by row.

    Columns: theta, row, measure, mean, sem, n. The measures are `|p − exact|` of heads, and `kl`
    (exact ‖ predictor) in nats.
    """
    if not all(0 <= theta <= 1 for theta in thetas):
        raise ValueError(
            f"thetas must be probabilities of heads between 0 and 1, got {list(thetas)}"
        )
    tables = []
    for theta in thetas:
        tokens = (torch.rand(n_sequences, length, generator=generator) < theta).long()
        log_probs = divergences.as_double(predictor(tokens)).cpu()
        exact_log_probs = exact(tokens)
        measures = {
            "|p − exact|": total_variation(log_probs, exact_log_probs),
            "kl": divergences.kl(exact_log_probs, log_probs),
        }
        for name, values in measures.items():
            columns = {"theta": theta, "row": range(length), "measure": name, "n": n_sequences}
            columns["mean"] = values.mean(0).tolist()
            columns["sem"] = (values.std(0) / n_sequences**0.5).tolist()
            tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def constant_sequence_predictions(predictor: Predictor, *, length: int) -> pd.DataFrame:
    """Return the probability of heads along all heads and all tails: side, row, probability."""
    tokens = torch.tensor([[1] * length, [0] * length])
    probs = predictor(tokens)[..., 1].exp().tolist()
    tables = [
        pd.DataFrame({"side": side, "row": range(length), "probability": side_probs})
        for side, side_probs in zip(("all heads", "all tails"), probs, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


def sorted_sequences(length: int) -> Tokens:
    """Return all sequences of heads then tails or tails then heads, as the original used them."""
    rows = torch.arange(length + 1)[:, None] > torch.arange(length)
    return torch.cat([rows.long(), 1 - rows.long()[1:-1]])


def sample_head_counts(
    predictor: Predictor, n: int, length: int, *, generator: Generator
) -> Int64[Tensor, "n"]:
    """Draw `n` sequences of `length` flips from a predictor, flip by flip, and count their heads.

    The share of heads is distributed as the prior that the predictor acts upon, smoothed by a
    binomial law.
    """
    tokens = torch.zeros(n, length, dtype=torch.int64)
    for row in range(length):
        heads_prob = predictor(tokens[:, : row + 1])[:, row, 1].exp().cpu()
        tokens[:, row] = (torch.rand(n, generator=generator) < heads_prob).long()
    return tokens.sum(-1)


def fit_beta_prior(heads: Int64[Tensor, "n"], *, length: int, n_groups: int = 10) -> pd.DataFrame:
    """Fit a Beta prior to counts of heads in `length` flips, by beta-binomial maximum likelihood.

    The rows are alpha and beta; the columns are value and sem (jackknife over groups).
    """
    counts = heads.numpy()
    fits = [
        _fit_betabinom(np.delete(counts, np.s_[group::n_groups]), length)
        for group in range(n_groups)
    ]
    sem = np.std(fits, axis=0) * (n_groups - 1) ** 0.5
    value = _fit_betabinom(counts, length)
    return pd.DataFrame({"value": value, "sem": sem}, index=["alpha", "beta"])


def _fit_betabinom(counts: np.ndarray, length: int) -> np.ndarray:
    def loss(log_params: np.ndarray) -> float:
        return -stats.betabinom(length, *np.exp(log_params)).logpmf(counts).mean()

    options = {"xatol": 1e-4, "fatol": 1e-8}
    return np.exp(minimize(loss, [0.0, 0.0], method="Nelder-Mead", options=options).x)


def relabelling_error(
    model: LanguageModel, tokens: Tokens, *, generator: Generator, flip_table: bool
) -> Float64[Tensor, "batch"]:
    """Return how far a lexical model's prediction moves when heads and tails are exchanged.

    The prediction for the exchanged sequence is exchanged back. The distance is the total
    variation, mean over rows 1 … C, under one random table per sequence. With `flip_table`, the
    rows of the table are exchanged too.
    """
    table = model.vocabulary.draw(len(tokens), generator=generator)
    flipped_table = table.flip(1) if flip_table else table
    with evaluating(model):
        log_probs = model(tokens, table=table)
        flipped_back = model(1 - tokens, table=flipped_table).flip(-1)
    return total_variation(log_probs, flipped_back)[:, 1:].mean(-1)


def excess_loss(predictor: Predictor, exact: Predictor, tokens: Tokens) -> Float64[Tensor, "batch"]:
    """Return the expected excess loss over the exact predictor, given the flips seen so far.

    It is KL(exact ‖ predictor) in nats, mean over rows 1 … C of each sequence. Its expectation is
    that of the difference of the losses, and it has no noise of the flips to come.
    """
    exact_log_probs = exact(tokens)
    log_probs = divergences.as_double(predictor(tokens)).cpu()
    return divergences.kl(exact_log_probs, log_probs)[:, 1:].mean(-1)


def forgetting_predictor(tokens: Tokens, *, rate: float = 0.8) -> LogProbs:
    """Predict coins as a control that is not exchangeable: older flips count less.

    A flip counts `rate` times as much as the flip after it.
    """
    flips = torch.nn.functional.one_hot(tokens, 2).double()
    counts = torch.zeros(len(tokens), 2, dtype=torch.float64)
    rows = []
    for flip in flips.unbind(1):
        rows.append((counts + 1) / (counts.sum(-1, keepdim=True) + 2))
        counts = rate * counts + flip
    return torch.stack(rows, 1).log()
