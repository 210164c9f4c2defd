"""Optimizers and the schedule of their learning rate."""

from collections import defaultdict
from math import cos, pi
from typing import Any

import torch
from torch import nn
from torch.optim.adamw import adamw

from lexurn.settings import TrainingSettings


class FusedAdamW:
    """AdamW (Loshchilov and Hutter 2019) with torch's fused kernel, and its default β and ε.

    It has the groups and the state of `torch.optim.AdamW` and makes the same updates. That class
    imports torch's compiler first, which takes longer than 100 steps of a small model.
    """

    def __init__(self, groups: list[dict[str, Any]]):
        self.param_groups = groups
        self.state: dict[nn.Parameter, dict[str, torch.Tensor]] = defaultdict(dict)

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            states = [self.state[p] for p in parameters]
            for p, state in zip(parameters, states, strict=True):
                if not state:
                    state["step"] = torch.zeros((), device=p.device)
                    state["exp_avg"] = torch.zeros_like(p)
                    state["exp_avg_sq"] = torch.zeros_like(p)
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

    def zero_grad(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None


Optimizer = FusedAdamW | torch.optim.Optimizer


def build_optimizers(model: nn.Module, settings: TrainingSettings) -> list[Optimizer]:
    """Return AdamW, or AdamW and Muon (Jordan et al. 2024), for a model's trainable parameters.

    Muon updates the backbone's matrices, scaled to the size of AdamW's updates, and AdamW the rest.
    Only matrices have weight decay: biases, norms and the backbone's `NO_WEIGHT_DECAY` do not.
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
    optimizer = FusedAdamW(groups)
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
