"""The map: for every run and every step whose weights it kept, where the model stood between strategies.

A line is a cell. What it says of a model is measured on sequences of the map's own, the same for all steps:

    kind, n_tasks, seed, step   and n_colors, d_mlp, context_length, which titrations change
    l_<u|g|m>, k_<u|g|m>        loss (nats a row, in distribution) and complexity (bits) of each strategy
    delta_l, delta_l_sem        l_g − l_m, and its standard error
    share, share_out            rescaled relative distance, 0 at G, 1 at the memorizer, in and out of distribution; NaN
                                where the model is further from both than they are from each other
    apart, apart_out            how far these are: d(G, memorizer)
    kl_in                       KL(memorizer ‖ model) in distribution: nats a ball lost against the memorizer
    kl_out, kl_g                KL(G ‖ model) on fresh urns: nats lost against G, and KL(true urn ‖ G) there
    weight_<u|g|m>, left_over   the nearest mixture in distribution, and KL(model ‖ mixture)
    kl_<i>, tv_<i>, tv_out_<i>  KL(model ‖ mixture of M and G) and total variation at each of `LOG_ODDS`

The memorizer (m) is M for normal models, S for those without names.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from scipy.interpolate import CubicSpline

from lexurn.base import divergences
from lexurn.base.errors import ParameterError
from lexurn.base.seeding import generator
from lexurn.base.shapes import LogProbs, Predictor, Tokens
from lexurn.chapters.strategies.account import STRATEGIES, complexity, losses
from lexurn.generators.urns import Urns
from lexurn.predictors import Generalizing, Memorizing, Symmetrized, Uniform, cache_predictions
from lexurn.runs import cache
from lexurn.runs.run import Run

VERSION = 2
"""Of what a map's numbers mean; tables of another one are made again."""

N_SEQUENCES, N_FOR_LOSSES = 64, 256
"""Sequences of each split that models are seen on, and those that the strategies' losses are averaged over."""

LOG_ODDS = np.linspace(-12.0, 12.0, 33)
"""Log odds of the memorizer against G at which mixtures are compared with a model."""


@dataclass(frozen=True)
class Curves:
    """Some distance of each cell's model from mixtures of the memorizer and G, at `LOG_ODDS`, joined by splines."""

    values: Float[np.ndarray, "cells odds"]

    @cached_property
    def pieces(self) -> np.ndarray:
        """Coefficients of the splines: powers 3 … 0, pieces, cells."""
        return CubicSpline(LOG_ODDS, self.values.T).c

    def at(self, log_odds: Float[np.ndarray, "cells"]) -> Float[np.ndarray, "cells"]:
        """At one log odds for each cell; beyond the ends, the value there."""
        x = np.clip(log_odds, LOG_ODDS[0], LOG_ODDS[-1])
        part = np.clip(np.searchsorted(LOG_ODDS, x, side="right") - 1, 0, len(LOG_ODDS) - 2)
        powers = (x - LOG_ODDS[part])[None] ** np.arange(3, -1, -1)[:, None]
        return (self.pieces[:, part, np.arange(len(x))] * powers).sum(0)


def curves(
    log_model: LogProbs, log_m: LogProbs, log_g: LogProbs
) -> dict[str, Float[np.ndarray, "odds"]]:
    """How far a model is from the mixture of M and G at each of `LOG_ODDS`, mean over all rows.

    `kl`: KL(model ‖ mixture); `tv`: total variation. In probabilities, not their logarithms, as this is most of the
    time that a map takes; a probability of the mixture that is zero counts as 1e-300.
    """
    model, m, g = (each.double().exp().flatten(0, 1) for each in (log_model, log_m, log_g))
    entropy, found = torch.special.xlogy(model, model).sum(), {"kl": [], "tv": []}
    for weight in torch.from_numpy(LOG_ODDS).sigmoid():
        mixture = torch.lerp(g, m, weight)
        found["tv"].append((mixture - model).abs_().sum().item() / 2)
        found["kl"].append((entropy - (mixture.clamp_min_(1e-300).log_() * model).sum()).item())
    return {name: np.array(values) / len(model) for name, values in found.items()}


def curves_of(cells: pd.DataFrame, measure: str = "kl") -> Curves:
    """Those in the columns of a map: `kl`, `tv` or `tv_out`."""
    return Curves(cells[[f"{measure}_{i}" for i in range(len(LOG_ODDS))]].to_numpy(float))


def cell(
    predictor: Predictor, strategies: Mapping[str, Predictor], inside: Tokens, outside: Tokens
) -> dict[str, float]:
    """Where a model stands between the strategies `u`, `g` and `m`: the columns from `share` on."""
    found: dict[str, float] = {}
    for of, tokens in (("", inside), ("_out", outside)):
        model, u, g, m = (
            each(tokens)[:, 1:].double()
            for each in (predictor, *(strategies[name] for name in STRATEGIES))
        )
        to_g, to_m, apart = (
            divergences.symmetrized_kl(*pair).mean().item()
            for pair in ((model, g), (model, m), (g, m))
        )
        far = not min(to_g, to_m) <= apart
        found |= {
            f"share{of}": np.nan if far else (1 + (to_g - to_m) / apart) / 2,
            f"apart{of}": apart,
        }
        near = curves(model, m, g)
        found |= {f"tv{of}_{i}": value for i, value in enumerate(near["tv"])}
        if of:
            found["kl_out"] = divergences.kl(g, model).mean().item()
            continue
        found["kl_in"] = divergences.kl(m, model).mean().item()
        found |= {f"kl_{i}": value for i, value in enumerate(near["kl"])}
        every = torch.stack([u, g, m])
        weights = divergences.mixture_weights(model, every)
        mixed = (every + weights.log()[:, None, None, None]).logsumexp(0)
        found |= {
            f"weight_{name}": weight
            for name, weight in zip(STRATEGIES, weights.tolist(), strict=True)
        }
        found["left_over"] = divergences.kl(model, mixed).mean().item()
    return found


def along(
    run: Run, *, n_sequences: int = N_SEQUENCES, n_for_losses: int = N_FOR_LOSSES
) -> pd.DataFrame:
    """A run's cells, computed. Raises FileNotFoundError where it kept no weights, and ParameterError without a pool or
    where S takes too long."""
    settings, pool, task = run.settings, run.pool, run.task.prior
    run.task.require_references()
    stream, length = (
        generator(settings.training.seed, "strategies"),
        settings.task.context_length + 1,
    )
    urns = pool[torch.randint(len(pool), (n_for_losses,), generator=stream)]
    fresh = task.sample_tasks(n_sequences, generator=stream)
    many, outside = (task.sample(each, length, generator=stream) for each in (urns, fresh))
    inside, memorizer = (
        many[:n_sequences],
        {"memorizing": Memorizing, "symmetrized": Symmetrized}[settings.memorizing],
    )
    exact = {
        "u": Uniform(settings.task.n_colors),
        "g": run.references["generalizing"],
        "m": memorizer(pool),
    }
    lost = losses(exact, urns, many)
    of = {
        "n_tasks": len(pool),
        "seed": settings.training.seed,
        "d_mlp": settings.backbone.mlp_width,
    }
    of |= {"context_length": settings.task.context_length, "n_colors": settings.task.n_colors}
    of |= {f"l_{name}": values.mean().item() for name, values in lost.items()}
    ahead = lost["g"] - lost["m"]
    of |= {"delta_l": ahead.mean().item(), "delta_l_sem": ahead.std().item() / len(ahead) ** 0.5}
    of["kl_g"] = losses({"g": exact["g"]}, fresh, outside)["g"].mean().item()
    strategies = cache_predictions(exact, {"in": inside, "out": outside})
    lines = [
        of | {"step": step} | cell(each, strategies, inside, outside)
        for step, each in run.predictors_along_training()
    ]
    return pd.DataFrame(lines).assign(kind=settings.kind)


def complexities(run: Run) -> dict[str, int]:
    """K of each strategy for a run: not kept with its cells, as it depends on how programs are written."""
    alphas = torch.tensor(run.task.prior.alphas, dtype=torch.float64)
    stored = {"u": ("uniform", torch.zeros(0, dtype=torch.float64)), "g": ("generalizing", alphas)}
    stored["m"] = run.settings.memorizing, run.pool
    return {f"k_{name}": complexity(*of) for name, of in stored.items()}


def followed(
    found: Sequence[Run],
    *,
    jobs: int = 1,
    say: Callable[[str], None] | None = None,
    titrated: str = "",
) -> pd.DataFrame:
    """The map of several runs: read, or made by processes side by side and kept; `say` is told how far it is (stderr).

    Raises ParameterError where runs differ in more than task diversity, kind, seed, and the one setting `titrated`.
    """
    _refuse_mixed(found, titrated)
    tables = cache.tables(found, along, name=f"strategies-{VERSION}", jobs=jobs, say=say)
    known = [
        pd.DataFrame(complexities(run), index=cells.index)
        for run, cells in zip(found, tables, strict=True)
    ]
    return pd.concat(
        [pd.concat(pair, axis=1) for pair in zip(tables, known, strict=True)], ignore_index=True
    )


def made_by(
    cells: pd.DataFrame, odds: np.ndarray, *, noise: float = 0.0, generator: torch.Generator
) -> Curves:
    """The curves that models would have which *are* mixtures of M and G with these log odds: to try a fit on.

    For each training a pool is drawn anew, and its log odds are off by a normal number with this deviation.
    """
    length, rows = 33, np.zeros((len(cells), len(LOG_ODDS)))
    for (n_tasks, _), places in cells.groupby(["n_tasks", "seed"]).indices.items():
        task = Urns(int(cells["n_colors"].iloc[0]))
        pool = task.sample_tasks(int(n_tasks), generator=generator)
        tokens = task.in_distribution(pool, 16, length, generator=generator)
        m, g = (each(tokens)[:, 1:] for each in (Memorizing(pool), Generalizing(task.n_colors)))
        off = noise * torch.randn((), generator=generator, dtype=torch.float64)
        for place in places:
            weight = (torch.tensor(odds[place], dtype=torch.float64) + off).sigmoid()
            rows[place] = curves(torch.lerp(g.exp(), m.exp(), weight).log(), m, g)["kl"]
    return Curves(rows)


def _refuse_mixed(found: Sequence[Run], titrated: str) -> None:
    """Cells can be compared where trainings differ in what a map is over."""
    free = {"n_tasks", "lex", "seed", "device", "threads", "tracker", titrated}
    first = {name: value for name, value in found[0].settings.flat().items() if name not in free}
    for run in found[1:]:
        flat = run.settings.flat()
        for name, value in first.items():
            if flat[name] != value:
                raise ParameterError(
                    f"a map's runs must share their settings, but {name} is {value} of {found[0].path.name} and "
                    f"{flat[name]} of {run.path.name}; leave one of them out"
                )
