"""From settings to the parts of an experiment: pool, batches, references, held-out sequences, the model, its training.

Each is a function of the settings alone, through random streams of its own, so that evaluating can never change
training and two models with equal task and seed are compared on the same sequences. What depends on the task stands in
a module for each: `of_urns`, `of_languages`, `of_text`.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType

import torch
from safetensors.torch import load_file

from lexurn import models, training
from lexurn.base.errors import ParameterError
from lexurn.base.seeding import generator
from lexurn.base.shapes import Pool, Predictor, State, Tokens
from lexurn.runs import store
from lexurn.runs.machine import resolve_device, threads
from lexurn.settings import Settings, TrainingSettings
from lexurn.tasks import language, text
from lexurn.tasks import urns as urns_task
from lexurn.tasks.urns import require_references, target, urns
from lexurn.training.batches import endless_batches, finite_batches

__all__ = [
    "N_TABLES",
    "Ready",
    "as_predictor",
    "at_once",
    "batches",
    "begun",
    "estimate",
    "fingerprint",
    "fit",
    "held_out",
    "optimum",
    "prepare",
    "references",
    "require_data",
    "require_references",
    "resolve_device",
    "sample_like_training",
    "target",
    "threads",
    "training_pool",
    "urns",
    "validation",
    "weights",
]

N_TABLES = 8
"""Draws of random tables that a lexical model's probabilities are averaged over when it is evaluated."""

MOST_NUMBERS = 2**23
"""Of predictions that are evaluated at once, in double precision (64 MB)."""


SOURCES = {"urns": urns_task, "language": language, "text": text}
"""The module of each task, which has the nine functions below."""


def _of(settings: Settings) -> ModuleType:
    return SOURCES[settings.task.name]


def require_data(settings: Settings) -> None:
    """Raise ParameterError where there is nothing to train or to evaluate on."""
    _of(settings).require_data(settings)


def training_pool(settings: Settings) -> Pool | None:
    """The urns a model is trained on; None where every sequence has a fresh one, for words, and for text."""
    return _of(settings).training_pool(settings)


def sample_like_training(
    settings: Settings, pool: Pool | None, n: int, stream: torch.Generator
) -> Tokens:
    """`n` sequences of context_length + 1 tokens of the kind that the model is trained on."""
    return _of(settings).sample_like_training(settings, pool, n, stream)


def weights(settings: Settings) -> Callable[[Tokens], torch.Tensor] | None:
    """The weights of training sequences in the loss; None: all alike."""
    return _of(settings).weights(settings)


def references(settings: Settings, pool: Pool | None) -> dict[str, Predictor]:
    """The exact predictors that a run is compared with, by name."""
    return _of(settings).references(settings, pool)


def optimum(settings: Settings) -> str:
    """The reference that no model with these settings can beat on average: the Bayes optimum of its training data;
    "" where it is not known."""
    return _of(settings).optimum(settings)


def held_out(settings: Settings, pool: Pool | None) -> dict[str, Tokens]:
    """The evaluation splits of a run, the same at every evaluation and for every model with this task and seed."""
    return _of(settings).held_out(settings, pool)


def validation(settings: Settings, pool: Pool | None) -> Tokens:
    """Sequences like those of training that choose the best weights, and nothing else."""
    return _of(settings).validation(settings, pool)


def fingerprint(settings: Settings) -> dict[str, str]:
    """What tells data that is no generator's, a text and its tokenizer, from others of the same name."""
    return _of(settings).fingerprint(settings)


def at_once(settings: Settings) -> int:
    """How many sequences are predicted at once when a model is evaluated, so that the numbers fit into memory."""
    return max(MOST_NUMBERS // (settings.task.vocab_size * (settings.task.context_length + 1)), 1)


def batches(
    settings: Settings, pool: Pool | None, *, device: torch.device | str = "cpu", start: int = 0
) -> Iterator[Tokens]:
    """The training data on `device` from step `start` on: an endless stream or a finite set.

    Drawn on the CPU, so that every device sees the same, and moved a whole block at a time.
    """
    train = settings.training

    def sample(n: int, stream: torch.Generator) -> Tokens:
        return sample_like_training(settings, pool, n, stream).to(device)

    if train.n_train_samples == 0:
        return endless_batches(sample, train.batch_size, seed=train.seed, start=start)
    return finite_batches(
        sample,
        train.n_train_samples,
        train.n_epochs,
        train.batch_size,
        seed=train.seed,
        start=start,
    )


@dataclass(frozen=True)
class Ready:
    """What a training needs beside its data, made from its settings."""

    device: torch.device
    bf16: bool
    pool: Pool | None
    model: models.LanguageModel
    predictor: Predictor
    weigh: Callable[[Tokens], torch.Tensor] | None = None
    first_row: int = 1


def prepare(settings: Settings) -> Ready:
    """Device, precision, pool and a new model, and that model as a predictor.

    Raises ParameterError for a device or an optimizer that is not here.
    """
    device = resolve_device(settings.machine.device)
    if settings.training.optimizer == "muon" and "Muon" not in vars(torch.optim):
        raise ParameterError(
            f"optimizer=muon needs torch 2.9 or newer, this is {torch.__version__}"
        )
    model = begun(settings).to(device)
    native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return Ready(
        device,
        native
        and settings.backbone.d_model
        >= 128,  # narrower models are bound by launches, which casts add to
        training_pool(settings),
        model,
        as_predictor(model, settings),
        weights(settings),
        settings.task.first_row,
    )


def as_predictor(model: models.LanguageModel, settings: Settings) -> Predictor:
    """A model as a predictor; a lexical one's probabilities are averaged over `N_TABLES`."""
    return models.as_predictor(model, n_tables=N_TABLES, seed=settings.training.seed)


def begun(settings: Settings) -> models.LanguageModel:
    """A model before its training: drawn anew, or with the best weights of the run that is named as `initial`.

    Raises ParameterError where that run is not there, or its model is another.
    """
    train = settings.training
    model = models.build(settings, generator=generator(train.seed, "weights"))
    if not train.initial:
        return model
    try:
        path = store.find(train.initial) / store.WEIGHTS
        store.check(path.parent)
        store.used.add(f"{path.parent.name}/{store.WEIGHTS}")
        model.load_state_dict({name: weight.float() for name, weight in load_file(path).items()})
    except (FileNotFoundError, RuntimeError) as error:
        said = " ".join(str(error).split())
        raise ParameterError(
            f"initial={train.initial} gives no weights for this model: {said}"
        ) from None
    if train.trained == "vocabulary":
        model.backbone.requires_grad_(False)
        if model.positions is not None:
            model.positions.requires_grad_(False)
    return model


def fit(
    ready: Ready,
    train: TrainingSettings,
    batches: Iterator[Tokens],
    *,
    evaluate: Callable[[models.LanguageModel], training.Metrics],
    log: Callable[[training.Metrics, int], None],
    state: State | None = None,
    checkpoint: Callable[[int, Callable[[], State]], None] = lambda step, state: None,
) -> training.TrainingResult:
    """Train the model that is ready, each random stream from the one seed; see `training.train`."""
    return training.train(
        ready.model,
        batches,
        training.Callbacks(evaluate, log, checkpoint),
        settings=train,
        objective=training.Objective(ready.weigh, ready.first_row),
        bf16=ready.bf16,
        saved=state,
    )


def estimate(settings: Settings) -> float:
    """Seconds that training these settings would take here, from a few steps and a tenth of the held-out sequences."""
    train = settings.training
    small = train.model_copy(update={"n_test_samples": max(train.n_test_samples // 10, 2)})
    share = train.n_test_samples / small.n_test_samples
    with threads(settings.machine.threads):
        ready = prepare(settings)
        batch = next(batches(settings, ready.pool, device=ready.device))

        def steps(n: int) -> None:
            few = train.model_copy(update={"n_steps": n, "eval_every": n})
            fit(
                ready,
                few,
                itertools.repeat(batch),
                evaluate=lambda _: {"validation_loss": 0.0},
                log=lambda *_: None,
            )

        steps(1)  # slower than those to come
        one_step = _seconds(lambda: steps(3)) / 3
        fewer = settings.model_copy(update={"training": small})
        splits, exact_ones = (
            held_out(fewer, ready.pool).values(),
            references(settings, ready.pool).values(),
        )
        of_references = share * _seconds(
            lambda: [each(split) for each in exact_ones for split in splits]
        )
        sequences = validation(settings, ready.pool)  # as many as in each of the two large splits
        one_evaluation = 3 * _seconds(lambda: ready.predictor(sequences))
    n_evaluations = train.n_steps // train.eval_every + 2
    return train.n_steps * one_step + of_references + n_evaluations * one_evaluation


def _seconds(function: Callable[[], object]) -> float:
    began = time.monotonic()
    function()
    return time.monotonic() - began
