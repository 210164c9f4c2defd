"""Tables about a run's predictions: their intrinsic dimension, and perplexity on the test text."""

import pandas as pd
import torch

from lexurn.base.seeding import generator
from lexurn.chapters.geometry import vector_geometry
from lexurn.chapters.geometry.token_geometry import N_POINTS, held_out_sequences
from lexurn.generators.urns import Urns
from lexurn.measures import perplexity
from lexurn.runs import fit
from lexurn.runs.run import Run


def prediction_dimensions(run: Run) -> pd.DataFrame:
    """Return the dimensions of predictions on urns: who, effective_rank, twonn, mle.

    A point is the vector of log-probabilities of one prediction minus their mean. `who` is `model`,
    `exact` (the generalizing predictor), or `spread evenly` (uniform points of the simplex).
    """
    settings = run.settings
    tokens = held_out_sequences(settings)
    predictors = {"model": run.predictor, "exact": run.references["generalizing"]}
    clouds = {}
    for name, predictor in predictors.items():
        log_probs = predictor(tokens)[:, 1:].flatten(0, 1)
        stream = generator(settings.training.seed, "cloud")
        clouds[name] = log_probs[torch.randperm(len(log_probs), generator=stream)[:N_POINTS]]
    stream = generator(settings.training.seed, "simplex")
    urns = Urns(settings.task.n_colors).sample_tasks(N_POINTS, generator=stream)
    clouds["spread evenly"] = urns.log()
    rows = []
    for name, x in clouds.items():
        x = x - x.mean(-1, keepdim=True)
        rank = vector_geometry.effective_rank(x)
        dimensions = vector_geometry.intrinsic_dimension(x)
        rows.append({"who": name, "effective_rank": rank, **dimensions})
    return pd.DataFrame(rows)


def perplexities(run: Run) -> pd.DataFrame:
    """Return the scores of the best weights and of n-gram models on all tokens of the test text.

    Columns: who, nats, sem, perplexity, bits_per_byte, n_tokens.
    """
    predictors = {"model": run.predictor, **run.references}
    scores = perplexity.of_task(run.task, predictors, batch_size=fit.eval_batch_size(run.task))
    return scores[["who", "nats", "sem", "perplexity", "bits_per_byte", "n_tokens"]]
