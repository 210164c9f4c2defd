"""Probes: is a quantity written in activations, in a way that a line, or a small network, reads?

A probe learns on some sequences at some rows. It is scored on other sequences, at the rows that it has learnt at and at
others, which it can only read if rows are told alike, by R² (1: read exactly, 0: as good as the mean; below: worse),
with an interval over sequences. Two controls belong beside it: targets shuffled over the examples, which
nothing can read, and activations of an untrained model, which read what the architecture alone provides.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Generator, Tensor

from lexurn.base.seeding import numpy_generator
from lexurn.measures import intervals
from lexurn.measures.intervals import Interval

HIDDEN = 32
"""Units of a small network."""


@dataclass(frozen=True)
class Probe:
    """A fitted probe: R² on sequences that it has not seen, at its own rows (`r2`) and at others (`r2_elsewhere`), and
    the control, fitted to shuffled targets.

    A linear one also has `weights` (d) and `offset`: what it reads is weights · activation + offset.
    """

    r2: Interval
    r2_elsewhere: Interval
    shuffled: Interval
    weights: np.ndarray | None = None
    offset: float = float("nan")


def probe(
    activations: Float[Tensor, "batch time d"],
    targets: Float[Tensor, "batch time"],
    *,
    generator: Generator,
    kind: Literal["linear", "mlp"] = "linear",
) -> Probe:
    """Read targets from activations: learnt on the even rows of half the sequences, scored on the rest.

    Raises ValueError where there are not more examples to learn from than there are features, or too few rows.
    """
    x, y = activations.cpu().double().numpy(), targets.cpu().double().numpy()
    n, n_rows, d = x.shape
    order, half = numpy_generator(generator).permutation(n), n // 2
    learn, score = order[:half], order[half:]
    n_examples = half * len(range(0, n_rows, 2))
    if n_rows < 2 or n_examples <= d:
        raise ValueError(
            f"a probe of {d} features learns from more than {d} examples, on even rows of half the sequences, got "
            f"{n_examples} from {n} sequences of {n_rows} rows; use more sequences"
        )
    inputs, wanted = x[learn][:, ::2].reshape(-1, d), y[learn][:, ::2].ravel()
    model = _fitted(kind, inputs, wanted, generator)
    blind = _fitted(kind, inputs, numpy_generator(generator).permutation(wanted), generator)
    found = [
        _r_squared(model, x[score][:, rows::2], y[score][:, rows::2], generator) for rows in (0, 1)
    ]
    found.append(_r_squared(blind, x[score][:, ::2], y[score][:, ::2], generator))
    if kind == "mlp":
        return Probe(*found)
    scaler, line = model
    weights = line.coef_ / scaler.scale_
    return Probe(*found, weights, float(line.intercept_ - weights @ scaler.mean_))


def _fitted(kind: str, inputs: np.ndarray, wanted: np.ndarray, generator: Generator) -> Any:
    seed = int(numpy_generator(generator).integers(2**31))
    network = MLPRegressor(
        hidden_layer_sizes=(HIDDEN,),
        learning_rate_init=3e-3,
        max_iter=300,
        early_stopping=True,
        random_state=seed,
    )
    return make_pipeline(StandardScaler(), LinearRegression() if kind == "linear" else network).fit(
        inputs, wanted
    )


def _r_squared(model: Any, x: np.ndarray, true: np.ndarray, generator: Generator) -> Interval:
    """With an interval over sequences, whose rows go together."""
    read = model.predict(x.reshape(-1, x.shape[-1])).reshape(true.shape)
    lost, spread = ((read - true) ** 2).sum(-1), ((true - true.mean()) ** 2).sum(-1)

    def statistic(lost: np.ndarray, spread: np.ndarray, axis: int) -> intervals.Values:
        return 1 - lost.sum(axis) / spread.sum(axis)

    return intervals.bootstrap(lost, spread, generator=generator, statistic=statistic)
