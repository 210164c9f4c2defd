"""The training loop: one function, from top to bottom.

The loss of a batch is the mean of −log p over all rows, in nats. The reported `train_loss` is its
mean over rows 1 … C, or over all rows for strings, as everywhere else. A step never waits for the
device: losses stay in a buffer on the device until the next evaluation. On a GPU the step is
recorded and launched as one CUDA graph (see `lexurn.training.step`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite, nan

from torch import Tensor, nn

from lexurn.base.seeding import global_generator
from lexurn.base.shapes import State, Tokens
from lexurn.settings import TrainingSettings
from lexurn.training.state import TrainState, copy_weights, learning_rate_factor
from lexurn.training.step import build_step

Metrics = dict[str, float]


@dataclass(frozen=True)
class Callbacks:
    """What the loop calls.

    `evaluate` runs before the first step, every `eval_every` steps and after the last. It must
    return a `validation_loss`, which chooses the best weights. `log` gets the metrics of each
    evaluation and its step. `checkpoint` gets the step before every update, and a function that
    returns the tensors to save.
    """

    evaluate: Callable[[nn.Module], Metrics]
    log: Callable[[Metrics, int], None]
    checkpoint: Callable[[int, Callable[[], State]], None] = lambda step, tensors: None


@dataclass(frozen=True)
class TrainingResult:
    """Weights of the best evaluation and of the last step (on the CPU), and the first losses."""

    best_weights: State
    last_weights: State
    best_step: int
    last_step: int
    first_losses: list[float]


def train(
    model: nn.Module,
    batches: Iterator[Tokens],
    callbacks: Callbacks,
    *,
    settings: TrainingSettings,
    sequence_weights: Callable[[Tokens], Tensor] | None = None,
    first_row: int = 1,
    bf16: bool = False,
    saved: State | None = None,
) -> TrainingResult:
    """Train a language model in place for `settings.n_steps` steps and return the result.

    `sequence_weights` returns the weight of each sequence (batch) in the loss; None gives all the
    same weight. The reported loss is a mean over the rows from `first_row` on.
    Training stops early if `settings.patience` evaluations have brought no improvement. To resume,
    pass the tensors of a checkpoint as `saved`, and `batches` from its step on: the result is then
    the same, bit for bit. Random tables and dropout depend on `settings.seed` alone; the global
    generator, from which only dropout draws, is restored at the end.

    Raises FloatingPointError if the loss of training or validation is not finite.
    """
    device = model.device
    n_steps, every = settings.n_steps, settings.eval_every
    state = TrainState(model, settings)
    make_step = build_step(state, settings, first_row=first_row, bf16=bf16)

    def tensors_to_save() -> State:
        if not all(tensor.isfinite().all() for tensor in (state.losses, *model.parameters())):
            raise _divergence("training", nan, max(state.step - every, 0), state, settings)
        return state.to_tensors()

    with global_generator(settings.seed, device):
        if saved is not None:
            state.load_tensors(saved)
        first_step = state.step
        for step in range(first_step, n_steps + 1):
            state.step = step
            rate = settings.learning_rate * learning_rate_factor(step, settings)
            state.set_learning_rate(rate)

            was_evaluated = step == first_step and saved is not None
            if (step % every == 0 or step == n_steps) and not was_evaluated:
                metrics = {"learning_rate": rate}
                if step:
                    n_new = (step - 1) % every + 1  # steps since the last evaluation
                    train_loss = state.losses[:n_new].mean().item()
                    if not isfinite(train_loss):
                        raise _divergence("training", train_loss, step - n_new, state, settings)
                    metrics["train_loss"] = train_loss
                with global_generator(step, device):  # evaluations do not change dropout
                    metrics |= callbacks.evaluate(model)
                loss = metrics["validation_loss"]
                if not isfinite(loss):  # after the last update there is no other loss
                    first = (step - 1) // every * every
                    raise _divergence("validation", loss, first, state, settings)
                callbacks.log(metrics, step)
                if loss < state.best_loss - settings.min_delta:
                    state.best_loss = loss
                    state.best_step = step
                    state.best_weights = copy_weights(model)
                if settings.patience and step - state.best_step >= settings.patience * every:
                    break
            if step == n_steps:
                break
            callbacks.checkpoint(step, tensors_to_save)

            model.train()
            tokens = next(batches)
            inputs = {"tokens": tokens}
            if model.vocabulary.is_random:
                inputs["table"] = model.vocabulary.draw(len(tokens), generator=state.tables)
            if sequence_weights is not None:
                inputs["weights"] = sequence_weights(tokens)
            state.losses[step % every] = make_step(**inputs)
            if step < len(state.first_losses):
                state.first_losses[step] = state.losses[step % every]

    return TrainingResult(
        best_weights=state.best_weights,
        last_weights=copy_weights(model),
        best_step=state.best_step,
        last_step=step,
        first_losses=state.first_losses[:step].tolist(),
    )


def _divergence(
    kind: str, loss: float, first: int, state: TrainState, settings: TrainingSettings
) -> FloatingPointError:
    """Return the error for a loss that became infinite or nan after step `first`.

    It names the settings that may be the cause, with remedies that are not in force yet. If the
    loss was not finite before the first update, the learning rate is not the cause.
    """
    is_initial = state.step == 0 or not isfinite(state.first_losses[0])
    when = "before the first update" if is_initial else f"between steps {first} and {state.step}"
    clip, std = settings.grad_clip, settings.initial_std
    scale = getattr(state.model.vocabulary, "logit_scale", 1.0)
    causes = [
        (not is_initial, f"learning_rate={settings.learning_rate}", "lower learning_rate"),
        (not is_initial and not 0 < clip <= 1, f"grad_clip={clip}", "set grad_clip to 1.0"),
        (scale > (1 if is_initial else 10), f"logit_scale={scale}", "lower logit_scale"),
        (std > (0 if is_initial else 1), f"initial_std={std}", "lower initial_std"),
    ]
    named = [(cause, remedy) for may_be, cause, remedy in causes if may_be]
    named = named or [("these initial weights", "start from others")]
    return FloatingPointError(
        f"the {kind} loss became {loss} {when}, with {' and '.join(cause for cause, _ in named)}; "
        f"{', or '.join(remedy for _, remedy in named)}"
    )
