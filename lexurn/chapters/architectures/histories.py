"""A task as a list of rows: finite tables of the histories that the optimum distinguishes.

    coins(length), urns(urn, length), strings(max_letters, has_names=…)     the rows, exactly
    task_rows(settings)                                                     those of a run's task

Of every history, a row has its probability p, what the optimum predicts after it (the target q),
and what simpler predictors may know of it.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from math import factorial

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy.special import gammaln, softmax, xlogy

from lexurn import tasks
from lexurn.base.shapes import Pool
from lexurn.settings import Settings

Design = Float64[ndarray, "histories tokens parameters"]


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


def task_rows(settings: Settings) -> list[Row]:
    """Return the rows of a run's task: coins, one urn without names, or aⁿbⁿ with or without."""
    task = tasks.build(settings)
    length = settings.task.context_length
    if settings.task.n_special:
        return strings(length, has_names=settings.kind == "normal")
    return coins(length) if task.pool is None else urns(task.pool, length)
