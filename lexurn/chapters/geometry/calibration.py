"""Instruments where the answer is known: how far their readings can be trusted.

    synthetic_dimensions(seed)     Gaussian clouds of d dimensions in 64, by n and by noise
    known_dimensions(settings)     exact predictions on urns and coins, whose shares have V − 1
                                   degrees of freedom
    count_predictions(settings)    of the oracle of a language, which are too few for an estimate
    vector_dimensions(run)         the vectors of a model of urns, one per count vector

`participation` is the participation ratio of `isotropy`: it counts directions, and not dimensions.
"""

import pandas as pd
import torch

from lexurn import tasks
from lexurn.base.seeding import generator
from lexurn.chapters.geometry import dimensions, isotropy, layers
from lexurn.chapters.geometry.token_geometry import N_POINTS, held_out_sequences
from lexurn.chapters.geometry.vector_geometry import Points
from lexurn.generators.strings import PAD
from lexurn.generators.urns import Urns
from lexurn.predictors import Generalizing
from lexurn.predictors.counting import prefix_counts
from lexurn.runs.run import Run
from lexurn.settings import Settings

WIDTH = 64
DIMENSIONS = (1, 3, 7, 15)
SIZES = (100, 300, 1000, 2000)
NOISES = (0.0, 0.01, 0.1)
N_REPEATS = 5


def synthetic_dimensions(seed: int) -> pd.DataFrame:
    """Return d, n, noise, repeat, measure, value.

    A cloud of n standard Gaussian points in d dimensions is turned into `WIDTH` dimensions, and
    noise of that standard deviation is added in every one of them.
    """
    parts = []
    for d in DIMENSIONS:
        for repeat in range(N_REPEATS):
            stream = generator(seed, "calibration", d, repeat)
            options = {"generator": stream, "dtype": torch.float64}
            basis = torch.linalg.qr(torch.randn(WIDTH, d, **options)).Q
            flat = torch.randn(max(SIZES), d, **options) @ basis.T
            noise = torch.randn(max(SIZES), WIDTH, **options)
            for size in SIZES:
                for level in NOISES:
                    values = readings(flat[:size] + level * noise[:size])
                    row = {"d": d, "n": size, "noise": level, "repeat": repeat}
                    row |= {"measure": list(values), "value": list(values.values())}
                    parts.append(pd.DataFrame(row))
    return pd.concat(parts, ignore_index=True)


def readings(x: Points) -> dict[str, float]:
    """Return what each instrument says about a cloud."""
    values = {name: estimate(x) for name, estimate in dimensions.ESTIMATORS.items()}
    return values | {"participation": isotropy.participation_ratio(x)}


def known_dimensions(settings: Settings, seed: int) -> pd.DataFrame:
    """Return `cloud`, n, measure, value for three clouds of predictions on fresh urns.

    `spread evenly`: log-probabilities of random urns; `all rows`: predictions of G at random rows
    of sequences; `last row`: at the last row alone, where counts have the same sum. Equal points
    count once. Settings are those of urns or coins.
    """
    stream = generator(seed, "known dimensions")
    n_colors = settings.task.n_colors
    urns = Urns(n_colors)
    length = settings.task.context_length + 1
    tokens = urns.out_of_distribution(2 * N_POINTS, length, generator=stream)
    log_probs = Generalizing(n_colors)(tokens)
    rows = log_probs[:, 1:].flatten(0, 1)
    clouds = {
        "spread evenly": urns.sample_tasks(N_POINTS, generator=stream).log(),
        "all rows": rows[torch.randperm(len(rows), generator=stream)[:N_POINTS]],
        "last row": log_probs[:N_POINTS, -1],
    }
    centred = {name: x - x.mean(-1, keepdim=True) for name, x in clouds.items()}
    return pd.concat([_read_cloud(name, x) for name, x in centred.items()], ignore_index=True)


def count_predictions(settings: Settings) -> int:
    """Return how many different predictions the oracle of a language makes on held-out strings."""
    tokens = held_out_sequences(settings)
    log_probs = tasks.build(settings).references()["oracle"](tokens)
    is_letter = tokens != PAD
    return len(torch.unique(log_probs[is_letter].exp().round(decimals=6), dim=0))


def vector_dimensions(run: Run) -> pd.DataFrame:
    """Return layer, n, measure, value of a model's vectors, one for each vector of counts."""
    tokens = held_out_sequences(run.settings)
    n_colors = tasks.build(run.settings).vocab_size
    counts = prefix_counts(tokens, n_colors)[:, 1:].flatten(0, 1)
    _, types = torch.unique(counts, dim=0, return_inverse=True)
    stream = generator(run.settings.training.seed, "cloud")
    chosen = layers.sample_points(types, N_POINTS, generator=stream, one_per_type=True)
    vectors = layers.token_vectors(run.model, tokens)
    parts = [_read_cloud(str(layer), x[chosen]) for layer, x in enumerate(vectors)]
    table = pd.concat(parts, ignore_index=True).rename(columns={"cloud": "layer"})
    return table.assign(layer=table["layer"].astype(int))


def _read_cloud(name: str, x: Points) -> pd.DataFrame:
    different = torch.unique(x.double(), dim=0)
    try:
        values = readings(different)
    except ValueError:  # there are too few different points
        values = {"twonn": torch.nan, "mle": torch.nan}
        values |= {"participation": isotropy.participation_ratio(different)}
    rows = {"cloud": name, "n": len(different)}
    return pd.DataFrame(rows | {"measure": list(values), "value": list(values.values())})
