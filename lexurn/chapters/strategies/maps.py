"""The map: where a model lies between strategies, for every run and every checkpoint.

One row is one cell. Models are measured on sequences of the map, the same for all steps of a run:

    kind, n_tasks, seed, step   and n_colors, d_mlp, context_length, which some experiments vary
    l_<u|g|m>, k_<u|g|m>        loss (nats per row, in distribution) and complexity (bits)
    delta_l, delta_l_sem        l_g − l_m, and its standard error
    share, share_out            rescaled relative distance, 0 at G and 1 at the memorizer, in and
                                out of distribution; NaN if the model is further from both than
                                G is from the memorizer
    apart, apart_out            d(G, memorizer)
    kl_in                       KL(memorizer ‖ model) in distribution, nats per ball
    kl_out, kl_g                KL(G ‖ model) and KL(true urn ‖ G) on fresh urns
    weight_<u|g|m>, left_over   the nearest mixture in distribution, and KL(model ‖ mixture)
    kl_<i>, tv_<i>, tv_out_<i>  KL(model ‖ mixture of memorizer and G) and total variation at each
                                of `LOG_ODDS`

The memorizer (m) is M for normal models and S for lexically invariant models.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from scipy.interpolate import CubicSpline
from torch import Tensor

from lexurn.base import divergences, files
from lexurn.base.errors import ParameterError
from lexurn.base.seeding import generator
from lexurn.base.shapes import LogProbs, Pool, Predictor, Tokens
from lexurn.chapters.strategies.account import STRATEGIES, complexity, losses
from lexurn.generators.urns import Urns
from lexurn.measures import comparison
from lexurn.predictors import Generalizing, Memorizing, Symmetrized, Uniform, cache_predictions
from lexurn.runs import cache, fit
from lexurn.runs.run import Run

VERSION = 2
"""Version of a map's columns; cached tables of another version are not used."""

N_SEQUENCES = 64
"""Number of sequences of each split on which models are measured."""

N_LOSS_SEQUENCES = 256
"""Number of sequences over which the losses of strategies are averaged."""

LOG_ODDS = np.linspace(-12.0, 12.0, 33)
"""Log odds of the memorizer against G at which mixtures are compared with a model."""


@dataclass(frozen=True)
class Curves:
    """A distance of each cell's model from mixtures of memorizer and G, as splines over log odds.

    `values` are the distances at `LOG_ODDS`.
    """

    values: Float[np.ndarray, "cells odds"]

    @cached_property
    def coefficients(self) -> np.ndarray:
        """Return the coefficients of the splines: powers 3 … 0, pieces, cells."""
        return CubicSpline(LOG_ODDS, self.values.T).c

    def at(self, log_odds: Float[np.ndarray, "cells"]) -> Float[np.ndarray, "cells"]:
        """Return the distance at one log odds per cell, constant beyond the ends."""
        x = np.clip(log_odds, LOG_ODDS[0], LOG_ODDS[-1])
        piece = np.clip(np.searchsorted(LOG_ODDS, x, side="right") - 1, 0, len(LOG_ODDS) - 2)
        powers = (x - LOG_ODDS[piece])[None] ** np.arange(3, -1, -1)[:, None]
        return (self.coefficients[:, piece, np.arange(len(x))] * powers).sum(0)


def mixture_curves(
    log_model: LogProbs, log_m: LogProbs, log_g: LogProbs
) -> dict[str, Float[np.ndarray, "odds"]]:
    """Return the distance of a model from the mixture of M and G at each of `LOG_ODDS`.

    `kl` is KL(model ‖ mixture) and `tv` is total variation, both averaged over all rows. This loop
    takes most of the time of a map, so it uses probabilities, not logarithms. A mixture probability
    of zero counts as 1e-300.
    """
    model, m, g = (log_p.double().exp().flatten(0, 1) for log_p in (log_model, log_m, log_g))
    negative_entropy = torch.special.xlogy(model, model).sum()
    sums = {"kl": [], "tv": []}
    for weight in torch.from_numpy(LOG_ODDS).sigmoid():
        mixture = torch.lerp(g, m, weight)
        sums["tv"].append((mixture - model).abs_().sum().item() / 2)
        cross_term = (mixture.clamp_min_(1e-300).log_() * model).sum()
        sums["kl"].append((negative_entropy - cross_term).item())
    return {name: np.array(values) / len(model) for name, values in sums.items()}


def read_curves(cells: pd.DataFrame, measure: str = "kl") -> Curves:
    """Return the curves in the columns of a map: `kl`, `tv` or `tv_out`."""
    return Curves(cells[[f"{measure}_{i}" for i in range(len(LOG_ODDS))]].to_numpy(float))


def measure_cell(
    predictor: Predictor, strategies: Mapping[str, Predictor], inside: Tokens, outside: Tokens
) -> dict[str, float]:
    """Return where a model lies between the strategies `u`, `g` and `m`: the columns from `share`
    on.

    `inside` are sequences in distribution and `outside` sequences out of distribution.
    """
    columns: dict[str, float] = {}
    for suffix, tokens in (("", inside), ("_out", outside)):
        model = predictor(tokens)[:, 1:].double()
        u, g, m = (strategies[letter](tokens)[:, 1:].double() for letter in STRATEGIES)
        to_g, to_m, scale = (
            divergences.symmetrized_kl(*pair).mean().item()
            for pair in ((model, g), (model, m), (g, m))
        )
        is_far = not min(to_g, to_m) <= scale
        columns[f"share{suffix}"] = np.nan if is_far else (1 + (to_g - to_m) / scale) / 2
        columns[f"apart{suffix}"] = scale
        curves = mixture_curves(model, m, g)
        columns |= {f"tv{suffix}_{i}": value for i, value in enumerate(curves["tv"])}
        if suffix:
            columns["kl_out"] = divergences.kl(g, model).mean().item()
            continue
        columns["kl_in"] = divergences.kl(m, model).mean().item()
        columns |= {f"kl_{i}": value for i, value in enumerate(curves["kl"])}
        log_probs = torch.stack([u, g, m])
        weights = comparison.fit_weights(model, log_probs)
        mixed = (log_probs + weights.log()[:, None, None, None]).logsumexp(0)
        weight_names = [f"weight_{letter}" for letter in STRATEGIES]
        columns |= dict(zip(weight_names, weights.tolist(), strict=True))
        columns["left_over"] = divergences.kl(model, mixed).mean().item()
    return columns


def run_cells(run: Run) -> pd.DataFrame:
    """Return the cells of a run.

    Raises FileNotFoundError if the run stored no weights along its training, and ParameterError if
    it has no pool or if S takes too long.
    """
    settings = run.settings
    pool = run.pool
    task = run.task.prior
    run.task.require_references()
    stream = generator(settings.training.seed, "strategies")
    length = settings.task.context_length + 1
    pool_urns = pool[torch.randint(len(pool), (N_LOSS_SEQUENCES,), generator=stream)]
    fresh_urns = task.sample_tasks(N_SEQUENCES, generator=stream)
    loss_tokens = task.sample(pool_urns, length, generator=stream)
    outside = task.sample(fresh_urns, length, generator=stream)
    inside = loss_tokens[:N_SEQUENCES]
    memorizer = {"memorizing": Memorizing, "symmetrized": Symmetrized}[settings.memorizing]
    exact = {
        "u": Uniform(settings.task.n_colors),
        "g": run.references["generalizing"],
        "m": memorizer(pool),
    }
    by_strategy = losses(exact, pool_urns, loss_tokens)
    delta = by_strategy["g"] - by_strategy["m"]
    constants = {
        "n_tasks": len(pool),
        "seed": settings.training.seed,
        "d_mlp": settings.backbone.mlp_width,
        "context_length": settings.task.context_length,
        "n_colors": settings.task.n_colors,
        **{f"l_{letter}": values.mean().item() for letter, values in by_strategy.items()},
        "delta_l": delta.mean().item(),
        "delta_l_sem": delta.std().item() / len(delta) ** 0.5,
        "kl_g": losses({"g": exact["g"]}, fresh_urns, outside)["g"].mean().item(),
    }
    strategies = cache_predictions(exact, {"in": inside, "out": outside})
    rows = []
    for step, model in run.checkpoints():
        predictor = fit.as_predictor(model, settings)
        cell = measure_cell(predictor, strategies, inside, outside)
        rows.append(constants | {"step": step} | cell)
    return pd.DataFrame(rows).assign(kind=settings.kind)


def complexities(memorizers: Sequence[str], pools: Sequence[Pool], alphas: Tensor) -> pd.DataFrame:
    """Return K of each strategy, k_u, k_g and k_m, one row per memorizer with its pool."""
    nothing = torch.zeros(0, dtype=torch.float64)
    k_m = [complexity(name, pool) for name, pool in zip(memorizers, pools, strict=True)]
    k_u, k_g = complexity("uniform", nothing), complexity("generalizing", alphas)
    return pd.DataFrame({"k_u": k_u, "k_g": k_g, "k_m": k_m})


def build_map(
    runs: Sequence[Run],
    *,
    jobs: int = 1,
    say: Callable[[str], None] = files.print_to_stderr,
    varied: str = "",
) -> pd.DataFrame:
    """Return the map of several runs; cells are cached, and `jobs` processes compute missing ones.

    `say` receives progress texts (default: stderr). Raises ParameterError if the runs differ in
    more settings than task diversity, kind, seed and the one setting `varied`.
    """
    _require_same_settings(runs, varied)
    tables = cache.tables(runs, run_cells, name=f"strategies-{VERSION}", jobs=jobs, say=say)
    memorizers, pools = [run.settings.memorizing for run in runs], [run.pool for run in runs]
    alphas = torch.tensor(runs[0].task.prior.alphas, dtype=torch.float64)
    bits = cache.table(complexities, memorizers, pools, alphas).to_dict("records")
    complete = [table.assign(**row) for table, row in zip(tables, bits, strict=True)]
    return pd.concat(complete, ignore_index=True)


def simulate_curves(
    cells: pd.DataFrame, odds: np.ndarray, *, noise: float = 0.0, generator: torch.Generator
) -> Curves:
    """Return the curves of simulated models that *are* mixtures of M and G with these log odds.

    Each training run draws a new pool. A normal number with standard deviation `noise` is added to
    all its log odds.
    """
    length, values = 33, np.zeros((len(cells), len(LOG_ODDS)))
    for (n_tasks, _), indices in cells.groupby(["n_tasks", "seed"]).indices.items():
        task = Urns(int(cells["n_colors"].iloc[0]))
        pool = task.sample_tasks(int(n_tasks), generator=generator)
        tokens = task.in_distribution(pool, 16, length, generator=generator)
        m = Memorizing(pool)(tokens)[:, 1:]
        g = Generalizing(task.n_colors)(tokens)[:, 1:]
        offset = noise * torch.randn((), generator=generator, dtype=torch.float64)
        for index in indices:
            weight = (torch.tensor(odds[index], dtype=torch.float64) + offset).sigmoid()
            model = torch.lerp(g.exp(), m.exp(), weight).log()
            values[index] = mixture_curves(model, m, g)["kl"]
    return Curves(values)


def _require_same_settings(runs: Sequence[Run], varied: str) -> None:
    free = {"n_tasks", "lex", "seed", "device", "threads", "tracker", varied}
    first = runs[0].settings.flat()
    for run in runs[1:]:
        for name, value in run.settings.flat().items():
            if name not in free and name in first and value != first[name]:
                raise ParameterError(
                    f"a map's runs must share their settings, but {name} is {first[name]} in "
                    f"{runs[0].path.name} and {value} in {run.path.name}; leave one of them out"
                )
