"""One switch that changes three things: the table, the tying of the read-out, and its bias.

The published lexical model differs from the normal one not only in a random table per sequence. Its
read-out is the table as well (tied), and it has no bias. The vectors of a Gaussian table N(0, 1)
have norm √d, and so the last ball's colour has an initial logit of order d: a new model is almost
certain of what it predicts, and wrong. Here the changes are made one after the other.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch

from lexurn import models, tasks
from lexurn.base.divergences import negative_log_likelihood
from lexurn.base.seeding import generator
from lexurn.settings.resolver import check

STEPS: Mapping[str, Mapping[str, Any]] = {
    "normal: learned table, own read-out": {"tied": False},
    "tied: the learned table is the read-out": {},
    "lexical, small: random vectors of norm 1, tied": {
        "lex": True,
        "vocabulary": "gaussian_scaled",
    },
    "lexical, published: random vectors of norm √d, tied": {"lex": True, "vocabulary": "original"},
}
"""What is changed, step by step, from the published normal model to the published lexical one."""


def initial_losses(widths: Sequence[int], n_seeds: int) -> pd.DataFrame:
    """Return untrained models of these widths: version, d_model, seed, spread, loss.

    `spread` is the standard deviation of the logits over the colours, averaged over rows and
    sequences; `loss` is in nats per ball, on sequences of fresh urns.
    """
    rows = []
    for version, changes in STEPS.items():
        for d_model in widths:
            for seed in range(n_seeds):
                rows.append((version, d_model, seed, *_measure(changes, d_model, seed)))
    return pd.DataFrame(rows, columns=["version", "d_model", "seed", "spread", "loss"])


@torch.no_grad()
def _measure(changes: Mapping[str, Any], d_model: int, seed: int) -> tuple[float, float]:
    settings = check({"d_model": d_model, "seed": seed, "n_test_samples": 100, **changes})
    model = models.build(settings, generator=generator(seed, "weights")).eval()
    tokens = tasks.build(settings).held_out()["out_of_distribution"]
    log_probs = model(tokens, generator=generator(seed, "tables"))[:, 1:]
    loss = negative_log_likelihood(log_probs, tokens[:, 1:])
    return log_probs.std(-1).mean().item(), loss.mean().item()


def loss_pairs(losses: pd.DataFrame, d_model: int) -> pd.DataFrame:
    """Return pairs per seed: the initial loss of the published lexical model, and with norm 1."""
    wide = losses[losses["d_model"] == d_model].pivot(
        index="seed", columns="version", values="loss"
    )
    columns = {"unit": wide.index, "published": wide[[*STEPS][3]], "corrected": wide[[*STEPS][2]]}
    return pd.DataFrame(columns).reset_index(drop=True)
