"""Random tables that are drawn without a seed when a lexical model is evaluated.

Evaluating the same weights on the same sequences twice then gives two scores. Here the tables of an
evaluation come from a stream of their own, which may be drawn again.
"""

from collections.abc import Sequence

import pandas as pd

from lexurn import models
from lexurn.base.seeding import generator
from lexurn.measures import comparison
from lexurn.runs.run import Run

N_BALLS, N_URNS, N_SEQUENCES = 30, 10, 25
"""One published set: 10 fresh urns with 25 sequences each."""


def score_ranges(runs: Sequence[Run], n_draws: int) -> pd.DataFrame:
    """Return pairs per lexical model: the range of its score over draws of tables, and 0.

    The sequences are one published set, the same for all draws. `corrected` is the range over as
    many evaluations with one stream.
    """
    rows = []
    for run in runs:
        seed = run.settings.training.seed
        tokens = comparison.headline_sequences(
            run.task.prior,
            n_balls=N_BALLS,
            n_urns=N_URNS,
            n_sequences=N_SEQUENCES,
            generator=generator(seed, "table draws"),
        )

        def score(stream: int, run: Run = run, tokens=tokens) -> float:
            predictor = models.as_trained_predictor(run.model, seed=stream)
            return comparison.headline_scores(predictor, tokens).mean().item()

        unseeded = [score(draw) for draw in range(n_draws)]
        seeded = [score(0) for _ in range(2)]
        rows.append((seed, max(unseeded) - min(unseeded), max(seeded) - min(seeded)))
    return pd.DataFrame(rows, columns=["unit", "published", "corrected"])
