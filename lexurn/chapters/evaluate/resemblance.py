"""Which reference does a model resemble: along training, over runs, under renaming, and by row.

`nearest_mixture` asks the same of mixtures of the references.
"""

import itertools
from collections.abc import Mapping, Sequence

import pandas as pd
import torch
from torch import Generator

from lexurn.base import divergences
from lexurn.base.shapes import Predictor, Tokens
from lexurn.measures import comparison
from lexurn.measures.comparison import RelativeDistance
from lexurn.measures.evaluation import PerSequence, score_sequences
from lexurn.measures.intervals import Interval, bootstrap, is_above_zero

N_BLOCKS = 10
"""Number of blocks of sequences that the jackknife leaves out in turn."""

BOUNDARY = 1e-3
"""A smaller mixture weight counts as lying at the boundary of the simplex."""


def along_training(
    metrics: pd.DataFrame, *, memorizing: str, reference_distance: float, split: str
) -> pd.DataFrame:
    """Return step, n_tables and relative_distance at every evaluation of a training run.

    `metrics` are the logged distances of the model and `reference_distance` is d(G, M) on this
    split.
    """
    to_g = metrics[f"{split}/symmetrized_kl/generalizing"]
    to_m = metrics[f"{split}/symmetrized_kl/{memorizing}"]
    relative = (to_g - to_m) / reference_distance
    return metrics.filter(["step", "n_tables"]).assign(relative_distance=relative)


def mean_over_runs(distances: Sequence[RelativeDistance], *, generator: Generator) -> Interval:
    """Return the mean relative distance of several runs, each divided by d(G, M) of its own pool.

    The bootstrap resamples runs. `n` counts the runs with a determined relative distance; the
    others are left out. Raises ValueError if no run has one.
    """
    values = [one.interval.value for one in distances if not one.is_undetermined]
    if not values:
        raise ValueError(
            f"all of {len(distances)} relative distances are undetermined; "
            "use pools for which G and the memorizer differ more"
        )
    return bootstrap(values, generator=generator)


def relabelling(
    predictor: Predictor, tokens: Tokens, *, vocab_size: int, generator: Generator
) -> PerSequence:
    """Return the symmetrized KL (batch time) between a prediction and its relabelled prediction.

    The relabelled prediction is made for the sequence with tokens renamed by a random permutation
    (never the identity), and its tokens are renamed back. It is 0 for S and, under a symmetric
    prior, for G, but not for M.
    """
    names = torch.arange(vocab_size)
    order = torch.rand(len(tokens), vocab_size, generator=generator).argsort(-1)  # old -> new
    is_identity = (order == names).all(-1, keepdim=True)
    order = torch.where(is_identity, names.roll(1), order).to(tokens.device)
    renamed = divergences.as_double(predictor(order.gather(1, tokens)))
    renamed_back = renamed.gather(-1, order[:, None].expand_as(renamed))
    return divergences.symmetrized_kl(divergences.as_double(predictor(tokens)), renamed_back)


def nearest_by_row(
    predictor: Predictor, references: Mapping[str, Predictor], tokens: Tokens
) -> str:
    """Return a text: which reference is nearest at which rows from 1 on, if one is clear."""
    scores = score_sequences(predictor, references, tokens)
    nearest = []
    for row in range(1, tokens.shape[1]):
        values = {name: scores[name, "symmetrized_kl"][:, row] for name in references}
        first, second = sorted(values, key=lambda name: values[name].mean().item())[:2]
        is_clear = is_above_zero(values[second] - values[first])
        nearest.append((row, first if is_clear else "none for certain"))
    texts = []
    for name, span in itertools.groupby(nearest, key=lambda pair: pair[1]):
        rows = [row for row, _ in span]
        place = f"row {rows[0]}" if len(rows) == 1 else f"rows {rows[0]} to {rows[-1]}"
        texts.append(f"{name} at {place}")
    return ", ".join(texts)


def nearest_mixture(
    predictor: Predictor, references: Mapping[str, Predictor], tokens: Tokens
) -> pd.DataFrame:
    """Return reference, weight, sem and n of the mixture nearest to a predictor on rows 1 … C.

    The mixture has the smallest mean KL(predictor ‖ mixture). The standard error comes from a
    jackknife over `N_BLOCKS` blocks of sequences. It is NaN for a weight at the boundary (below
    `BOUNDARY`), where the jackknife is not valid.
    """
    log_model, log_references = comparison.stack_log_probs(predictor, references, tokens)
    weights = comparison.fit_weights(log_model, log_references)
    blocks = torch.arange(len(tokens)) % min(N_BLOCKS, len(tokens))
    leave_one_out = []
    for block in blocks.unique():
        keep = blocks != block
        leave_one_out.append(comparison.fit_weights(log_model[keep], log_references[:, keep]))
    sem = ((len(leave_one_out) - 1) * torch.stack(leave_one_out).var(0, correction=0)).sqrt()
    sem[weights < BOUNDARY] = torch.nan
    columns = {"reference": list(references), "weight": weights.tolist(), "sem": sem.tolist()}
    return pd.DataFrame({**columns, "n": len(tokens)})
