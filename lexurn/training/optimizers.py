"""Optimizers and the schedule of their learning rate."""

from math import cos, pi

import torch
from torch import nn

from lexurn.settings import TrainingSettings


def build_optimizers(model: nn.Module, settings: TrainingSettings) -> list[torch.optim.Optimizer]:
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
        {"params": other_decayed, "weight_decay": settings.weight_decay},
        {"params": not_decayed, "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=settings.learning_rate, fused=True
    )
    if not muon_matrices:
        return [adamw]
    muon = torch.optim.Muon(
        muon_matrices,
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    return [adamw, muon]


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
