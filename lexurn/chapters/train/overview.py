"""One trained model among the exact predictors: the box, its loss, its walk, and renamings."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

import lexurn
from lexurn.base import divergences
from lexurn.base.wording import format_number, format_with_error
from lexurn.chapters.train import one_run
from lexurn.figures.trainings import attainable_losses, draw_walks
from lexurn.measures import comparison, plane
from lexurn.runs.run import Run
from lexurn.settings import Settings


def brief(
    settings: Settings, run: Run | None = None, renaming: Mapping[str, float] | None = None
) -> Any:
    """Return the box at the top of the chapter: before the training, and with its result.

    `renaming` is the result of `changes_by_renaming`, where there is one.
    """
    findings = ["The model is not trained yet."]
    if run is not None:
        findings = [one_run.caption_training(run), _least_loss(run)]
        findings.append(describe_renaming(renaming) if renaming else one_run.caption_rows(run))
    return lexurn.brief(
        question="A small network predicts the next ball's colour. Which of three perfect "
        "students does it become?"
        if settings.task.name == "urns"
        else "Which predictor does a small network become?",
        done=f"We compare one {settings.kind} model with exact predictors.",
        found=findings,
        sure=_how_sure(settings),
        change="Another result for other seeds or longer training.",
    )


def _how_sure(settings: Settings) -> str:
    task = settings.task
    if settings.kind == "normal" and task.name == "urns" and task.n_tasks == 1:
        return "It is one model, and no surprise: with one urn and fixed names, a constant is best."
    return "It is one model. Chapter 3 says how to compare models, and chapter 4 compares many."


def _least_loss(run: Run) -> str:
    """Return how the least validation loss compares with the best predictor, as a sentence."""
    step = int(run.results["step"].iloc[0])
    excess = one_run.excess_over_optimum(run)
    if excess is not None:
        lost, best = format_with_error(*excess[:2]), one_run.predictor_in_words(run.task.optimum)
        return (
            f"At its best step ({step}), it loses {lost} nats per token more than the best "
            f"predictor for its data (n = {excess[2]})."
        )
    losses = attainable_losses(run)
    best = min(losses, key=losses.__getitem__)
    return (
        f"Its validation loss is least at step {step}: "
        f"{run.metrics['validation_loss'].min():.3g} nats per token. On the same sequences, "
        f"{one_run.predictor_in_words(best)} loses {losses[best]:.3g}."
    )


def describe_renaming(changes: Mapping[str, float]) -> str:
    """Return how far the model and M move if colours are renamed, as a sentence."""
    return (
        "If colours are renamed, and predictions renamed back, they change by "
        f"{format_number(changes['model'])} nats, M's by "
        f"{format_number(changes['memorizing'])}, G's and S's not."
    )


def caption_losses(run: Run, attainable: Mapping[str, float]) -> str:
    """Return how the least validation loss compares with the least of the references."""
    name = min(attainable, key=attainable.__getitem__)
    gap = run.metrics["validation_loss"].min() - attainable[name]
    best = f"the loss of {one_run.predictor_in_words(name)}"
    if abs(gap) < one_run.FLOOR:
        moved = f"comes within {one_run.FLOOR:g} nats of {best}"
    else:
        moved = f"{'stays' if gap > 0 else 'falls'} {abs(gap):.2g} nats "
        moved += f"{'above' if gap > 0 else 'below'} {best}"
    return f"The validation loss {moved}, the best of the exact predictors on these sequences."


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
    steps = f"{last['step']:.0f} steps"
    return f"After {steps}, the path of the model ends nearest to {name[0].upper()}, on fresh urns."


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
