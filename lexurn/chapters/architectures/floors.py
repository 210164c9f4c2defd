"""The least excess that a predictor can have: of a linear one, and of one that remembers little.

    coins(length), urns(urn, length), strings(max_letters, has_names=…)
                                     a task as a list of rows (`Row`), exactly
    memory_floor(rows, memory)       the excess of the best predictor that knows this memory alone
    linear_floor(rows, design, fit)  the excess of the best predictor whose logits are linear

A row is a finite table of the histories that the optimum distinguishes: their probabilities p, what
the optimum predicts after them (targets q), and what predictors may know of them. The excess of a
prediction r over the optimum is Σ p KL(q ‖ r), in nats: per ball or flip as a mean over rows 1 … C,
per string as a sum over rows.

A linear backbone adds up one vector for every input, by position and token. Its logits in one row
are therefore c_v + Σ_f A_{v,f} f, where f are the indicators of tokens at positions, or their
counts where the order does not matter. Their least excess is a convex problem for every row. It can
be solved in all parameters (the design `full`), or, where tokens without names are interchangeable,
in the few that remain (`symmetric`); and by Newton's method or by L-BFGS.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import factorial

import numpy as np
import pandas as pd
from jaxtyping import Float64
from numpy import ndarray
from scipy.optimize import minimize
from scipy.special import gammaln, log_softmax, rel_entr, softmax, xlogy

from lexurn import tasks
from lexurn.base.shapes import Pool
from lexurn.settings import Settings

Design = Float64[ndarray, "histories tokens parameters"]

RIDGE = 1e-10
N_NEWTON = 80


@dataclass(frozen=True)
class Row:
    """The histories of one row.

    probs      (histories)                      their probabilities; of strings that have not ended
    targets    (histories tokens)               what the optimum predicts
    features   (histories features)             what a linear predictor adds up
    symmetric  (histories tokens parameters)    logits per parameter when tokens are interchangeable
    memories   name → (histories)               labels: histories of one label are one to a memory
    """

    probs: ndarray
    targets: ndarray
    features: ndarray
    symmetric: Design
    memories: Mapping[str, ndarray]

    @property
    def full(self) -> Design:
        """Logits per parameter, for a constant and a weight per feature for every token."""
        n_tokens = self.targets.shape[1]
        terms = np.concatenate([np.ones((len(self.probs), 1)), self.features], 1)
        design = np.einsum("uv,hf->huvf", np.eye(n_tokens), terms)
        return design.reshape(len(self.probs), n_tokens, -1)


def coins(length: int) -> list[Row]:
    """Return the rows 1 … length of coins with uniform θ, for which Laplace's rule is optimal."""
    rows = []
    for n in range(1, length + 1):
        heads = np.arange(n + 1)
        counts = np.stack([n - heads, heads], 1).astype(float)
        rows.append(
            Row(
                probs=np.full(n + 1, 1 / (n + 1)),
                targets=(counts + 1) / (n + 2),
                features=counts,
                symmetric=counts[..., None],
                memories={"row": np.zeros(n + 1, int), "1 count": heads},
            )
        )
    return rows


def urns(urn: Pool, length: int) -> list[Row]:
    """Return the rows 1 … length of one urn (1 colors) whose colours have no names."""
    shares = urn[0].double().numpy()
    n_colors = len(shares)
    renamed = np.array(list(itertools.permutations(shares)))  # relabelings colors
    rows = []
    for n in range(1, length + 1):
        grid = itertools.product(range(n + 1), repeat=n_colors - 1)
        first = np.array([counts for counts in grid if sum(counts) <= n])
        counts = np.concatenate([first, n - first.sum(1, keepdims=True)], 1).astype(float)
        log_weights = xlogy(counts[:, None], renamed).sum(-1)  # counts relabelings
        ways = gammaln(n + 1) - gammaln(counts + 1).sum(1)
        joint = np.exp(ways[:, None] + log_weights) / factorial(n_colors)
        known = {
            f"{k} count" + "s" * (k > 1): counts[:, :k] @ (n + 1.0) ** np.arange(k)
            for k in range(1, n_colors)
        }
        rows.append(
            Row(
                probs=joint.sum(1),
                targets=softmax(log_weights, 1) @ renamed,
                features=counts,
                symmetric=counts[..., None],
                memories={"row": np.zeros(len(counts))} | known,
            )
        )
    return rows


def strings(max_letters: int, *, has_names: bool) -> list[Row]:
    """Return the rows 0 … max_letters of aⁿbⁿ; without names, letters may have changed places.

    Tokens are EOS, the letter a, and the letter b.
    """
    most = max_letters // 2
    rows = []
    for n in range(max_letters + 1):
        prefixes = [k for k in range((n + 1) // 2, min(n, most) + 1) if n <= 2 * k or k == n]
        orders = [(1, 2)] if has_names else [(1, 2), (2, 1)]
        histories = [(k, order) for k in prefixes for order in (orders if n else orders[:1])]
        probs, targets, letters = [], [], []
        for k, (first, second) in histories:
            longer = most - k  # strings of more than k letters of the first kind
            target = np.zeros(3)
            if n == 0:
                probs.append(1.0)
                target[[1, 2]] = [1, 0] if has_names else [0.5, 0.5]
            elif k == n:
                probs.append((longer + 1) / most)
                target[first] = longer / (longer + 1)
                target[second] = 1 / (longer + 1)
            else:
                probs.append(1 / most)
                target[second if n < 2 * k else 0] = 1.0
            targets.append(target)
            letters.append([first] * k + [second] * (n - k))
        probs = np.array(probs) / (1 if has_names or n == 0 else 2)
        tokens = np.array(letters).reshape(len(histories), n)
        is_letter = tokens[:, None] == np.array([1, 2])[:, None]  # histories letters positions
        symmetric = np.zeros((len(histories), 3, n + 1))
        symmetric[:, 1:, :n] = is_letter
        symmetric[:, 0, n] = 1.0
        last = tokens[:, -1] if n else np.zeros(len(histories), int)
        rows.append(
            Row(
                probs=probs,
                targets=np.array(targets),
                features=is_letter.reshape(len(histories), 2 * n).astype(float),
                symmetric=symmetric,
                memories={"row": np.zeros_like(last), "last letter": last},
            )
        )
    return rows


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


def task_rows(settings: Settings) -> list[Row]:
    """Return the rows of a run's task: coins, one urn without names, or aⁿbⁿ with or without."""
    task = tasks.build(settings)
    length = settings.task.context_length
    if settings.task.n_special:
        return strings(length, has_names=settings.kind == "normal")
    return coins(length) if task.pool is None else urns(task.pool, length)


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
