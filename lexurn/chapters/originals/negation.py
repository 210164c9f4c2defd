"""A symmetry that is an identity.

With two tokens and no bias, negating the input of the read-out exchanges the two probabilities,
whatever the weights are. So the symmetry holds in a model that has learned nothing. What can fail
is that exchanged *flips* exchange the probabilities.
"""

import pandas as pd
import torch

from lexurn import models, tasks
from lexurn.base.seeding import generator
from lexurn.chapters.coins.symmetry import flip_error
from lexurn.settings.resolver import check


def errors(n_seeds: int) -> pd.DataFrame:
    """Return pairs per untrained model: the error of negation, and that of exchanged flips.

    Both are total variations, averaged over rows and sequences. The first is 0 for any weights.
    """
    rows = []
    for seed in range(n_seeds):
        settings = check({"n_colors": 2, "n_tasks": 0, "seed": seed, "n_test_samples": 50})
        model = models.build(settings, generator=generator(seed, "weights")).eval()
        tokens = tasks.build(settings).held_out()["out_of_distribution"]
        with torch.no_grad():
            hidden = torch.randn(50, 8, settings.backbone.d_model)
            probs, negated = (
                model.read_out(x, model.vocabulary.draw(50)).exp() for x in (hidden, -hidden)
            )
            identity = (probs - negated.flip(-1)).abs().sum(-1).mean() / 2
            flips = flip_error(models.as_predictor(model), tokens).mean()
        rows.append((seed, identity.item(), flips.item()))
    return pd.DataFrame(rows, columns=["unit", "published", "corrected"])
