"""The published headline by its own recipe: what is trained so far, and what it scores.

The grid is `params/sweeps/originals_headline.yaml`. Its models have read 29 balls at most in
training. The published score reads 30, so that the model gets one more position, which has the
value of an initial one. Nothing here trains: a model that is not in the store has no score.
"""

from collections.abc import Sequence

import pandas as pd
import torch

from lexurn import models, runs
from lexurn.base.seeding import generator
from lexurn.chapters.analysis.headline import FRESH, memorized
from lexurn.generators.urns import Urns
from lexurn.measures import comparison, evaluation
from lexurn.models import LanguageModel
from lexurn.runs.run import Run
from lexurn.settings import Settings

N_URNS, N_SEQUENCES = 40, 25

COLUMNS = (
    "name",
    "kind",
    "unit",
    "published",
    "corrected",
    "symmetrized",
    "deficit",
    "to_g",
    "to_s",
)


def stored_runs(points: Sequence[Settings]) -> list[Run]:
    """Return the runs of a grid that are trained, and train none."""
    return [runs.load(point.name) for point in points if runs.is_stored(point)]


def progress(points: Sequence[Settings]) -> str:
    """Return in a sentence how many models of the recipe are trained."""
    n, of_recipe = len(stored_runs(points)), f"the {len(points)} models of the published recipe"
    if n == 0:
        return f"None of {of_recipe} has been trained yet, so they have no number here."
    if n < len(points):
        return f"{n} of {of_recipe} have been trained so far."
    return f"All of {of_recipe} have been trained."


@torch.no_grad()
def with_one_more_position(run: Run) -> LanguageModel:
    """Return the model of a run for one more ball; the new position has an initial value."""
    settings = run.settings
    longer = settings.replace(context_length=settings.task.context_length + 1)
    model = models.build(longer, generator=generator(settings.training.seed, "one more position"))
    weights = {**run.model.state_dict()}
    weights["positions"] = torch.cat([weights["positions"], model.positions[-1:]])
    model.load_state_dict(weights)
    return model.eval()


def scores(points: Sequence[Settings]) -> pd.DataFrame:
    """Return one row per trained model of the grid: `COLUMNS`; empty if none is trained.

    `published` is the score after 30 balls at an untrained position, `corrected` the score at the
    last trained row, after 29 balls, and `symmetrized` that of S there (nats). `deficit` is
    ln(1 − captured) in distribution; `to_g` and `to_s` are distances on fresh urns.
    """
    return pd.DataFrame([_row(run) for run in stored_runs(points)], columns=list(COLUMNS))


def _row(run: Run) -> dict[str, object]:
    seed, length = run.settings.training.seed, run.settings.task.context_length
    tokens = comparison.headline_sequences(
        Urns(run.settings.task.n_colors),
        n_balls=length + 1,
        n_urns=N_URNS,
        n_sequences=N_SEQUENCES,
        generator=generator(seed, "headline"),
    )
    trained = models.as_trained_predictor(run.model, seed=seed)
    longer = models.as_trained_predictor(with_one_more_position(run), seed=seed)
    distances = evaluation.select(run.results, split=FRESH)["mean"]
    return {
        "name": run.path.name,
        "kind": run.settings.kind,
        "unit": seed,
        "published": comparison.headline_scores(longer, tokens).mean().item(),
        "corrected": comparison.headline_scores(trained, tokens[:, :-1]).mean().item(),
        "symmetrized": comparison.headline_scores(run.references["symmetrized"], tokens[:, :-1])
        .mean()
        .item(),
        "deficit": memorized([run])["deficit"].iloc[0],
        "to_g": distances["generalizing"],
        "to_s": distances["symmetrized"],
    }
