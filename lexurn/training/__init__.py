"""Training: one loop (`loop`), its state (`state`), optimizers (`optimizers`) and `batches`."""

from lexurn.training.loop import Callbacks, Metrics, Objective, TrainingResult, train
from lexurn.training.optimizers import build_optimizers, learning_rate_factor
from lexurn.training.state import N_FIRST_LOSSES, TrainState, copy_weights

__all__ = [
    "N_FIRST_LOSSES",
    "Callbacks",
    "Metrics",
    "Objective",
    "TrainState",
    "TrainingResult",
    "build_optimizers",
    "copy_weights",
    "learning_rate_factor",
    "train",
]
