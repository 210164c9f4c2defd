"""The score of the published headline: KL(empirical frequencies ‖ predictor) at the last row.

Sequences come from fresh urns. The first chapter scores exact predictors in this way, and the
fourth trained models.
"""

from jaxtyping import Float64
from torch import Generator, Tensor

from lexurn.base import divergences
from lexurn.base.shapes import Predictor, Tokens
from lexurn.generators.urns import Urns
from lexurn.predictors import Empirical


def headline_sequences(
    task: Urns, *, n_balls: int, n_urns: int, n_sequences: int, generator: Generator
) -> Tokens:
    """Draw `n_sequences` from each of `n_urns` fresh urns.

    The sequences of an urn lie side by side. Each has `n_balls` + 1 balls, because the predictor
    does not see the last one.
    """
    urns = task.sample_tasks(n_urns, generator=generator).repeat_interleave(n_sequences, 0)
    return task.sample(urns, n_balls + 1, generator=generator)


def headline_scores(predictor: Predictor, tokens: Tokens) -> Float64[Tensor, "batch"]:
    """Return KL(empirical frequencies ‖ predictor) at the last row of each sequence, in nats."""
    log_probs = divergences.as_double(predictor(tokens))[:, -1]
    return divergences.kl(Empirical(log_probs.shape[-1])(tokens)[:, -1], log_probs)
