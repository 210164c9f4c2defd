"""From settings to the parts of an experiment: pool, batches, references, held-out sequences, the model, its training.

Each is a function of the settings alone, through random streams of its own, so that evaluating can never change
training and two models with equal task and seed are compared on the same sequences.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from safetensors.torch import load_file

from lexurn import models, parameters, store, training
from lexurn import predictors as exact
from lexurn.seeding import generator
from lexurn.settings import Settings, TrainingSettings
from lexurn.shapes import Pool, Predictor, State, Tokens
from lexurn.tasks import Urns
from lexurn.tasks.batches import endless, finite

N_TABLES = 8
"""Draws of random tables that a lexical model's probabilities are averaged over when it is evaluated."""


def training_pool(settings: Settings) -> Pool | None:
    """The urns a model is trained on; None where every sequence has a fresh one."""
    task = settings.task
    if task.n_tasks == 0:
        return None
    if task.thetas:
        heads = torch.tensor(task.thetas, dtype=torch.float64)
        return torch.stack([1 - heads, heads], -1)
    return urns(settings).sample_tasks(task.n_tasks, generator=generator(settings.training.seed, "urns"))


def urns(settings: Settings) -> Urns:
    """Where training urns come from."""
    return Urns(settings.task.n_colors, settings.task.alpha)


def target(settings: Settings) -> Urns:
    """Where fresh urns come from when a model is judged: where training urns do, but for losses that are weighted."""
    return Urns(settings.task.n_colors, settings.task.target_alpha or settings.task.alpha)


def weights(settings: Settings) -> Callable[[Tokens], torch.Tensor] | None:
    """Importance weights of training sequences, so that a loss over them is one under the target prior; or None.

    p_target(x) / p_alpha(x) with the urn integrated out: what the ratio of the priors' densities is on average, given
    the sequence, and so with less variance.
    """
    if not settings.task.target_alpha:
        return None
    towards, at = target(settings), urns(settings)
    return lambda tokens: (towards.log_evidence(tokens) - at.log_evidence(tokens)).exp().float()


def sample_like_training(settings: Settings, pool: Pool | None, n: int, stream: torch.Generator) -> Tokens:
    """`n` sequences of context_length + 1 balls of the kind that the model is trained on."""
    task, length = urns(settings), settings.task.context_length + 1
    if pool is None:
        tokens = task.out_of_distribution(n, length, generator=stream)
    else:
        tokens = task.in_distribution(pool, n, length, generator=stream)
    return task.relabel(tokens, generator=stream) if settings.task.label_permuted else tokens


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
        return endless(sample, train.batch_size, seed=train.seed, start=start)
    return finite(sample, train.n_train_samples, train.n_epochs, train.batch_size, seed=train.seed, start=start)


def references(settings: Settings, pool: Pool | None) -> dict[str, Predictor]:
    """The exact predictors a run is compared with: G always; M and S where there is a pool.

    S is left out beyond `MOST_COLORS` and where its sums over subsets would take longer than about a minute.
    """
    task, n_colors = settings.task, settings.task.n_colors
    predictors: dict[str, Predictor] = {"generalizing": exact.Generalizing(n_colors, target(settings).alpha)}
    if pool is not None:
        predictors["memorizing"] = exact.Memorizing(pool)
        n_rows = 2 * settings.training.n_test_samples * (task.context_length + 1)
        if n_colors <= exact.MOST_COLORS and n_rows * len(pool) * n_colors * 2**n_colors < 4e10:
            predictors["symmetrized"] = exact.Symmetrized(pool)
    return predictors


def require_references(settings: Settings) -> None:
    """Raise ParameterError unless both M and S are there to compare with."""
    task = settings.task
    if task.n_tasks == 0:
        raise parameters.ParameterError(
            "n_tasks=0 leaves no pool to memorize, and nothing to compare with but G; use n_tasks 1 or more"
        )
    if "symmetrized" not in references(settings, training_pool(settings)):
        raise parameters.ParameterError(
            f"S takes too long for n_colors={task.n_colors}, n_tasks={task.n_tasks} and n_test_samples="
            f"{settings.training.n_test_samples}, and this chapter compares with it; lower one of them"
        )


def optimum(settings: Settings) -> str:
    """The reference that no model with these settings can beat on average: the Bayes optimum of its training data.

    Without names (lexical, label-permuted) it is symmetrized, which for fresh urns is G only if the prior is symmetric.
    """
    names_count, alphas = settings.kind == "normal", target(settings).alphas
    if settings.task.n_tasks == 0 and (names_count or len(set(alphas)) == 1):
        return "generalizing"
    return "memorizing" if names_count else "symmetrized"


def held_out(settings: Settings, pool: Pool | None) -> dict[str, Tokens]:
    """The evaluation splits of a run, the same at every evaluation and for every model with this task and seed."""
    task, n, length = target(settings), settings.training.n_test_samples, settings.task.context_length + 1
    seed = settings.training.seed

    def stream(name: str) -> torch.Generator:
        return generator(seed, "held out", name)

    tokens = {
        "out_of_distribution": task.out_of_distribution(n, length, generator=stream("out of distribution")),
        "low_entropy": task.low_entropy(length),
    }
    if pool is not None:
        inside = task.in_distribution(pool, n, length, generator=stream("in distribution"))
        tokens = {"in_distribution": inside, **tokens}
    return tokens


def validation(settings: Settings, pool: Pool | None) -> Tokens:
    """Sequences like those of training that choose the best weights, and nothing else."""
    stream = generator(settings.training.seed, "validation")
    if settings.task.target_alpha:
        return target(settings).out_of_distribution(
            settings.training.n_test_samples, settings.task.context_length + 1, generator=stream
        )
    return sample_like_training(settings, pool, settings.training.n_test_samples, stream)


def resolve_device(asked: str) -> torch.device:
    """`auto` is cuda, else mps, else cpu; a device asked for by name must be there, else ParameterError."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        return torch.device(next(name for name, is_there in there.items() if is_there))
    if not there[asked]:
        names = ", ".join(name for name, is_there in there.items() if is_there)
        raise parameters.ParameterError(f"device {asked} is not available here; available: {names}; use device auto")
    return torch.device(asked)


@dataclass(frozen=True)
class Ready:
    """What a training needs beside its data, made from its settings."""

    device: torch.device
    bf16: bool
    pool: Pool | None
    model: models.LanguageModel
    predictor: Predictor
    weigh: Callable[[Tokens], torch.Tensor] | None = None


def prepare(settings: Settings) -> Ready:
    """Device, precision, pool and a new model, and that model as a predictor.

    Raises ParameterError for a device or an optimizer that is not here.
    """
    device, seed = resolve_device(settings.machine.device), settings.training.seed
    if settings.training.optimizer == "muon" and "Muon" not in vars(torch.optim):
        raise parameters.ParameterError(f"optimizer=muon needs torch 2.9 or newer, this is {torch.__version__}")
    model = begun(settings).to(device)
    native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return Ready(
        device,
        native and settings.backbone.d_model >= 128,  # narrower models are bound by launches, which casts add to
        training_pool(settings),
        model,
        models.as_predictor(model, n_tables=N_TABLES, seed=seed),
        weights(settings),
    )


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
        raise parameters.ParameterError(f"initial={train.initial} gives no weights for this model: {said}") from None
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
) -> training.Trained:
    """Train the model that is ready, each random stream from the one seed; see `training.train`."""
    return training.train(
        ready.model,
        batches,
        settings=train,
        tables=generator(train.seed, "tables", device=ready.device),
        dropout_seed=train.seed,
        evaluate=evaluate,
        log=log,
        bf16=ready.bf16,
        state=state,
        checkpoint=checkpoint,
        weigh=ready.weigh,
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
            fit(ready, few, itertools.repeat(batch), evaluate=lambda _: {"validation_loss": 0.0}, log=lambda *_: None)

        steps(1)  # slower than those to come
        one_step = _seconds(lambda: steps(3)) / 3
        fewer = settings.model_copy(update={"training": small})
        splits, exact_ones = held_out(fewer, ready.pool).values(), references(settings, ready.pool).values()
        of_references = share * _seconds(lambda: [each(split) for each in exact_ones for split in splits])
        sequences = validation(settings, ready.pool)  # as many as in each of the two large splits
        one_evaluation = 3 * _seconds(lambda: ready.predictor(sequences))
    n_evaluations = train.n_steps // train.eval_every + 2
    return train.n_steps * one_step + of_references + n_evaluations * one_evaluation


def _seconds(function: Callable[[], object]) -> float:
    began = time.monotonic()
    function()
    return time.monotonic() - began


@contextmanager
def threads(n: int) -> Iterator[None]:
    """So many CPU threads for the time of a block."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
