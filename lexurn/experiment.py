"""From settings to the parts of an experiment: training pool, training batches, references, held-out sequences.

Each is a function of the settings alone, through random streams of its own, so that evaluating can never change
training and two models with equal task and seed are compared on the same sequences.
"""

from collections.abc import Iterator

import torch

from lexurn import evaluation
from lexurn import predictors as exact
from lexurn.seeding import generator
from lexurn.settings import Settings
from lexurn.shapes import Pool, Predictor, Tokens
from lexurn.tasks import Urns
from lexurn.tasks.batches import endless, finite


def training_pool(settings: Settings) -> Pool | None:
    """The urns a model is trained on; None where every sequence has a fresh one."""
    task = settings.task
    if task.n_tasks == 0:
        return None
    return urns(settings).sample_tasks(task.n_tasks, generator=generator(settings.training.seed, "urns"))


def urns(settings: Settings) -> Urns:
    return Urns(settings.task.n_colors, settings.task.alpha)


def batches(settings: Settings, pool: Pool | None, *, device: torch.device | str = "cpu") -> Iterator[Tokens]:
    """The training data on `device`: an endless stream or a finite set, each sequence of context_length + 1 balls.

    Drawn on the CPU, so that every device sees the same, and moved a whole block at a time.
    """
    task, train = urns(settings), settings.training
    length = settings.task.context_length + 1

    def sample(n: int, stream: torch.Generator) -> Tokens:
        if pool is None:
            return task.out_of_distribution(n, length, generator=stream).to(device)
        return task.in_distribution(pool, n, length, generator=stream).to(device)

    if train.n_train_samples == 0:
        return endless(sample, train.batch_size, seed=train.seed)
    return finite(sample, train.n_train_samples, train.n_epochs, train.batch_size, seed=train.seed)


def references(settings: Settings, pool: Pool | None) -> dict[str, Predictor]:
    """The exact predictors a run is compared with: G always; M and S where there is a pool.

    S is left out beyond 12 colours and where its cost, n_tasks · V · 2^V, exceeds that of 64 urns of 8 colours.
    """
    n_colors = settings.task.n_colors
    predictors: dict[str, Predictor] = {"generalizing": exact.Generalizing(n_colors, settings.task.alpha)}
    if pool is not None:
        predictors["memorizing"] = exact.Memorizing(pool)
        if n_colors <= 12 and len(pool) * n_colors * 2**n_colors <= 64 * 8 * 2**8:
            predictors["symmetrized"] = exact.Symmetrized(pool)
    return predictors


def held_out(settings: Settings, pool: Pool | None) -> list[evaluation.Split]:
    """The evaluation sequences of a run, the same at every evaluation and for every model with this task and seed."""
    task, n, length = urns(settings), settings.training.n_test_samples, settings.task.context_length + 1
    seed = settings.training.seed
    tokens = {
        "out_of_distribution": task.out_of_distribution(n, length, generator=generator(seed, "out of distribution")),
        "low_entropy": task.low_entropy(length),
    }
    if pool is not None:
        inside = task.in_distribution(pool, n, length, generator=generator(seed, "in distribution"))
        tokens = {"in_distribution": inside, **tokens}
    return evaluation.splits(tokens, references(settings, pool))
