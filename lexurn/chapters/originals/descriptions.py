"""What the description of the five architectures says, and what the models are.

Numbers of weights are counted at the published settings. Two statements are about structure: which
rows an output depends on, and where the norm stands.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import torch

from lexurn import models, tasks
from lexurn.base.seeding import generator
from lexurn.chapters.architectures.published_models import PositionPairs
from lexurn.settings.resolver import check

LSTM: Mapping[str, Any] = {
    **{"language": "aNbN", "backbone": "lstm", "d_model": 64, "d_hidden": 256, "n_layers": 6},
    "tied": False,
}
"""The published LSTM, at a vocabulary of two letters."""


def lstm_weights(language: str = "dyck") -> int:
    """Return the number of weights of the published LSTM; dyck has the largest vocabulary."""
    settings = check({**LSTM, "language": language})
    model = models.build(settings, generator=generator(0, "weights"))
    return sum(parameter.numel() for parameter in model.parameters())


def linear_weights(vocab_size: int, n_rows: int) -> int:
    """Return the number of weights of the published linear model."""
    stream = generator(0, "weights")
    model = PositionPairs(vocab_size, n_rows=n_rows, mask="causal", generator=stream)
    return sum(parameter.numel() for parameter in model.parameters())


def weight_growth(n_rows: list[int]) -> pd.DataFrame:
    """Return the weights of the linear model, and what they would be if they grew as n.

    Columns: unit (the number of positions), published (in proportion to the first), corrected.
    """
    counts = [linear_weights(5, n) for n in n_rows]
    linear = [counts[0] * n / n_rows[0] for n in n_rows]
    return pd.DataFrame({"unit": n_rows, "published": linear, "corrected": counts})


def future_dependence(bidirectional: bool, seed: int = 0) -> float:
    """Return the largest change of an early output of an LSTM if a later input changes.

    It is 0 for a recurrence that runs forwards, as any language model must.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = torch.nn.LSTM(4, 8, batch_first=True, bidirectional=bidirectional)
        x = torch.randn(1, 6, 4)
    changed = x.clone()
    changed[:, -1] += 1
    with torch.no_grad():
        difference = network(x)[0] - network(changed)[0]
    return difference[:, :-1].abs().max().item()


def stream_norm(norm_placement: str, seed: int = 0) -> float:
    """Return the spread of token norms after an untrained block, relative to their mean.

    A norm after the sum makes all of them equal; a norm before the sub-layer leaves them free.
    """
    settings = check({"norm_placement": norm_placement, "norm": "rms", "seed": seed})
    model = models.build(settings, generator=generator(seed, "weights")).eval()
    tokens = tasks.build(settings).held_out()["out_of_distribution"][:8]
    kept: list[torch.Tensor] = []
    name = f"{settings.backbone.n_layers - 1}.resid_post"
    from lexurn.models.backbone import hook_points  # here: only this measure needs a hook

    hook = hook_points(model.backbone)[name].register_forward_hook(
        lambda module, inputs, output: kept.append(output)
    )
    with torch.no_grad():
        model(tokens)
    hook.remove()
    norms = kept[0].norm(dim=-1)
    return (norms.std() / norms.mean()).item()
