"""The training loop: one function, top to bottom.

It is handed everything: a model and batches on one device, what to do at an evaluation and where metrics go. The loss
of a batch is the mean of −log p over all rows; reported as `train_loss` is its mean over rows 1 … C, as everywhere.
Inside a step nothing waits for the device: losses stay in a buffer there until the next evaluation.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from math import cos, isfinite, pi

import torch
from torch import Generator, Tensor, nn

from lexurn.divergences import negative_log_likelihood
from lexurn.models import LanguageModel
from lexurn.seeding import global_generator
from lexurn.settings import TrainingSettings
from lexurn.shapes import Tokens

Weights = dict[str, Tensor]
Metrics = dict[str, float]


@dataclass(frozen=True)
class Trained:
    """What training leaves: weights of the best evaluation and of the last step (on the CPU)."""

    best: Weights
    last: Weights
    best_step: int
    best_loss: float


def train(
    model: LanguageModel,
    batches: Iterator[Tokens],
    *,
    settings: TrainingSettings,
    tables: Generator,
    dropout_seed: int,
    evaluate: Callable[[LanguageModel], Metrics],
    log: Callable[[Metrics, int], None],
    bf16: bool = False,
) -> Trained:
    """Train in place for `settings.n_steps` steps.

    `evaluate` must return the number that chooses the best weights as `validation_loss`; it is called before the first
    step, every `eval_every` steps and after the last. `tables` gives the random tables and lives on the model's device.
    The global generator, which dropout alone uses, is seeded for the time of the training and then restored. Raises
    FloatingPointError where the loss is no longer finite.
    """
    device = model.start.device
    n_steps, every = settings.n_steps, settings.eval_every
    optimizer = torch.optim.AdamW(parameter_groups(model, settings), lr=settings.learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(step, settings))
    losses = torch.zeros(every, device=device)
    best_loss, best_step, best = float("inf"), 0, copy_weights(model)

    with global_generator(dropout_seed, device):
        for step in range(n_steps + 1):
            if step % every == 0 or step == n_steps:
                metrics, since = {}, (step - 1) % every + 1  # steps since the last evaluation
                if step:
                    metrics = {"train_loss": losses[:since].mean().item()}
                    if not isfinite(metrics["train_loss"]):
                        raise FloatingPointError(_diverged(metrics["train_loss"], step - since, step, settings))
                with global_generator(step, device):  # whatever evaluating draws, dropout goes on as if it had not
                    metrics |= evaluate(model)
                log({"learning_rate": optimizer.param_groups[0]["lr"], **metrics}, step)
                if metrics["validation_loss"] < best_loss:
                    best_loss, best_step, best = metrics["validation_loss"], step, copy_weights(model)
            if step == n_steps:
                break

            model.train()
            tokens = next(batches)
            with torch.autocast(device.type, torch.bfloat16) if bf16 else nullcontext():
                log_probs = model(tokens, generator=tables)
            loss = negative_log_likelihood(log_probs, tokens)  # batch time
            loss.mean().backward()
            if settings.grad_clip:
                nn.utils.clip_grad_norm_(model.parameters(), settings.grad_clip)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            losses[step % every] = loss.detach()[:, 1:].mean()

    return Trained(best, copy_weights(model), best_step, best_loss)


def parameter_groups(model: nn.Module, settings: TrainingSettings) -> list[dict]:
    """Weight decay on matrices only; biases and norms are left alone."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    return [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]


def rate_factor(step: int, settings: TrainingSettings) -> float:
    """The learning rate at `step`, as a share of its peak: linear warm-up, then the schedule."""
    warmup = settings.warmup
    if step < warmup:
        return (step + 1) / warmup
    match settings.schedule:
        case "constant":
            return 1.0
        case "cosine":  # down to 0 just after the last step
            progress = (step - warmup) / max(settings.n_steps - warmup, 1)
            return 0.5 * (1 + cos(pi * min(progress, 1.0)))
        case "inverse_sqrt":
            return (max(warmup, 1) / (step + 1)) ** 0.5


def _diverged(loss: float, first: int, last: int, settings: TrainingSettings) -> str:
    return (
        f"the training loss became {loss} between steps {first} and {last}, with learning_rate="
        f"{settings.learning_rate} and grad_clip={settings.grad_clip}; lower learning_rate, or set grad_clip to 1.0"
    )


def copy_weights(model: nn.Module) -> Weights:
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in model.state_dict().items()}
