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
from lexurn.base.shapes import Predictor, Tokens
from lexurn.chapters.analysis.headline import FRESH, doubts, memorized
from lexurn.generators.urns import Urns
from lexurn.measures import comparison, memorization
from lexurn.models import LanguageModel
from lexurn.runs.run import Run
from lexurn.settings import Settings

N_URNS, N_SEQUENCES = 40, 25

TABLES = "recipe-1"
"""Name of the cached tables of `scores`."""

REFERENCES = ("generalizing", "memorizing", "symmetrized")


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


def scores(run: Run) -> pd.DataFrame:
    """Return one row on a model of the recipe: name, kind, and the seed as `unit`, and (in nats)

    published    the score after 30 balls, at a position that was never trained
    corrected    the score at the last trained row, after 29 balls
    generalizing, memorizing, symmetrized    the scores of G, M and S after 29 balls
    deficit      ln(1 − captured) in distribution
    epsilon, uniform, doubt, blend    see `measures.memorization.doubt_and_blend`
    to_counter   the mean KL(memorizer ‖ best counter) in distribution, for scale
    """
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

    def score(predictor: Predictor, sequences: Tokens) -> float:
        return comparison.headline_scores(predictor, sequences).mean().item()

    row = {"name": run.path.name, "kind": run.settings.kind, "unit": seed}
    row |= {"published": score(longer, tokens), "corrected": score(trained, tokens[:, :-1])}
    row |= {name: score(run.references[name], tokens[:, :-1]) for name in REFERENCES}
    row["deficit"] = memorized([run])["deficit"].iloc[0]
    fits = doubts([run]).iloc[0]
    row |= {name: fits[name] for name in ("epsilon", "uniform", "doubt", "blend")}
    memorizer, inside = run.references[run.settings.memorizing], run.splits["in_distribution"]
    counter = memorization.best_generalizing(run.pool, inside.shape[1])
    return pd.DataFrame([row | {"to_counter": memorization.mean_kl(memorizer, counter, inside)}])


def who_scored(table: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of all models and references in long form: who, unit and mean.

    `table` has the rows of `scores`. Models are scored as published, at the untrained position.
    """
    kinds = {"lexical": "original tables", "normal": "normal"}
    models = table.assign(who=table["kind"].map(kinds), mean=table["published"])
    once = table.drop_duplicates("unit")
    references = [once.assign(who=name, mean=once[name]) for name in REFERENCES]
    return pd.concat([models, *references])[["who", "unit", "mean"]]


def along(trained: Sequence[Run]) -> pd.DataFrame:
    """Return distances on fresh urns along the trainings: kind, who, step, distance, sem.

    `who` is the reference that the models are compared with; `sem` is over seeds.
    """
    rows = []
    for run in trained:
        for end in ("generalizing", run.settings.memorizing):
            distances = run.metrics[f"{FRESH}/symmetrized_kl/{end}"]
            own = {"kind": run.settings.kind, "who": end, "seed": run.settings.training.seed}
            rows.append(run.metrics[["step"]].assign(**own, distance=distances))
    groups = pd.concat(rows).groupby(["kind", "who", "step"], sort=False)["distance"]
    return groups.agg(distance="mean", sem="sem").reset_index()


def late_falls(trained: Sequence[Run], *, share: float = 0.8) -> pd.DataFrame:
    """Return by which factor distances on fresh urns fall after a share of the steps.

    One row per model; columns generalizing and symmetrized: the distance at the last evaluation up
    to that share of the steps, divided by the distance at the end.
    """
    rows = []
    for run in trained:
        table = run.metrics.set_index("step")
        step = table.index[table.index <= share * table.index[-1]][-1]
        ends = ("generalizing", "symmetrized")
        columns = {end: table[f"{FRESH}/symmetrized_kl/{end}"] for end in ends}
        rows.append({end: column[step] / column.iloc[-1] for end, column in columns.items()})
    return pd.DataFrame(rows)
