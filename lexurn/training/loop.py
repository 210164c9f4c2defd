"""The training loop: one function, top to bottom.

It is handed everything: a model and batches on one device, what to do at an evaluation and where metrics go. The loss
of a batch is the mean of −log p over all rows; reported as `train_loss` is its mean over rows 1 … C (of words, over all
rows), as everywhere.
Inside a step nothing waits for the device: losses stay in a buffer there until the next evaluation.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from math import cos, isfinite, pi

import torch
from torch import Generator, Tensor, nn

from lexurn.base.divergences import negative_log_likelihood
from lexurn.base.seeding import global_generator, global_state, set_global_state
from lexurn.base.shapes import State, Tokens
from lexurn.settings import TrainingSettings

N_FIRST = 20
"""Steps whose losses are kept one by one: what a training computed anew can be compared with."""

Weights = dict[str, Tensor]
Metrics = dict[str, float]


@dataclass(frozen=True)
class Trained:
    """What training leaves: weights of the best evaluation and of the last step (on the CPU), the first losses."""

    best: Weights
    last: Weights
    best_step: int
    best_loss: float
    last_step: int
    first_losses: list[float]


def train(
    model: nn.Module,
    batches: Iterator[Tokens],
    *,
    settings: TrainingSettings,
    tables: Generator,
    dropout_seed: int,
    evaluate: Callable[[nn.Module], Metrics],
    log: Callable[[Metrics, int], None],
    bf16: bool = False,
    state: State | None = None,
    checkpoint: Callable[[int, Callable[[], State]], None] = lambda step, state: None,
    weigh: Callable[[Tokens], Tensor] | None = None,
    first_row: int = 1,
) -> Trained:
    """Train a language model, or what is called like one, in place for `settings.n_steps` steps, or until `patience`
    evaluations have brought nothing better.

    `evaluate` must return the number that chooses the best weights as `validation_loss`; it is called before the first
    step, every `eval_every` steps and after the last. `tables` gives the random tables and lives on the model's device.
    `checkpoint` is offered the state before every step and may store it; handed back as `state`, with `batches` from
    its step on, it continues the training as if nothing had happened. `weigh` gives each sequence's weight (batch) in
    the loss; None: all alike. The loss that is reported is a mean over rows from `first_row` on.
    The global generator, which dropout alone uses, is seeded for the time of the training and then restored. Raises
    FloatingPointError where the loss is no longer finite.
    """
    device = model.device
    n_steps, every = settings.n_steps, settings.eval_every
    optimizers = build_optimizers(model, settings)
    losses, first_losses = (
        torch.zeros(every, device=device),
        torch.zeros(min(N_FIRST, n_steps), device=device),
    )
    first, best_loss, best_step, best = 0, float("inf"), 0, copy_weights(model)

    def current() -> State:
        if not all(tensor.isfinite().all() for tensor in (losses, *model.parameters())):
            raise FloatingPointError(_diverged(float("nan"), max(step - every, 0), step, settings))
        state = snapshot(step, best_loss, best_step, best, model, optimizers, tables, losses)
        return state | {"first_losses": first_losses.cpu()}

    with global_generator(dropout_seed, device):
        if state is not None:
            first, best_loss, best_step, best = restore(state, model, optimizers, tables, losses)
            first_losses.copy_(state["first_losses"])
        for step in range(first, n_steps + 1):
            rate = settings.learning_rate * rate_factor(step, settings)
            for group in [group for optimizer in optimizers for group in optimizer.param_groups]:
                group["lr"] = rate
            if (step % every == 0 or step == n_steps) and (step > first or state is None):
                metrics, since = {}, (step - 1) % every + 1  # steps since the last evaluation
                if step:
                    metrics = {"train_loss": losses[:since].mean().item()}
                    if not isfinite(metrics["train_loss"]):
                        raise FloatingPointError(
                            _diverged(metrics["train_loss"], step - since, step, settings)
                        )
                with global_generator(
                    step, device
                ):  # whatever evaluating draws, dropout goes on as if it had not
                    metrics |= evaluate(model)
                log({"learning_rate": rate, **metrics}, step)
                if metrics["validation_loss"] < best_loss - settings.min_delta:
                    best_loss, best_step, best = (
                        metrics["validation_loss"],
                        step,
                        copy_weights(model),
                    )
                if settings.patience and step - best_step >= settings.patience * every:
                    break
            if step == n_steps:
                break
            checkpoint(step, current)

            model.train()
            tokens = next(batches)
            with torch.autocast(device.type, torch.bfloat16) if bf16 else nullcontext():
                log_probs = model(tokens, generator=tables)
            loss = negative_log_likelihood(log_probs, tokens)  # batch time
            weighted = loss if weigh is None else loss * weigh(tokens)[:, None]
            weighted.mean().backward()
            if settings.grad_clip:
                nn.utils.clip_grad_norm_(model.parameters(), settings.grad_clip)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
            losses[step % every] = weighted.detach()[:, first_row:].mean()
            if step < N_FIRST:
                first_losses[step] = losses[step % every]

    return Trained(
        best, copy_weights(model), best_step, best_loss, step, first_losses[:step].tolist()
    )


def snapshot(
    step: int,
    best_loss: float,
    best_step: int,
    best: Weights,
    model: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    tables: Generator,
    losses: Tensor,
) -> State:
    """The state before `step`, after the evaluation there: weights, moments, generators, best so far."""
    device = losses.device
    numbers = {
        "step": torch.tensor(step),
        "best_loss": torch.tensor(best_loss, dtype=torch.float64),
        "best_step": torch.tensor(best_step),
        "losses": losses.cpu(),
        "tables": tables.get_state(),
        "global": global_state(device),
    }
    moments = {
        f"optimizer/{i}/{name}": value.cpu()
        for i, (optimizer, parameter) in enumerate(_parameters(optimizers))
        for name, value in optimizer.state[parameter].items()
    }
    weights = {f"model/{name}": value for name, value in copy_weights(model).items()}
    return numbers | moments | weights | {f"best/{name}": value for name, value in best.items()}


def restore(
    state: State,
    model: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    tables: Generator,
    losses: Tensor,
) -> tuple[int, float, int, Weights]:
    """Put everything back where `snapshot` took it from; returns step, best loss, best step and best weights."""
    model.load_state_dict(_under("model/", state))
    for i, (optimizer, parameter) in enumerate(_parameters(optimizers)):
        optimizer.state[parameter] = {
            name: value.to(parameter.device, copy=True)
            for name, value in _under(f"optimizer/{i}/", state).items()
        }
    tables.set_state(state["tables"])
    set_global_state(state["global"], losses.device)
    losses.copy_(state["losses"])
    return (
        int(state["step"]),
        float(state["best_loss"]),
        int(state["best_step"]),
        _under("best/", state),
    )


def _parameters(
    optimizers: Sequence[torch.optim.Optimizer],
) -> list[tuple[torch.optim.Optimizer, nn.Parameter]]:
    return [
        (each, parameter)
        for each in optimizers
        for group in each.param_groups
        for parameter in group["params"]
    ]


def _under(prefix: str, state: State) -> State:
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }


def build_optimizers(model: nn.Module, settings: TrainingSettings) -> list[torch.optim.Optimizer]:
    """AdamW; or Muon (Jordan et al. 2024) for the backbone's matrices, scaled to AdamW's steps, and AdamW for the rest.

    Weight decay is on matrices only; biases, norms, and what a backbone says is no matrix (`NO_WEIGHT_DECAY`) are left alone.
    """
    rate, decay, backbone = settings.learning_rate, settings.weight_decay, model.backbone
    plain = {
        parameter
        for name, parameter in backbone.named_parameters()
        if name.endswith(backbone.NO_WEIGHT_DECAY)
    }
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in trained if p.ndim >= 2 and p not in plain]
    of_backbone = set(backbone.parameters()) if settings.optimizer == "muon" else set()
    by_muon = {p for p in matrices if p.ndim == 2 and p in of_backbone}
    groups = [
        {"params": [p for p in matrices if p not in by_muon], "weight_decay": decay},
        {"params": [p for p in trained if p.ndim < 2 or p in plain], "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW([group for group in groups if group["params"]], lr=rate, fused=True)
    if not by_muon:
        return [adamw]
    backbone_matrices = [p for p in matrices if p in by_muon]
    return [
        adamw,
        torch.optim.Muon(
            backbone_matrices, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw"
        ),
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
    return {
        name: tensor.detach().to("cpu", copy=True) for name, tensor in model.state_dict().items()
    }
