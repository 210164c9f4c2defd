"""The state of a training: everything that it needs to resume as if it had never stopped; and its
optimizers, with the schedule of their learning rate."""

from collections.abc import Iterator
from math import cos, pi
from typing import Any

import torch
from torch import nn
from torch.optim.adamw import adamw

from lexurn.base.seeding import default_generator, generator
from lexurn.base.shapes import State
from lexurn.settings import TrainingSettings

N_FIRST_LOSSES = 20
"""Number of steps whose losses are kept one by one, to compare with a repeated training."""


class FusedAdamW:
    """AdamW (Loshchilov and Hutter 2019) with torch's fused kernel, and its default β and ε.

    It has the groups and the state of `torch.optim.AdamW` and makes the same updates. That class
    imports torch's compiler first, which takes longer than 100 steps of a small model.
    """

    def __init__(self, groups: list[dict[str, Any]]):
        self.param_groups = groups
        self.state: dict[nn.Parameter, dict[str, torch.Tensor]] = {
            p: {
                "step": torch.zeros((), device=p.device),
                "exp_avg": torch.zeros_like(p),
                "exp_avg_sq": torch.zeros_like(p),
            }
            for group in groups
            for p in group["params"]
        }

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            states = [self.state[p] for p in parameters]
            adamw(
                parameters,
                [p.grad for p in parameters],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                [state["step"] for state in states],
                fused=True,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=group["lr"],
                weight_decay=group["weight_decay"],
                eps=1e-8,
                maximize=False,
            )


Optimizer = FusedAdamW | torch.optim.Optimizer


def build_optimizers(model: nn.Module, settings: TrainingSettings) -> list[Optimizer]:
    """Return AdamW, SGD, or AdamW and Muon (Jordan et al. 2024) for a model's trainable parameters.

    SGD has no momentum, so that its weight decay is decoupled as AdamW's is. Muon updates the
    backbone's matrices, scaled to the size of AdamW's updates, and AdamW the rest. Only matrices
    have weight decay: biases, norms and the backbone's `NO_WEIGHT_DECAY` do not.
    """
    backbone = dict(model.backbone.named_parameters())
    exempt = {p for name, p in backbone.items() if name.endswith(model.backbone.NO_WEIGHT_DECAY)}
    trainable = [p for p in model.parameters() if p.requires_grad]
    decayed = [p for p in trainable if p.ndim >= 2 and p not in exempt]
    not_decayed = [p for p in trainable if p.ndim < 2 or p in exempt]
    muon_candidates = set(backbone.values()) if settings.optimizer == "muon" else set()
    muon_matrices = [p for p in decayed if p.ndim == 2 and p in muon_candidates]
    other_decayed = [p for p in decayed if p.ndim != 2 or p not in muon_candidates]
    groups = [
        {"params": params, "weight_decay": weight_decay, "lr": settings.learning_rate}
        for params, weight_decay in ((other_decayed, settings.weight_decay), (not_decayed, 0.0))
        if params
    ]
    optimizer = torch.optim.SGD(groups) if settings.optimizer == "sgd" else FusedAdamW(groups)
    if not muon_matrices:
        return [optimizer]
    muon = torch.optim.Muon(
        muon_matrices,
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    return [optimizer, muon]


def learning_rate_factor(step: int, settings: TrainingSettings) -> float:
    """Return the learning rate at `step` as a fraction of its peak: warm-up, then the schedule."""
    warmup = settings.warmup
    if step < warmup:
        return (step + 1) / warmup
    match settings.schedule:
        case "constant":
            return 1.0
        case "cosine":  # reaches 0 right after the last step
            progress = (step - warmup) / max(settings.n_steps - warmup, 1)
            return 0.5 * (1 + cos(pi * min(progress, 1.0)))
        case "inverse_sqrt":
            return (max(warmup, 1) / (step + 1)) ** 0.5


def copy_weights(model: nn.Module) -> State:
    """Return a copy of a model's weights on the CPU."""
    return {
        name: tensor.detach().to("cpu", copy=True) for name, tensor in model.state_dict().items()
    }


class TrainState:
    """The state before an optimizer update, after the evaluation at that step, if there is one.

    `losses` is a ring buffer on the model's device with the losses since the last evaluation. The
    state of the global generator, from which dropout draws, is saved and loaded too.
    """

    def __init__(self, model: nn.Module, settings: TrainingSettings) -> None:
        self.model = model
        self.optimizers = build_optimizers(model, settings)
        self.tables = generator(settings.seed, "tables", device=model.device)
        self.losses = torch.zeros(settings.eval_every, device=model.device)
        self.first_losses = torch.zeros(min(N_FIRST_LOSSES, settings.n_steps), device=model.device)
        self.best_weights = copy_weights(model)
        self.best_loss = float("inf")
        self.best_step = 0
        self.step = 0
        precision = torch.float64 if model.device.type == "cpu" else torch.float32
        self.rate = torch.zeros((), dtype=precision, device=model.device)

    def set_learning_rate(self, rate: float) -> None:
        """Set the learning rate of the next step: for AdamW a tensor, as its kernels read it."""
        self.rate.fill_(rate)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.rate if isinstance(optimizer, FusedAdamW) else rate

    def to_tensors(self) -> State:
        """Return the state as named tensors on the CPU."""
        return {
            "step": torch.tensor(self.step),
            "best_loss": torch.tensor(self.best_loss, dtype=torch.float64),
            "best_step": torch.tensor(self.best_step),
            "losses": self.losses.cpu(),
            "tables": self.tables.get_state(),
            "global": default_generator(self.model.device).get_state(),
            **{
                f"{prefix}{name}": value.cpu()
                for prefix, _, moments in self._moments()
                for name, value in moments.items()
            },
            **{f"model/{name}": value for name, value in copy_weights(self.model).items()},
            **{f"best/{name}": value for name, value in self.best_weights.items()},
            "first_losses": self.first_losses.cpu(),
        }

    def load_tensors(self, tensors: State) -> None:
        """Load what `to_tensors` has returned, in place."""
        self.step = int(tensors["step"])
        self.best_loss = float(tensors["best_loss"])
        self.best_step = int(tensors["best_step"])
        self.best_weights = _with_prefix("best/", tensors)
        self.losses.copy_(tensors["losses"])
        self.first_losses.copy_(tensors["first_losses"])
        self.tables.set_state(tensors["tables"])
        default_generator(self.model.device).set_state(tensors["global"])
        self.model.load_state_dict(_with_prefix("model/", tensors))
        for prefix, parameter, moments in self._moments():
            for name, value in _with_prefix(prefix, tensors).items():
                moments[name] = value.to(parameter.device, copy=True)

    def _moments(self) -> Iterator[tuple[str, nn.Parameter, State]]:
        """Yield for every optimized parameter the prefix of its names, itself, and its moments."""
        optimized = (
            (optimizer, parameter)
            for optimizer in self.optimizers
            for group in optimizer.param_groups
            for parameter in group["params"]
        )
        for number, (optimizer, parameter) in enumerate(optimized):
            yield f"optimizer/{number}/", parameter, optimizer.state[parameter]


def _with_prefix(prefix: str, tensors: State) -> State:
    """Return the tensors whose names start with a prefix, by the rest of their names."""
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
