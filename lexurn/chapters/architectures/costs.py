"""What a backbone costs: its parameters, the time of a training step, and what a step keeps in memory.

    step(model, tokens)              seconds, and bytes kept for the backward pass
    against_length(flats, lengths)   both against the context length: a tidy table
    of_training(run)                 how long a run's training takes
    growth(table, "ms")              the exponent with which a cost grows over the longest contexts

Times are of this machine, and of the threads that torch is set to.
"""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from lexurn import models, training
from lexurn.base.divergences import negative_log_likelihood
from lexurn.base.seeding import generator
from lexurn.base.shapes import Tokens
from lexurn.models import LanguageModel
from lexurn.runs.run import Run
from lexurn.settings.resolver import check

Flat = dict[str, object]
"""Settings by their flat names."""


def step(
    model: LanguageModel,
    tokens: Tokens,
    *,
    n_rounds: int = 3,
    after: Callable[[], object] | None = None,
) -> tuple[float, int]:
    """Seconds of the fastest of some training steps, and the bytes that one keeps. What an optimizer does is `after`.

    What is kept is what autograd saves for the backward pass, each storage once, without the model's weights.
    """
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    def loss() -> torch.Tensor:
        return negative_log_likelihood(
            model(tokens, generator=generator(0, "tables")), tokens
        ).mean()

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss().backward()  # the first is slower than those to come
    seconds = []
    for _ in range(n_rounds):
        begun = time.perf_counter()
        loss().backward()
        if after:
            after()
        seconds.append(time.perf_counter() - begun)
    model.zero_grad()
    return min(seconds), sum(kept.values())


def against_length(
    flats: dict[str, Flat], lengths: list[int], *, batch_size: int = 8
) -> pd.DataFrame:
    """Costs of models, each given by its settings, at several context lengths: model, context_length, parameters (of
    the backbone), ms, megabytes."""
    lines = []
    for name, flat in flats.items():
        for length in lengths:
            settings = check(flat | {"context_length": length})
            model = models.build(settings, generator=generator(0, "weights"))
            shape = (batch_size, length + 1)
            tokens = torch.randint(
                settings.task.vocab_size, shape, generator=generator(0, "tokens")
            )
            seconds, kept = step(model, tokens)
            lines.append(
                (name, length, models.summary(model)["backbone"], 1e3 * seconds, kept / 1e6)
            )
    return pd.DataFrame(lines, columns=["model", "context_length", "parameters", "ms", "megabytes"])


def of_training(run: Run) -> pd.DataFrame:
    """How long the steps of a run's training take on this machine (forward, backward, optimizer): seconds, in all."""
    settings, train = run.settings, run.settings.training
    model = models.build(settings, generator=generator(0, "weights"))
    optimizers = training.build_optimizers(model, train)
    tokens = next(iter(run.splits.values()))[: train.batch_size]
    one, _ = step(model, tokens, after=lambda: [each.step() for each in optimizers])
    return pd.DataFrame({"seconds": [train.n_steps * one]})


def growth(table: pd.DataFrame, cost: str, *, n_last: int = 3) -> pd.Series:
    """The slope of a cost against the context length, both as logs, over the longest `n_last`: 1 where it grows in
    proportion, 2 with the square."""

    def slope(mine: pd.DataFrame) -> float:
        mine = mine.nlargest(n_last, "context_length")
        return float(np.polyfit(np.log(mine["context_length"]), np.log(mine[cost]), 1)[0])

    return pd.Series({name: slope(mine) for name, mine in table.groupby("model", sort=False)})
