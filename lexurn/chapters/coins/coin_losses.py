"""Coins (V = 2, θ ~ Beta): what can be attained at best, and what a predictor would say of all coins and all sequences.

Colour 1 is heads. After H heads in N flips the exact predictor says (H + α) / (N + α + β) for heads, under the prior
Beta(α, β). In settings and below that is `alpha: [β, α]`, a number for each colour, tails first (see `beta_prior`).
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
from lexurn.generators.urns import Urns
from lexurn.models import LanguageModel
from lexurn.models.language_model import evaluating
from lexurn.runs.run import Run


def beta_prior(alpha: float, beta: float) -> list[float]:
    """Beta(α, β) over the probability of heads, as settings write it: one concentration for each colour."""
    return [beta, alpha]


def attainable_loss(alpha: Sequence[float], n_rows: int) -> Float64[Tensor, "row"]:
    """The least mean loss (nats) at rows 0 … n_rows − 1, that of the exact predictor: E[H_b(θ̂)], exactly.

    Row n sums over the beta-binomial law of its heads. It falls towards E[H_b(θ)], which no predictor attains.
    """
    beta, of_heads = Urns(2, alpha).alphas
    losses = []
    for n in range(n_rows):
        seen = torch.arange(n + 1, dtype=torch.float64)
        chance = torch.from_numpy(stats.betabinom(n, of_heads, beta).pmf(seen.numpy()))
        p = (seen + of_heads) / (n + of_heads + beta)
        entropy = divergences.entropy(torch.stack([p, 1 - p], -1).log())
        losses.append((chance * entropy).sum())
    return torch.stack(losses)


def unattainable_loss(alpha: Sequence[float]) -> float:
    """E[H_b(θ)] (nats), what remains to whoever knows the coin: ½ under a uniform prior."""
    beta, of_heads = Urns(2, alpha).alphas
    prior = stats.beta(of_heads, beta)
    return float(prior.expect(lambda theta: stats.bernoulli(theta).entropy()))


def by_theta(
    predictor: Predictor,
    exact: Predictor,
    thetas: Sequence[float],
    *,
    length: int,
    n_sequences: int,
    generator: Generator,
) -> pd.DataFrame:
    """How far a predictor is from the exact one on coins of given θ, row by row: theta, row, measure, mean, sem, n.

    Measures: `|p − exact|` of heads, and `kl` (exact ‖ predictor) in nats.
    """
    if not all(0 <= theta <= 1 for theta in thetas):
        raise ValueError(f"thetas are probabilities of heads between 0 and 1, got {list(thetas)}")
    tables = []
    for theta in thetas:
        tokens = (torch.rand(n_sequences, length, generator=generator) < theta).long()
        ours, best = divergences.as_double(predictor(tokens)).cpu(), exact(tokens)
        measures = {
            "|p − exact|": divergences.total_variation(ours, best),
            "kl": divergences.kl(best, ours),
        }
        for name, values in measures.items():
            columns = {
                "mean": values.mean(0).tolist(),
                "sem": (values.std(0) / n_sequences**0.5).tolist(),
            }
            of = {"theta": theta, "row": range(length), "measure": name, "n": n_sequences}
            tables.append(pd.DataFrame({**of, **columns}))
    return pd.concat(tables, ignore_index=True)


def constant(predictor: Predictor, *, length: int) -> pd.DataFrame:
    """The probability of heads along all heads and all tails: side, row, probability."""
    tokens = torch.tensor([[1] * length, [0] * length])
    probs = predictor(tokens)[..., 1].exp().tolist()
    tables = [
        pd.DataFrame({"side": side, "row": range(length), "probability": each})
        for side, each in zip(("all heads", "all tails"), probs, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


def sorted_sequences(length: int) -> Tokens:
    """Heads then tails, and tails then heads, in every proportion: what the original looked at alone."""
    rows = torch.arange(length + 1)[:, None] > torch.arange(length)
    return torch.cat([rows.long(), 1 - rows.long()[1:-1]])


def resampled(
    predictor: Predictor, n: int, length: int, *, generator: Generator
) -> Int64[Tensor, "n"]:
    """Heads among `length` flips that the predictor draws from itself, each given those before, n times.

    Their share is distributed as the prior that the predictor believes in, smoothed by a binomial law.
    """
    tokens = torch.zeros(n, length, dtype=torch.int64)
    for row in range(length):
        heads = predictor(tokens[:, : row + 1])[:, row, 1].exp().cpu()
        tokens[:, row] = (torch.rand(n, generator=generator) < heads).long()
    return tokens.sum(-1)


def prior_of(heads: Int64[Tensor, "n"], *, length: int, n_groups: int = 10) -> pd.DataFrame:
    """The Beta prior nearest to heads in `length` flips, by maximum likelihood of the beta-binomial law: a line for
    alpha and one for beta, with value and sem (jackknife over groups)."""
    counts = heads.numpy()
    fits = [_beta(np.delete(counts, np.s_[group::n_groups]), length) for group in range(n_groups)]
    sem = np.std(fits, axis=0) * (n_groups - 1) ** 0.5
    return pd.DataFrame({"value": _beta(counts, length), "sem": sem}, index=["alpha", "beta"])


def _beta(counts: np.ndarray, length: int) -> np.ndarray:
    def loss(logs: np.ndarray) -> float:
        return -stats.betabinom(length, *np.exp(logs)).logpmf(counts).mean()

    return np.exp(
        minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-8}).x
    )


def renamed(
    model: LanguageModel, tokens: Tokens, *, generator: Generator, with_table: bool
) -> Float64[Tensor, "batch"]:
    """Of a lexical model: how far the prediction moves (total variation, rows 1 … C) when the sides are exchanged and
    exchanged back, under one random table a sequence: with the table's rows exchanged too, or with the table as it was.
    """
    table = model.vocabulary.draw(len(tokens), generator=generator)
    other = table.flip(1) if with_table else table
    with evaluating(model):
        before, after = model(tokens, table=table), model(1 - tokens, table=other).flip(-1)
    return divergences.total_variation(before, after)[:, 1:].mean(-1)


def excess(predictor: Predictor, exact: Predictor, tokens: Tokens) -> Float64[Tensor, "batch"]:
    """What each sequence costs more than by the exact predictor, on the same flips: nats, mean over rows 1 … C."""
    ours, best = (
        divergences.negative_log_likelihood(each(tokens), tokens) for each in (predictor, exact)
    )
    return (ours.double() - best)[:, 1:].mean(-1)


def exact_loss(exact: Predictor, tokens: Tokens) -> float:
    """The mean loss of a predictor over rows 1 … C of these sequences."""
    return divergences.negative_log_likelihood(exact(tokens), tokens)[:, 1:].mean().item()


def losses_along(run: Run, who: str) -> pd.DataFrame:
    """Along a training, on the run's fresh coins: who, step, loss, excess (paired with the exact predictor)."""
    fresh, exact = run.splits["out_of_distribution"], run.references["generalizing"]
    best = exact_loss(exact, fresh)
    loss = run.metrics["out_of_distribution/loss"]
    return pd.DataFrame(
        {"who": who, "step": run.metrics["step"], "loss": loss, "excess": loss - best}
    )


def forgetting(tokens: Tokens, *, rate: float = 0.8) -> LogProbs:
    """A predictor that is not exchangeable, as a control: each flip counts `rate` times as much as the one after it."""
    flips = torch.nn.functional.one_hot(tokens, 2).double()
    counts = torch.zeros(len(tokens), 2, dtype=torch.float64)
    rows = []
    for flip in flips.unbind(1):
        rows.append((counts + 1) / (counts.sum(-1, keepdim=True) + 2))
        counts = rate * counts + flip
    return torch.stack(rows, 1).log()
