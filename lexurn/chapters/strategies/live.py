"""What the explorable of the map shows (`strategies.js`): predictions of every cell on examples.

Models of a map are published without weights. So a cached table per run holds what its checkpoints
predict after four contexts, and the page holds these numbers, for some of the steps.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib import colormaps
from matplotlib.colors import to_hex

from lexurn.base.seeding import generator
from lexurn.base.shapes import Tokens
from lexurn.chapters.strategies.account import STRATEGIES
from lexurn.figures import explorables
from lexurn.figures.live_urn import COLORS
from lexurn.predictors import Memorizing, Symmetrized
from lexurn.runs import fit
from lexurn.runs.run import Run

N_BALLS, N_FIRST = 32, 4
"""Number of balls of the contexts, and of the short one."""

CONTEXTS = {
    "first": f"{N_FIRST} balls from a training urn",
    "training": f"{N_BALLS} balls from the same urn",
    "renamed": f"these {N_BALLS} balls, colours renamed",
    "fresh": f"{N_BALLS} balls from a fresh urn",
}
"""The contexts, by the names in the tables, in words."""

MAX_STEPS = 12
"""Number of steps of a map in the page, at most."""

N_SHADES = 21
"""Number of colours between G and the memorizer."""

DIGITS = 5

TABLES = "strategies-live-1"
"""Name and version of the cached tables of `live_predictions`."""


def live_contexts(run: Run) -> tuple[Tokens, list[int]]:
    """Return the contexts of a run, one per row and padded to the same length, and their lengths.

    The first three are balls from the first urn of the pool, which all pools of a seed share. In
    the third, every colour is called by the name of the next one.
    """
    prior = run.task.prior
    stream = generator(run.settings.training.seed, "strategies", "live")
    urns = torch.cat([run.pool[:1], prior.sample_tasks(1, generator=stream)])
    training, fresh = prior.sample(urns, N_BALLS + 1, generator=stream)
    renamed = (training + 1) % run.settings.task.n_colors
    return torch.stack([training, training, renamed, fresh]), [N_FIRST, N_BALLS, N_BALLS, N_BALLS]


def live_predictions(run: Run) -> pd.DataFrame:
    """Return what the checkpoints of a run predict: step, context, and p_<i> for every colour i."""
    tokens, lengths = live_contexts(run)
    rows = []
    for step, model in run.checkpoints():
        log_probs = fit.as_predictor(model, run.settings)(tokens)
        probs = log_probs[torch.arange(len(tokens)), lengths].double().exp()
        for context, values in zip(CONTEXTS, probs.tolist(), strict=True):
            rows.append([step, context, *values])
    columns = [f"p_{i}" for i in range(run.settings.task.n_colors)]
    return pd.DataFrame(rows, columns=["step", "context", *columns])


def live_references(run: Run) -> dict[str, list[list[float]]]:
    """Return what U, G, M and S predict after each context, by the letters u, g, m and s."""
    tokens, lengths = live_contexts(run)
    n_colors = run.settings.task.n_colors
    predictors = {
        "g": run.task.references()["generalizing"],
        "m": Memorizing(run.pool),
        "s": Symmetrized(run.pool),
    }
    rows = torch.arange(len(tokens))
    probs = {name: each(tokens)[rows, lengths].exp() for name, each in predictors.items()}
    uniform = torch.full((len(tokens), n_colors), 1 / n_colors)
    return {name: _rounded(values.numpy()) for name, values in {"u": uniform, **probs}.items()}


def live_map(
    runs: Sequence[Run],
    tables: Sequence[pd.DataFrame],
    cells: pd.DataFrame,
    *,
    chosen: tuple[str, int],
) -> dict[str, Any]:
    """Return the data of the explorable, from runs of one seed.

    tables   of every run, `live_predictions`
    cells    the map of these runs, and perhaps of others
    chosen   kind and task diversity of the cell that is shown at the beginning, at its last step
    """
    tokens, lengths = live_contexts(runs[0])
    colors = [*COLORS][: runs[0].settings.task.n_colors]
    counts = [
        torch.bincount(row[:length], minlength=len(colors)).tolist()
        for row, length in zip(tokens, lengths, strict=True)
    ]
    names = ("generalizing", "memorizing", "symmetrized", "uniform", "normal", "lexical")
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for run, table in zip(runs, tables, strict=True):
        by_kind.setdefault(run.settings.kind, []).append(live_rows(run, table, cells))
    return {
        "colors": colors,
        "looks": explorables.looks({name: name for name in names} | COLORS),
        "shades": [to_hex(colormaps["cividis"](x)) for x in np.linspace(0, 1, N_SHADES)],
        "contexts": [
            {"title": title, "counts": count}
            for title, count in zip(CONTEXTS.values(), counts, strict=True)
        ],
        "chosen": {"kind": chosen[0], "n_tasks": chosen[1]},
        "kinds": [
            {
                "name": kind,
                "memorizer": "M" if kind == "normal" else "S",
                "rows": sorted(rows, key=lambda row: row["n_tasks"]),
            }
            for kind, rows in by_kind.items()
        ],
    }


def live_rows(run: Run, table: pd.DataFrame, cells: pd.DataFrame) -> dict[str, Any]:
    """Return one row of the map in the page: the cells of one run, and its references."""
    settings = run.settings
    n_tasks, seed = len(run.pool), settings.training.seed
    is_own = (cells["kind"] == settings.kind) & (cells["n_tasks"] == n_tasks)
    own = cells[is_own & (cells["seed"] == seed)].sort_values("step")
    own = own.iloc[_spread(len(own))]
    columns = [name for name in table if name.startswith("p_")]
    by_step = dict(iter(table.groupby("step")))
    shares = own["share"].round(DIGITS).astype(object).where(own["share"].notna(), None)
    return {
        "n_tasks": n_tasks,
        "steps": own["step"].tolist(),
        "shares": shares.tolist(),
        "weights": _rounded(own[[f"weight_{letter}" for letter in STRATEGIES]].to_numpy()),
        "left_over": _rounded(own["left_over"].to_numpy()),
        "models": [
            _rounded(by_step[step].set_index("context").loc[[*CONTEXTS], columns].to_numpy())
            for step in own["step"]
        ],
        "references": live_references(run),
    }


def _spread(n: int) -> np.ndarray:
    """Return at most `MAX_STEPS` places of n, with the first and the last, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(n, MAX_STEPS)).round().astype(int))


def _rounded(values: np.ndarray) -> Any:
    return np.round(np.asarray(values, float), DIGITS).tolist()
