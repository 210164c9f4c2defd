"""Training: one loop (`loop`), its `step`, its `state` with the optimizers, and `batches`."""

from lexurn.training.loop import Callbacks, Metrics, TrainingResult, train
from lexurn.training.state import (
    N_FIRST_LOSSES,
    TrainState,
    build_optimizers,
    copy_weights,
    learning_rate_factor,
)

__all__ = [
    "N_FIRST_LOSSES",
    "Callbacks",
    "Metrics",
    "TrainState",
    "TrainingResult",
    "build_optimizers",
    "copy_weights",
    "learning_rate_factor",
    "train",
]
