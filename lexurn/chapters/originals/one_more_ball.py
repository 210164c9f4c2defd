"""A prediction that has seen one ball more than the frequencies it is compared with.

The published score compares the frequencies of the first 29 balls with the prediction after 30.
Even a predictor that repeats the frequencies of its balls then has a score above zero.

The unit is a training urn; scores are KL(observed frequencies ‖ prediction) in nats.
"""

import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor

from lexurn.base.divergences import kl
from lexurn.base.seeding import generator
from lexurn.base.shapes import Predictor, Tokens
from lexurn.generators.urns import Urns
from lexurn.measures import comparison
from lexurn.predictors import Empirical, Generalizing, Symmetrized

N_BALLS = 30
REFERENCES = ("generalizing", "symmetrized")


def shifted_scores(predictor: Predictor, tokens: Tokens) -> Float64[Tensor, "batch"]:
    """Return KL(frequencies of all balls but the last ‖ prediction after all balls), per sequence.

    The last token of a sequence is not seen, as everywhere.
    """
    log_probs = predictor(tokens)
    frequencies = Empirical(log_probs.shape[-1])(tokens)[:, -2]
    return kl(frequencies, log_probs[:, -1])


def scores(n_urns: int, seed: int) -> pd.DataFrame:
    """Return pairs per training urn, with the predictor: unit, predictor, published, corrected."""
    rows = []
    for number in range(n_urns):
        stream = generator(seed, "one more ball", number)
        task = Urns(4)
        references = {
            "generalizing": Generalizing(4),
            "symmetrized": Symmetrized(task.sample_tasks(1, generator=stream)),
        }
        tokens = comparison.headline_sequences(
            task, n_balls=N_BALLS, n_urns=40, n_sequences=25, generator=stream
        )
        for name, predictor in references.items():
            shifted = shifted_scores(predictor, tokens)
            aligned = comparison.headline_scores(predictor, tokens)
            means = [torch.mean(each).item() for each in (shifted, aligned)]
            rows.append((number, name, *means))
    return pd.DataFrame(rows, columns=["unit", "predictor", "published", "corrected"])
