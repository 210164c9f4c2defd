"""The least excess that a predictor can have: of a linear one, and of one that remembers little.

    memory_floor(rows, memory)       the excess of the best predictor that knows this memory alone
    linear_floor(rows, design, fit)  the excess of the best predictor whose logits are linear
    floors(settings)                 both for the tasks of runs, as a table

Rows are those of `histories`. The excess of a prediction r over the optimum is Σ p KL(q ‖ r), in
nats: per ball or flip as a mean over rows 1 … C, per string as a sum over rows.

A linear backbone adds up one vector for every input, by position and token. Its logits in one row
are therefore c_v + Σ_f A_{v,f} f, where f are the indicators of tokens at positions, or their
counts where the order does not matter. Their least excess is a convex problem for every row. It can
be solved in all parameters (the design `full`), or, where tokens without names are interchangeable,
in the few that remain (`symmetric`); and by Newton's method or by L-BFGS.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy import ndarray
from scipy.optimize import minimize
from scipy.special import log_softmax, rel_entr, softmax, xlogy

from lexurn.chapters.architectures.histories import Design, Row, task_rows
from lexurn.settings import Settings

RIDGE = 1e-10
N_NEWTON = 80


def memory_floor(rows: Sequence[Row], memory: str) -> list[float]:
    """Return, row by row, the excess of the best predictor that knows the row and a memory alone.

    It predicts the mean target of the histories that look the same to it.
    """
    costs = []
    for row in rows:
        same = row.memories[memory][:, None] == row.memories[memory]
        means = (same * row.probs) @ row.targets
        means /= means.sum(1, keepdims=True)
        costs.append(float(row.probs @ rel_entr(row.targets, means).sum(1)))
    return costs


def fit_newton(row: Row, design: Design) -> ndarray:
    """Return the parameters of the best linear logits by damped Newton steps."""
    parameters = np.zeros(design.shape[-1])
    loss = _excess(row, design @ parameters)
    for _ in range(N_NEWTON):
        probs = softmax(design @ parameters, 1)
        gradient = np.einsum("h,hv,hvp->p", row.probs, probs - row.targets, design)
        centred = design - np.einsum("hv,hvp->hp", probs, design)[:, None]
        hessian = np.einsum("h,hv,hvp,hvq->pq", row.probs, probs, centred, centred, optimize=True)
        step = np.linalg.solve(hessian + RIDGE * np.eye(len(parameters)), gradient)
        for size in 0.5 ** np.arange(30):
            moved = _excess(row, design @ (parameters - size * step))
            if moved < loss:
                parameters = parameters - size * step
                break
        if loss - moved < 1e-14:
            break
        loss = moved
    return parameters


def fit_lbfgs(row: Row, design: Design) -> ndarray:
    """Return the parameters of the best linear logits by L-BFGS."""

    def objective(parameters: ndarray) -> tuple[float, ndarray]:
        logits = design @ parameters
        errors = row.probs[:, None] * (softmax(logits, 1) - row.targets)
        return _excess(row, logits), np.einsum("hv,hvp->p", errors, design)

    start = np.zeros(design.shape[-1])
    options = {"maxiter": 5000, "maxfun": 10000, "ftol": 1e-15, "gtol": 1e-9, "maxcor": 30}
    return minimize(objective, start, jac=True, method="L-BFGS-B", options=options).x


def _excess(row: Row, logits: ndarray) -> float:
    log_probs = log_softmax(logits, 1)
    return float(row.probs @ (xlogy(row.targets, row.targets) - row.targets * log_probs).sum(1))


FITS = {"Newton": fit_newton, "L-BFGS": fit_lbfgs}


def linear_fits(rows: Sequence[Row], design: str, fit: str) -> list[ndarray]:
    """Return, row by row, the parameters of the best linear logits, by one of `FITS`."""
    return [FITS[fit](row, getattr(row, design)) for row in rows]


def linear_floor(rows: Sequence[Row], design: str, fit: str) -> list[float]:
    """Return, row by row, the least excess of linear logits."""
    fits = linear_fits(rows, design, fit)
    return [
        _excess(row, getattr(row, design) @ parameters)
        for row, parameters in zip(rows, fits, strict=True)
    ]


def total(values: Sequence[float], settings: Settings) -> float:
    """Return the excess of a task from that of its rows: per string, or per ball or flip."""
    return float(sum(values) if settings.task.n_special else np.mean(values))


def floors(settings: Sequence[Settings]) -> pd.DataFrame:
    """Return the floors of the tasks of runs: data, seed, floor, method, value (nats).

    `data` is the place among `settings`. Methods are exact, or the name of a fit.
    """
    table = []
    for number, each in enumerate(settings):
        rows = task_rows(each)
        named = {(memory, "exact"): memory_floor(rows, memory) for memory in rows[-1].memories}
        is_symmetric = each.kind != "normal" or not each.task.n_special
        for design, fit in (
            ("symmetric" if is_symmetric else "full", "Newton"),
            ("full", "L-BFGS"),
        ):
            named["linear logits", fit] = linear_floor(rows, design, fit)
        for (floor, method), values in named.items():
            table.append((number, each.training.seed, floor, method, total(values, each)))
    return pd.DataFrame(table, columns=["data", "seed", "floor", "method", "value"])
