"""What steering between two layers does if the second layer cannot answer it.

The residual stream runs past the second layer into the read-out. So a vector that is added to it
between the layers moves the prediction even if the second layer ignores it. To see what the second
layer makes of the vector, compare `counts.steering_slopes` with

    direct_slopes(runs)      the same slopes with all that the last layer adds held fixed
"""

from collections.abc import Sequence

import pandas as pd
import torch

from lexurn.base.seeding import generator
from lexurn.chapters.coins import counts
from lexurn.generators.urns import Urns
from lexurn.runs.run import Run

WAY = "second layer held fixed"
"""The name of this way of steering, beside those of `counts.steering_slopes`."""

SHIFTS = [-4.0, -2.0, 2.0, 4.0]


def direct_slopes(of_runs: Sequence[Run]) -> pd.DataFrame:
    """Return the slopes of steering past the last layer: seed, what (`WAY`), value.

    The direction of one more head is found behind the first layer, and the sequences are those of
    `counts.steering_slopes`. The vector is added behind the last layer, at the row that predicts:
    this is what a vector added behind the first layer does if the later layers add what they add
    without it.
    """
    rows = []
    for run in of_runs:
        seed, last = run.settings.training.seed, run.settings.task.context_length
        fair = torch.randint(2, (4000, last + 1), generator=generator(seed, "fair coins"))
        others = Urns(2).out_of_distribution(400, last + 1, generator=generator(seed, "steered"))
        direction = counts.count_direction(run.model, fair, "0.resid_post", row=last)
        site = f"{run.settings.backbone.n_layers - 1}.resid_post"
        effects = counts.steering_effects(
            run.model, others, site, direction, row=last, shifts=SHIFTS
        )
        rows.append((seed, WAY, counts.agreement(effects)[1].mean().item()))
    return pd.DataFrame(rows, columns=["seed", "what", "value"])
