"""Which doubt does a model of names have? The nearest B_ε on fresh urns, scored on the own urn.

For each run, ε and the uniform share u are fitted to the prediction on fresh urns (with one table
per sequence, as in training), and the fitted predictor is scored in distribution, where it was not
fitted. A blend of rows, the mixture of G, S and U with weights that are the same in every row, is
fitted and scored in the same way.
"""

from collections.abc import Sequence

import pandas as pd
import torch

from lexurn import models, predictors
from lexurn.base import divergences
from lexurn.base.shapes import LogProbs, Tokens
from lexurn.measures import comparison, memorization
from lexurn.runs.run import Run


def doubts(runs: Sequence[Run]) -> pd.DataFrame:
    """Return one row per run.

    name, seed, logit, epsilon, uniform, is_bound; and the mean KL(model ‖ predictor) in nats of
    doubt and of the blend: doubt_fresh, doubt_inside, blend_fresh, blend_inside.
    """
    return pd.DataFrame([_row(run) for run in runs])


def _row(run: Run) -> dict[str, float | str | bool]:
    fresh, inside = run.splits["out_of_distribution"], run.splits["in_distribution"]
    memorizing = run.settings.memorizing
    names = ("generalizing", memorizing)
    references = {name: run.references[name] for name in names}
    model = models.as_trained_predictor(run.model, seed=run.settings.training.seed)
    predicted = {"fresh": model(fresh), "inside": model(inside)}
    doubt = memorization.fit_doubt(
        lambda _: predicted["fresh"], references, fresh, memorizing=memorizing
    )
    blended = references | {"uniform": predictors.Uniform(run.settings.task.n_colors)}
    weights = comparison.mixture_weights(lambda _: predicted["fresh"], blended, fresh)

    def blend(tokens: Tokens) -> LogProbs:
        parts = [weights[name] * blended[name](tokens).exp() for name in blended]
        return torch.stack(parts).sum(0).log()

    with_doubt = memorization.with_doubt(doubt, references, memorizing=memorizing)

    def distance(predictor, split: str, tokens: Tokens) -> float:
        return divergences.kl(predicted[split], predictor(tokens))[:, 1:].mean().item()

    return {
        "name": run.path.name,
        "seed": run.settings.training.seed,
        "logit": doubt.logit,
        "epsilon": doubt.epsilon,
        "uniform": doubt.uniform,
        "is_bound": doubt.is_bound,
        "doubt_fresh": distance(with_doubt, "fresh", fresh),
        "doubt_inside": distance(with_doubt, "inside", inside),
        "blend_fresh": distance(blend, "fresh", fresh),
        "blend_inside": distance(blend, "inside", inside),
    }
