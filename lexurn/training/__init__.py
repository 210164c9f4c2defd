"""Training: one loop over batches (`loop`), and the batches that it is handed (`batches`)."""

from lexurn.training.loop import (
    N_FIRST,
    Metrics,
    Trained,
    Weights,
    build_optimizers,
    copy_weights,
    rate_factor,
    train,
)

__all__ = [
    "N_FIRST",
    "Metrics",
    "Trained",
    "Weights",
    "build_optimizers",
    "copy_weights",
    "rate_factor",
    "train",
]
