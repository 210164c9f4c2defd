"""The cost of a backbone: its parameters, and the time and memory of a training step.

    measure_step(model, tokens)         seconds, and bytes stored for the backward pass
    costs_by_length(flats, lengths)     both by context length: a tidy table
    model_costs(settings, lengths)      the same, and the processor
    training_time(settings)             the duration of a training
    growth_exponents(table, "ms")       the exponent of a cost's growth over the longest contexts
    state_size(backbone, n_rows)        numbers that a model keeps to go on after so many rows
    crossover(table, first, second)     the context length at which two costs are equal

Times are CPU times of the machine that measures them, with the number of threads that torch is set
to.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from lexurn import models, tasks, training
from lexurn.base.divergences import negative_log_likelihood
from lexurn.base.seeding import generator
from lexurn.base.shapes import Tokens
from lexurn.models import LanguageModel
from lexurn.runs import provenance
from lexurn.settings import BackboneSettings, MambaSettings, Settings, XLSTMSettings
from lexurn.settings.resolver import check

Flat = dict[str, object]
"""Settings by their flat names."""


def measure_step(
    model: LanguageModel,
    tokens: Tokens,
    *,
    n_rounds: int = 3,
    optimizer_step: Callable[[], object] | None = None,
) -> tuple[float, int]:
    """Return the CPU time of the fastest training step in seconds, and the bytes that it stores.

    CPU time does not depend on what else the machine does; with one thread, an idle machine takes
    just as long.
    The bytes are what autograd saves for the backward pass: every storage once, without the weights
    of the model. The time includes `optimizer_step` if it is given.
    """
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    stored: dict[int, int] = {}

    def store(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            stored[storage.data_ptr()] = storage.nbytes()
        return tensor

    def loss() -> torch.Tensor:
        log_probs = model(tokens, generator=generator(0, "tables"))
        return negative_log_likelihood(log_probs, tokens).mean()

    with torch.autograd.graph.saved_tensors_hooks(store, lambda tensor: tensor):
        loss().backward()  # the first step is slower than later steps
    seconds = []
    for _ in range(n_rounds):
        start = time.process_time()
        loss().backward()
        if optimizer_step:
            optimizer_step()
        seconds.append(time.process_time() - start)
    model.zero_grad()
    return min(seconds), sum(stored.values())


def costs_by_length(
    flats: dict[Any, Flat], lengths: list[int], *, batch_size: int = 8
) -> pd.DataFrame:
    """Return the costs of models, given by their settings, at several context lengths.

    Columns: model, context_length, parameters (of the backbone), ms, megabytes.
    """
    rows = []
    for name, flat in flats.items():
        for length in lengths:
            settings = check(flat | {"context_length": length})
            model = models.build(settings, generator=generator(0, "weights"))
            shape = (batch_size, length + 1)
            stream = generator(0, "tokens")
            tokens = torch.randint(settings.task.vocab_size, shape, generator=stream)
            seconds, n_bytes = measure_step(model, tokens)
            n_parameters = models.summary(model)["backbone"]
            rows.append((name, length, n_parameters, 1e3 * seconds, n_bytes / 1e6))
    return pd.DataFrame(rows, columns=["model", "context_length", "parameters", "ms", "megabytes"])


def model_costs(settings: Sequence[Settings], lengths: list[int]) -> pd.DataFrame:
    """Return `costs_by_length` of several models, and the processor that they were measured on.

    The column `model` is the place of the model among `settings`.
    """
    flats = {number: each.changed() for number, each in enumerate(settings)}
    return costs_by_length(flats, lengths).assign(processor=provenance.processor())


def training_time(settings: Settings) -> pd.DataFrame:
    """Return the total time of the training steps of a run: seconds and processor, in one row.

    A step is forward, backward and optimizer. The processor is the one that it was measured on.
    """
    train = settings.training
    model = models.build(settings, generator=generator(0, "weights"))
    optimizers = training.build_optimizers(model, train)
    tokens = next(iter(tasks.build(settings).held_out().values()))[: train.batch_size]
    seconds, _ = measure_step(
        model,
        tokens,
        n_rounds=20,  # a step of a small model takes a millisecond, and its time varies
        optimizer_step=lambda: [optimizer.step() for optimizer in optimizers],
    )
    row = {"seconds": train.n_steps * seconds, "processor": provenance.processor()}
    return pd.DataFrame([row])


def training_times(settings: Sequence[Settings]) -> pd.DataFrame:
    """Return `training_time` of several trainings, one row each."""
    return pd.concat(map(training_time, settings), ignore_index=True)


def growth_exponents(table: pd.DataFrame, cost: str, *, n_last: int = 3) -> pd.Series:
    """Return the slope of log cost against log context length per model, over the longest contexts.

    It is 1 for linear and 2 for quadratic growth. `n_last` is the number of context lengths used.
    """

    def slope(group: pd.DataFrame) -> float:
        longest = group.nlargest(n_last, "context_length")
        return float(np.polyfit(np.log(longest["context_length"]), np.log(longest[cost]), 1)[0])

    return pd.Series({name: slope(group) for name, group in table.groupby("model", sort=False)})


def n_weights(settings: Settings) -> int:
    """Return the number of weights of a backbone, without its vocabulary."""
    return models.summary(models.build(settings, generator=generator(0, "weights")))["backbone"]


def state_size(backbone: BackboneSettings, n_rows: int) -> int:
    """Return how many numbers a layer has to keep to go on after `n_rows` rows.

    A transformer keeps keys and values, a linear layer its inputs, an LSTM its cells and output;
    Mamba and the mLSTM of xLSTM keep the last rows of their convolution; Mamba also `d_state`
    numbers per channel, and the mLSTM a matrix, a vector and a scale per head. (Our mLSTM computes
    all rows in parallel, and keeps no such state.)
    """
    d = backbone.d_model
    if isinstance(backbone, MambaSettings):
        return backbone.inner * (backbone.d_state + min(backbone.d_conv - 1, n_rows))
    if isinstance(backbone, XLSTMSettings):
        width = backbone.inner // backbone.n_heads
        head = width**2 + width + 1
        return backbone.n_heads * head + backbone.inner * min(backbone.d_conv - 1, n_rows)
    sizes = {"transformer": 2 * d * n_rows, "linear": d * n_rows, "lstm": 2 * backbone.d_out}
    return sizes[backbone.name]


def crossover(table: pd.DataFrame, first: str, second: str, *, cost: str = "ms") -> float:
    """Return the context length from which on `first` costs more than `second`.

    Between two lengths, the logarithm of the ratio is taken as linear in that of the length. It is
    infinite if `first` is still cheaper at the longest length, and the shortest length if it always
    costs more.
    """
    wide = table.pivot(index="context_length", columns="model", values=cost).sort_index()
    ratios = np.log(wide[first] / wide[second]).to_numpy()
    lengths = np.log(wide.index.to_numpy(dtype=float))
    cheaper = np.flatnonzero(ratios <= 0)
    if not len(cheaper):
        return float(wide.index[0])
    last = cheaper[-1]
    if last == len(ratios) - 1:
        return np.inf
    between = np.interp(0.0, ratios[[last, last + 1]], lengths[[last, last + 1]])
    return float(np.exp(between))
