"""One trained model among the exact predictors: the box, its loss, its walk, and renamings."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

import lexurn
from lexurn.base import divergences
from lexurn.chapters.train import one_run
from lexurn.figures.trainings import attainable_losses, draw_walks
from lexurn.measures import comparison, plane
from lexurn.runs.run import Run
from lexurn.settings import Settings


def brief(settings: Settings, run: Run | None = None) -> Any:
    """Return the box at the top of the chapter: before the training, and with its result."""
    findings = ["The model is not trained yet."]
    if run is not None:
        losses = attainable_losses(run)
        best = min(losses, key=losses.__getitem__)
        loss = run.metrics["validation_loss"].min()
        averaged = ", averaged over tables," * settings.vocabulary.lex
        rows = one_run.caption_rows(run).replace("The", "the", 1)
        findings = [
            one_run.caption_training(run),
            f"Its loss on held-out sequences is least at step {int(run.results['step'].iloc[0])}: "
            f"{loss:.3g} nats per token; {best}, the best of the exact predictors there, has "
            f"{losses[best]:.3g}.",
            f"For the predictions of that step{averaged or ','} {rows}",
        ]
    return lexurn.brief(
        question="A small network sees balls drawn from urns and predicts the next colour. Which "
        "of three perfect students does it become?"
        if settings.task.name == "urns"
        else "Which predictor does a small network become?",
        done=f"We train one {settings.kind} model and compare it with exact predictors, along its "
        "training and ball by ball.",
        found=findings,
        sure="This is one model. Chapter 3 says how to compare models, and chapter 4 repeats the "
        "comparison over many urns.",
        change="Other urns, other seeds, or a longer training with another result.",
    )


def caption_losses(run: Run, attainable: Mapping[str, float]) -> str:
    """Return how the least validation loss compares with the least of the references."""
    name = min(attainable, key=attainable.__getitem__)
    gap = run.metrics["validation_loss"].min() - attainable[name]
    return (
        f"The validation loss stays {gap:.2g} nats above that of {name}, the best of the exact "
        "predictors on the same sequences."
        if gap > 0.001
        else f"The validation loss falls to that of {name}, the best of the exact predictors."
    )


def walk(run: Run) -> pd.DataFrame | None:
    """Return the model's path on the map of predictors, or None if there is no map for this run."""
    table = draw_walks({run.settings.kind: run.metrics}, run, run.task.splits[0])
    if table is not None:
        table.loc[len(plane.CORNERS), "mark"] = "untrained"
    return table


def caption_walk(run: Run) -> str:
    """Return at which corner the model's path ends, as a sentence."""
    last = run.metrics.iloc[-1]
    split = run.task.splits[0]
    ends = {name: last[f"{split}/symmetrized_kl/{name}"] for name in plane.CORNERS}
    name = min(ends, key=ends.__getitem__)
    return f"The path of the model ends nearest to {name[0].upper()}."


def changes_by_renaming(run: Run, n_colors: int) -> dict[str, float]:
    """Return the distance between predictions for sequences and for renamed sequences.

    Every colour takes the name of the next one, and predictions are renamed back. It is the mean in
    nats, for the model and for G, M and S.
    """
    tokens = run.splits[run.task.splits[0]]
    changes = {}
    predictors = {"model": run.predictor} | {name: run.references[name] for name in plane.CORNERS}
    for name, predictor in predictors.items():
        renamed = divergences.as_double(predictor((tokens + 1) % n_colors)).roll(-1, -1)
        change = divergences.symmetrized_kl(divergences.as_double(predictor(tokens)), renamed)
        changes[name] = comparison.mean_over_rows(change).mean().item()
    return changes
