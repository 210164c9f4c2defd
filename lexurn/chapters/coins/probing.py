"""Probes: can a quantity be read from activations by a linear map or by a small network?

A probe is trained on some sequences, and scored by R² on other sequences, at the same rows. R² is 1
for an exact probe, 0 for a probe as good as the mean, and negative for a worse one; its interval is
over sequences. Two controls belong beside it: shuffled targets, which no probe can read, and an
untrained model, which shows what the architecture alone provides.
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

N_HIDDEN = 32
"""The number of hidden units of an MLP probe."""


@dataclass(frozen=True)
class Probe:
    """The scores of a fitted probe: R² on held-out sequences.

    `shuffled` is the control with shuffled targets. A linear probe also has `weights` (d) and
    `offset`: it computes weights · activation + offset.
    """

    r2: Interval
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
    """Train a probe on half of the sequences and score it on the other half.

    Raises ValueError if there are no more examples than features.
    """
    x = activations.cpu().double().numpy()
    y = targets.cpu().double().numpy()
    n, n_rows, d = x.shape
    order = numpy_generator(generator).permutation(n)
    half = n // 2
    train, test = order[:half], order[half:]
    n_examples = half * n_rows
    if n_examples <= d:
        raise ValueError(
            f"a probe of {d} features needs more than {d} examples in half of the sequences, got "
            f"{n_examples} examples from {n} sequences of {n_rows} rows; use more sequences"
        )
    inputs = x[train].reshape(-1, d)
    outputs = y[train].ravel()
    model = _fit(kind, inputs, outputs, generator)
    control = _fit(kind, inputs, numpy_generator(generator).permutation(outputs), generator)
    r2 = _r_squared(model, x[test], y[test], generator)
    shuffled = _r_squared(control, x[test], y[test], generator)
    if kind == "mlp":
        return Probe(r2, shuffled)
    scaler, regression = model
    weights = regression.coef_ / scaler.scale_
    offset = float(regression.intercept_ - weights @ scaler.mean_)
    return Probe(r2, shuffled, weights, offset)


def _fit(kind: str, inputs: np.ndarray, outputs: np.ndarray, generator: Generator) -> Any:
    seed = int(numpy_generator(generator).integers(2**31))
    network = MLPRegressor(
        hidden_layer_sizes=(N_HIDDEN,),
        learning_rate_init=3e-3,
        max_iter=300,
        early_stopping=True,
        random_state=seed,
    )
    regression = LinearRegression() if kind == "linear" else network
    return make_pipeline(StandardScaler(), regression).fit(inputs, outputs)


def _r_squared(model: Any, x: np.ndarray, y: np.ndarray, generator: Generator) -> Interval:
    """Return R² with an interval from resampled sequences, keeping the rows of each together."""
    predictions = model.predict(x.reshape(-1, x.shape[-1])).reshape(y.shape)
    residual = ((predictions - y) ** 2).sum(-1)
    total = ((y - y.mean()) ** 2).sum(-1)

    def statistic(residual: np.ndarray, total: np.ndarray, axis: int) -> intervals.Values:
        return 1 - residual.sum(axis) / total.sum(axis)

    return intervals.bootstrap(residual, total, generator=generator, statistic=statistic)
