"""A spread over sequences that reads as an uncertainty.

The published ± is the standard deviation over 250 sequences of 10 fresh urns, for one training urn
and one seed. It does not say how far another experiment could have come out. For an exact predictor
many experiments cost nothing, so that the spread between experiments can simply be looked at.
"""

import pandas as pd

from lexurn.base.seeding import generator
from lexurn.generators.urns import Urns
from lexurn.measures import comparison, intervals
from lexurn.predictors import Symmetrized

N_BALLS, N_URNS, N_SEQUENCES = 30, 10, 25
"""One published set."""

SPREADS = (
    "over sequences of one set, as published",
    "as an error: that, divided by √250",
    "over fresh sets, same training urn",
    "over training urns and fresh sets",
)


def experiments(n_urns: int, n_sets: int, seed: int) -> pd.DataFrame:
    """Return one row per experiment with S: urn, set, mean, sd_sequences, low, high.

    `mean` is the published score (nats) and `sd_sequences` the standard deviation that was
    published with it. `low` and `high` are a t interval over the means of the 10 fresh urns.
    """
    rows = []
    for urn in range(n_urns):
        stream = generator(seed, "spreads", urn)
        predictor = Symmetrized(Urns(4).sample_tasks(1, generator=stream))
        tokens = comparison.headline_sequences(
            Urns(4),
            n_balls=N_BALLS,
            n_urns=n_sets * N_URNS,
            n_sequences=N_SEQUENCES,
            generator=stream,
        )
        scores = comparison.headline_scores(predictor, tokens).view(n_sets, N_URNS, N_SEQUENCES)
        for number, values in enumerate(scores):
            interval = intervals.t_interval(values.mean(1).tolist())
            sd = values.std().item()
            rows.append((urn, number, values.mean().item(), sd, interval.low, interval.high))
    columns = ["urn", "set", "mean", "sd_sequences", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return the four spreads of `SPREADS`: of, value (nats)."""
    within = table.groupby("urn")["mean"].std().mean()
    published = table["sd_sequences"].mean()
    values = [published, published / (N_URNS * N_SEQUENCES) ** 0.5, within, table["mean"].std()]
    return pd.DataFrame({"of": SPREADS, "value": values})


def coverage(table: pd.DataFrame) -> pd.DataFrame:
    """Return pairs per training urn: how often an interval holds the true score of that urn.

    `published` takes the 250 sequences for independent (mean ± 1.96 standard errors), `corrected`
    the 10 fresh urns (t interval). The true score is the mean over all sets of the urn.
    """
    rows = []
    for urn, sets in table.groupby("urn"):
        truth = sets["mean"].mean()
        half = 1.96 * sets["sd_sequences"] / (N_URNS * N_SEQUENCES) ** 0.5
        is_in = (sets["mean"] - truth).abs() <= half
        is_in_t = (sets["low"] <= truth) & (truth <= sets["high"])
        rows.append((urn, is_in.mean(), is_in_t.mean()))
    return pd.DataFrame(rows, columns=["unit", "published", "corrected"])
