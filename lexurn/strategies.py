"""Which strategy does training select? The account of Wurgaft et al. 2025 (arXiv 2506.17859): loss against complexity.

A model after N steps predicts like a mixture of strategies (here M or S, G, and perhaps U), whose weights are

    w_i ∝ exp(−ln 2 · K_i^β − γ N^{1−α} L_i)

K_i: bits of the strategy, the shortest of its compressed data and source. L_i: its mean loss beyond the truth, nats a
row, in distribution. So for two strategies with ΔL = L_G − L_M the log odds of M are
γ N^{1−α} ΔL − ln 2 (K_M^β − K_G^β), and the transition is where they are zero. α, β and γ are fitted to how models
predict, and judged on what was held out.
"""

import bz2
import inspect
import lzma
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log

import brotli
import numpy as np
import pandas as pd
import torch
import zstandard
from jaxtyping import Float, Float64
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize
from torch import Tensor

from lexurn import divergences
from lexurn.predictors import Generalizing, Memorizing, Symmetrized
from lexurn.runs import Run
from lexurn.shapes import LogProbs, Pool, Predictor, Tokens

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "lzma": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
    "bz2": lambda data: bz2.compress(data, 9),
    "brotli": lambda data: brotli.compress(data, quality=11),
    "zstd": lambda data: zstandard.ZstdCompressor(level=22).compress(data),
}

LOG_ODDS = np.linspace(-16.0, 16.0, 65)
"""Log odds of one strategy against the other at which mixtures are compared with a model."""

SHARE = 0.8
"""Of the checkpoints and of the task diversities, from the first on: what parameters are fitted to."""

FEWEST_D, FEWEST_CHECKPOINTS = 3, 5


class FitError(ValueError):
    """No parameters can be shown: too little data, or no start led to a minimum. Says what is needed, or what came."""


def bits(data: bytes) -> int:
    """The least compressed size over several compressors."""
    return 8 * min(len(compress(data)) for compress in COMPRESSORS.values())


def complexity(predictor: type, prior: Float64[Tensor, "..."]) -> int:
    """K: the bits of the prior that a strategy stores, as float64, and of the source of its class."""
    return bits(prior.double().numpy().tobytes()) + bits(inspect.getsource(predictor).encode())


def loss(predictor: Predictor, urns: Pool, tokens: Tokens, *, n_groups: int = 20) -> tuple[float, float]:
    """L: mean KL(true urn ‖ predictor) over rows 1 … C and sequences, urns[i] that of tokens[i]; nats a row.

    The median of the means of groups, as published, and the standard error of the plain mean.
    """
    values = divergences.kl(urns.log()[:, None], predictor(tokens))[:, 1:].mean(-1)
    means = torch.stack([group.mean() for group in values.chunk(n_groups)])
    return means.median().item(), (values.std() / len(values) ** 0.5).item()


@dataclass(frozen=True)
class Account:
    """The three parameters: how much N counts (α), how much complexity does (β), and the rate between them (γ)."""

    alpha: float
    beta: float
    gamma: float

    def log_weights(
        self, steps: np.ndarray, losses: Sequence[float], complexities: Sequence[float]
    ) -> Float[np.ndarray, "steps strategies"]:
        """ln w_i for any number of strategies, normalized."""
        evidence = self.gamma * np.asarray(steps, float)[:, None] ** (1 - self.alpha) * np.asarray(losses)
        scores = -log(2) * np.asarray(complexities, float) ** self.beta - evidence
        return scores - np.logaddexp.reduce(scores, axis=-1, keepdims=True)

    def log_odds(self, cells: pd.DataFrame) -> np.ndarray:
        """Of M against G. `cells`: step, delta_l, k_m, k_g."""
        evidence = self.gamma * cells["step"].to_numpy(float) ** (1 - self.alpha) * cells["delta_l"].to_numpy()
        return evidence - log(2) * (
            cells["k_m"].to_numpy(float) ** self.beta - cells["k_g"].to_numpy(float) ** self.beta
        )

    def transition(self, delta_l: float, k_m: float, k_g: float) -> float:
        """N*: the step at which M has as much weight as G; infinite where it never has."""
        apart = log(2) * (k_m**self.beta - k_g**self.beta)
        return (apart / (self.gamma * delta_l)) ** (1 / (1 - self.alpha)) if delta_l > 0 and apart > 0 else np.inf


@dataclass(frozen=True)
class Curves:
    """How far each cell's model is from mixtures of M and G, at `LOG_ODDS`: splines of KL(model ‖ mixture)."""

    values: Float[np.ndarray, "cells odds"]

    @cached_property
    def pieces(self) -> np.ndarray:
        """Coefficients of the splines: powers 3 … 0, pieces, cells."""
        return CubicSpline(LOG_ODDS, self.values.T).c

    def at(self, log_odds: np.ndarray) -> np.ndarray:
        """At one log odds for each cell; beyond the ends, the value there."""
        x = np.clip(log_odds, LOG_ODDS[0], LOG_ODDS[-1])
        part = np.clip(np.searchsorted(LOG_ODDS, x, side="right") - 1, 0, len(LOG_ODDS) - 2)
        powers = (x - LOG_ODDS[part])[None] ** np.arange(3, -1, -1)[:, None]
        return (self.pieces[:, part, np.arange(len(x))] * powers).sum(0)


def curve(
    log_model: LogProbs, log_m: LogProbs, log_g: LogProbs, *, measure: Callable = divergences.kl
) -> Float[np.ndarray, "odds"]:
    """The mean distance, rows 1 … C, of a model from mixtures of M and G at each of `LOG_ODDS`: KL(model ‖ mixture)."""
    odds, found = torch.from_numpy(LOG_ODDS), []
    for some in odds.split(8):  # mixtures of several odds at once: odds batch time vocab
        for_m, for_g = (torch.nn.functional.logsigmoid(side)[:, None, None, None] for side in (some, -some))
        distances = measure(log_model, torch.logaddexp(for_m + log_m, for_g + log_g))
        found += distances[:, :, 1:].mean((1, 2)).tolist()
    return np.array(found)


@dataclass(frozen=True)
class Fit:
    """What was fitted, to how many cells, and how near (mean KL, nats) it came there and on the cells held out."""

    account: Account
    n_fitted: int
    fitted: float
    held_out: float
    n_starts: int
    n_converged: int


def fit(cells: pd.DataFrame, curves: Curves, *, fixed: Mapping[str, float] | None = None) -> Fit:
    """Fit α, β and γ to the first `SHARE` of the checkpoints and of the task diversities (L-BFGS-B, several starts).

    `cells`: n_tasks, step, delta_l, k_m, k_g, a line for each of the curves. Some parameters may be `fixed` (ablations:
    alpha 0, beta 1, which is K as it is, gamma 1). Raises FitError for too few diversities or checkpoints, and where
    nothing converges.
    """
    _refuse_few(cells)
    fixed, inside = dict(fixed or {}), training_cells(cells)
    names = [name for name in ("alpha", "beta", "gamma") if name not in fixed]

    def account(x: np.ndarray) -> Account:
        values = fixed | dict(zip(names, x, strict=True))
        return Account(
            values["alpha"], values["beta"], values["gamma"] if "gamma" in fixed else float(np.exp(values["gamma"]))
        )

    def distance(x: np.ndarray, which: np.ndarray = inside) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            odds = np.nan_to_num(account(x).log_odds(cells), nan=0.0, posinf=1e9, neginf=-1e9)
        return float(curves.at(odds)[which].mean())

    bounds = {"alpha": (0.0, 0.99), "beta": (0.0, 1.5), "gamma": (-25.0, 25.0)}
    starts = dict.fromkeys(
        tuple({"alpha": alpha, "beta": beta, "gamma": gamma}[name] for name in names)
        for alpha in (0.2, 0.5, 0.8)
        for beta in (0.2, 0.5, 0.8)
        for gamma in (-4.0, 0.0, 4.0)
    )  # each once, also where some parameters are fixed
    ends = [
        minimize(distance, start, method="L-BFGS-B", bounds=[bounds[name] for name in names], options={"maxiter": 500})
        for start in (starts if names else [])
    ]
    good = [end for end in ends if end.success and np.isfinite(end.fun)]
    if names and not good:
        where = "; ".join(f"{start} {end.message}" for start, end in zip(starts, ends, strict=True))
        raise FitError(f"none of {len(ends)} starts converged: {where}")
    best = min(good, key=lambda end: end.fun).x if names else np.array([])
    return Fit(
        account(best), int(inside.sum()), distance(best), distance(best, ~inside), max(len(ends), 1), max(len(good), 1)
    )


def training_cells(cells: pd.DataFrame) -> np.ndarray:
    """Which cells parameters are fitted to: the first checkpoints of the smaller diversities."""
    diversities, steps = sorted(cells["n_tasks"].unique()), sorted(cells["step"].unique())
    last_d, last_step = (of[max(int(SHARE * len(of)), 1) - 1] for of in (diversities, steps))
    return ((cells["n_tasks"] <= last_d) & (cells["step"] <= last_step)).to_numpy()


@dataclass(frozen=True)
class Baseline:
    """Log odds a + b ln N + c ln D, which know nothing of losses or complexities."""

    a: float
    b: float
    c: float

    def log_odds(self, cells: pd.DataFrame) -> np.ndarray:
        return self.a + self.b * np.log(cells["step"]).to_numpy() + self.c * np.log(cells["n_tasks"]).to_numpy()


def fit_baseline(cells: pd.DataFrame, curves: Curves) -> tuple[Baseline, float, float]:
    """The baseline nearest to the same cells that `fit` uses, and how near it is there and on those held out."""
    _refuse_few(cells)
    inside = training_cells(cells)

    def distance(x: np.ndarray, which: np.ndarray = inside) -> float:
        return float(curves.at(Baseline(*x).log_odds(cells))[which].mean())

    starts = [(a, b, c) for a in (-4.0, 0.0, 4.0) for b in (0.5, 1.5) for c in (-2.0, 0.0)]
    best = min((minimize(distance, start, method="L-BFGS-B") for start in starts), key=lambda end: end.fun).x
    return Baseline(*map(float, best)), distance(best), distance(best, ~inside)


def scored(odds: np.ndarray, shares: np.ndarray, which: np.ndarray) -> float:
    """The correlation of the weight of M with the rescaled relative distance of the models, over some cells."""
    weights = 1 / (1 + np.exp(-odds[which]))
    return float(np.corrcoef(weights, shares[which])[0, 1])


def _refuse_few(cells: pd.DataFrame) -> None:
    for column, fewest, what in (
        ("n_tasks", FEWEST_D, "task diversities D"),
        ("step", FEWEST_CHECKPOINTS, "checkpoints"),
    ):
        n = cells[column].nunique()
        if n < fewest:
            raise FitError(f"a fit needs at least {fewest} {what}, got {n}; train models for more of them")


def cell(
    predictor: Predictor, references: Mapping[str, Predictor], inside: Tokens, outside: Tokens, *, memorizing: str
) -> dict[str, float]:
    """Where a model stands in the map of strategies, against G and what it could memorize (M, or S without names):

    share         rescaled relative distance in distribution: 0 at G, 1 at the memorizer
    apart         d(G, memorizer) in distribution; where it is tiny, share says nothing
    regret_in     nats a ball lost against the memorizer in distribution
    regret_out    nats a ball lost against G on fresh urns: falls and rises again where generalizing was transient
    odds_<i>      KL(model ‖ mixture) at each of `LOG_ODDS`, in distribution
    """
    model, (g, m) = predictor(inside).double(), (references[name](inside) for name in ("generalizing", memorizing))
    to_g, to_m, apart = (
        divergences.symmetrized_kl(*pair)[:, 1:].mean().item() for pair in ((model, g), (model, m), (g, m))
    )
    found = {"share": (1 + (to_g - to_m) / apart) / 2, "apart": apart}
    for name, best, tokens in (("regret_in", memorizing, inside), ("regret_out", "generalizing", outside)):
        lost = [divergences.negative_log_likelihood(each(tokens), tokens) for each in (predictor, references[best])]
        found[name] = (lost[0] - lost[1])[:, 1:].mean().item()
    return found | {f"odds_{i}": value for i, value in enumerate(curve(model, m, g))}


def along(run: Run, *, n_sequences: int = 100) -> pd.DataFrame:
    """The map's cells of one run, a line for each step whose weights it kept: kind, n_tasks, seed, step, delta_l, its
    standard error, k_m, k_g, and those of `cell`."""
    memorizing, references = run.settings.memorizing, run.references
    inside, outside = (run.splits[name][:n_sequences] for name in ("in_distribution", "out_of_distribution"))
    lost = [
        divergences.negative_log_likelihood(references[name](inside), inside)[:, 1:].mean(-1)
        for name in ("generalizing", memorizing)
    ]
    apart = lost[0] - lost[1]  # ΔL: the truth's own loss cancels
    of = {"kind": run.settings.kind, "n_tasks": run.settings.task.n_tasks, "seed": run.settings.training.seed}
    of |= {"delta_l": apart.mean().item(), "delta_l_sem": apart.std().item() / len(apart) ** 0.5}
    classes = {"memorizing": Memorizing, "symmetrized": Symmetrized}
    of |= {"k_m": complexity(classes[memorizing], run.pool)}
    of |= {"k_g": complexity(Generalizing, torch.ones(run.settings.task.n_colors, dtype=torch.float64))}
    lines = [
        of | {"step": step} | cell(predictor, references, inside, outside, memorizing=memorizing)
        for step, predictor in run.along()
    ]
    return pd.DataFrame(lines)


def curves_of(cells: pd.DataFrame) -> Curves:
    """Those in the columns of a map's cells."""
    return Curves(cells[[f"odds_{i}" for i in range(len(LOG_ODDS))]].to_numpy())
