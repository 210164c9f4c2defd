"""From settings to a training: device, data, a new model, and one call of the loop.

Each part is a function of the settings alone, through random streams of its own, so that evaluating
never changes training.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from timeit import timeit

import torch

from lexurn import models, tasks, training
from lexurn.base import errors, seeding, session
from lexurn.base.shapes import Predictor, State, Tokens
from lexurn.base.threads import threads
from lexurn.runs import integrity, store
from lexurn.runs.contents import load_file
from lexurn.settings import Settings, TrainingSettings
from lexurn.training.batches import endless_batches, finite_batches

N_TABLES = 8
"""Random tables that a lexical model's probabilities are averaged over in its final evaluation."""

MAX_PREDICTED_NUMBERS = 2**23
"""Probabilities that are evaluated in one batch, in double precision (64 MB)."""

MIN_BF16_WIDTH = 128
"""Narrower models are bound by kernel launches, to which casts add."""


@dataclass(frozen=True)
class TrainingSetup:
    """What a training needs in addition to its batches, built from its settings.

    `predictor` averages over random tables, `predictor_as_trained` has one table per sequence.
    """

    device: torch.device
    bf16: bool
    task: tasks.Task
    model: models.LanguageModel
    predictor: Predictor
    predictor_as_trained: Predictor


def resolve_device(name: str) -> torch.device:
    """Return the device with this name; `auto` is cuda, else mps, else cpu.

    Raises ParameterError if this machine has no such device.
    """
    is_available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    available = [device for device in is_available if is_available[device]]
    if name != "auto" and name not in available:
        raise errors.ParameterError(
            f"device {name} is not available here; available: {', '.join(available)}; use device "
            "auto"
        )
    return torch.device(available[0] if name == "auto" else name)


def prepare(settings: Settings) -> TrainingSetup:
    """Return device, precision, task and a new model, also as a predictor.

    Raises ParameterError for a device or an optimizer that is not available.
    """
    device = resolve_device(settings.machine.device)
    if settings.training.optimizer == "muon" and "Muon" not in vars(torch.optim):
        raise errors.ParameterError(
            f"optimizer=muon needs torch 2.9 or newer, this is {torch.__version__}"
        )
    model = init_model(settings).to(device)
    has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return TrainingSetup(
        device=device,
        bf16=has_bf16 and settings.backbone.d_model >= MIN_BF16_WIDTH,
        task=tasks.build(settings),
        model=model,
        predictor=as_predictor(model, settings),
        predictor_as_trained=models.as_trained_predictor(model, seed=settings.training.seed),
    )


def init_model(settings: Settings) -> models.LanguageModel:
    """Return a model before its training: new, or with the best weights of the run `init_from`.

    Where the vocabulary of that run is another one, the model keeps new vocabulary weights. Raises
    ParameterError where that run is missing, or its model is another outside the vocabulary.
    """
    train = settings.training
    model = models.build(settings, generator=seeding.generator(train.seed, "weights"))
    if not train.init_from:
        return model
    try:
        path = store.find(train.init_from) / store.WEIGHTS
        integrity.check_run(path.parent)
        session.current().used_files.add(f"{path.parent.name}/{store.WEIGHTS}")
        models.load_weights(model, load_file(path))
    except (FileNotFoundError, RuntimeError) as error:
        raise errors.ParameterError(
            f"init_from={train.init_from} gives no weights for this model: "
            f"{' '.join(str(error).split())}"
        ) from None
    if train.trainable != "all":
        model.backbone.requires_grad_(False)
    if train.trainable == "vocabulary" and model.positions is not None:
        model.positions.requires_grad_(False)
    return model


def as_predictor(model: models.LanguageModel, settings: Settings) -> Predictor:
    """Return a model as a predictor; a lexical model is averaged over `N_TABLES` random tables."""
    return models.as_predictor(model, n_tables=N_TABLES, seed=settings.training.seed)


def eval_batch_size(task: tasks.Task) -> int:
    """Return how many sequences are evaluated in one batch, so that they fit in memory."""
    n_rows = task.settings.task.context_length + 1
    return max(MAX_PREDICTED_NUMBERS // (task.vocab_size * n_rows), 1)


def training_batches(
    task: tasks.Task, *, device: torch.device | str = "cpu", start: int = 0
) -> Iterator[Tokens]:
    """Yield the training data on `device` from step `start` on: an endless stream or a finite set.

    Sequences are drawn on the CPU, so that every device sees the same, and moved block by block.
    """
    train = task.settings.training
    length = task.settings.task.context_length + 1

    def sample(n: int, stream: torch.Generator) -> Tokens:
        return task.sample(n, length, generator=stream).to(device)

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


def fit(
    setup: TrainingSetup,
    train: TrainingSettings,
    batches: Iterator[Tokens],
    callbacks: training.Callbacks,
    *,
    saved: State | None = None,
) -> training.TrainingResult:
    """Train the model of a setup, perhaps from a saved state; see `training.train`."""
    return training.train(
        setup.model,
        batches,
        callbacks,
        settings=train,
        sequence_weights=setup.task.sequence_weights,
        first_row=setup.task.first_row,
        bf16=setup.bf16,
        saved=saved,
    )


def estimate(settings: Settings) -> float:
    """Return the seconds that training these settings would take here.

    They come from a few steps and a tenth of the held-out sequences. Raises ParameterError if the
    training does not fit into memory.
    """
    from lexurn.runs import memory  # which needs this module

    memory.require(settings, memory.free_memory(resolve_device(settings.machine.device)))
    train = settings.training
    n_few = max(train.n_test_samples // 10, 2)
    with threads(settings.machine.threads):
        setup = prepare(settings.replace(n_test_samples=n_few))
        batch = next(training_batches(setup.task, device=setup.device))
        no_evaluation = training.Callbacks(lambda _: {"validation_loss": 0.0}, lambda *_: None)

        def train_steps(n: int) -> None:
            short = settings.replace(n_steps=n, eval_every=n, n_train_samples=0, n_epochs=1)
            fit(setup, short.training, itertools.repeat(batch), no_evaluation)

        train_steps(1)  # slower than later steps
        per_step = timeit(lambda: train_steps(3), number=1) / 3
        held_out = setup.task.held_out().values()
        references = timeit(
            lambda: [
                reference(tokens)
                for reference in setup.task.references().values()
                for tokens in held_out
            ],
            number=1,
        )
        sequences = setup.task.validation()  # about as many as in each of the two large splits
        evaluation = 4 * timeit(lambda: setup.predictor_as_trained(sequences), number=1)
    scale = train.n_test_samples / n_few
    n_evaluations = train.n_steps // train.eval_every + 2 + N_TABLES * settings.vocabulary.lex
    return train.n_steps * per_step + scale * (references + n_evaluations * evaluation)
