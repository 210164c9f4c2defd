"""One training, written into a run's folder and resumed from it.

What the folder holds is told in `lexurn.runs`; `results.json` is written last, so that a folder is whole or no run yet.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import save

from lexurn import models, predictors, training
from lexurn.base import files
from lexurn.base.shapes import State, Tokens
from lexurn.measures import comparison, evaluation
from lexurn.runs import checkpoints, fit, provenance, snapshots, tracking
from lexurn.runs.tracking import Files, Several, duration
from lexurn.runs.tracking.weights_and_biases import Wandb
from lexurn.settings import Settings

N_FOR_WEIGHTS = 200
"""Sequences that the mixture weights along a training are found on."""


def train(
    settings: Settings, folder: Path, trackers: Several, *, wandb_key: str | None = None
) -> dict[str, Any]:
    """Train or go on training, write the folder, and return the splits and references that it was evaluated on."""
    began = time.monotonic()
    state = checkpoints.load_state(folder, key=settings.key)
    start = 0 if state is None else int(state["step"])
    threads = settings.machine.threads if state is None else int(state["threads"])
    if state is not None:
        print(
            f"going on from step {start} of {settings.training.n_steps}, {threads} thread(s)",
            file=sys.stderr,
        )
    with fit.threads(threads):
        ready = fit.prepare(settings)
        origin = provenance.record(settings, ready.device, ready.bf16) | {
            "data": fit.fingerprint(settings)
        }
        splits, chosen_on = fit.held_out(settings, ready.pool), fit.validation(settings, ready.pool)
        references = predictors.remembered(fit.references(settings, ready.pool), splits)
        weigh = _mixing(settings, ready, splits)
        if ready.pool is not None:
            files.write(folder / "urns.safetensors", save({"urns": ready.pool}))
        spent = 0.0 if state is None else float(state["seconds"])
        trackers.add(Files(folder, step=None if state is None else start))
        if settings.machine.tracker == "wandb":
            config = settings.flat() | {"urns": None if ready.pool is None else ready.pool.tolist()}
            trackers.add(Wandb(folder, config=config, key=wandb_key))
        if state is not None:
            trackers.go_on(tracking.read(folder / "metrics.jsonl"))

        how = {"first_row": ready.first_row, "at_once": fit.at_once(settings)}

        def evaluate(_: models.LanguageModel) -> dict[str, float]:
            seed = settings.training.seed
            loss = models.loss_as_trained(
                ready.model, chosen_on, seed=seed, first_row=ready.first_row
            )
            table = evaluation.evaluate(ready.predictor, references, splits, **how)
            return {"validation_loss": loss, **_scalars(table), **weigh()}

        def seconds() -> float:
            return spent + time.monotonic() - began

        kept = snapshots.Series(
            folder, snapshots.spaced(settings.training.n_steps, settings.training.n_checkpoints)
        )
        with checkpoints.Saver(folder, settings.key) as saver:

            def checkpoint(step: int, snapshot: Callable[[], State]) -> None:
                kept(step, lambda: training.copy_weights(ready.model))
                extra = {"threads": torch.tensor(threads), "seconds": torch.tensor(seconds())}
                saver(step, lambda: snapshot() | extra)

            batches = fit.batches(settings, ready.pool, device=ready.device, start=start)
            trained = fit.fit(
                ready,
                settings.training,
                batches,
                evaluate=evaluate,
                log=trackers.log,
                state=state,
                checkpoint=checkpoint,
            )
        kept(trained.last_step, lambda: trained.last_weights)
        kept.finish()
        ready.model.load_state_dict(trained.best_weights)
        table = evaluation.evaluate(
            ready.predictor, references, splits, step=trained.best_step, **how
        )
        for name, tokens in splits.items():
            few = tokens if len(tokens) <= how["at_once"] else tokens[: how["at_once"]]
            predictions = evaluation.last_predictions(ready.predictor, references, few)
            trackers.log_table(f"predictions/{name}", predictions)
    files.write(folder / "model.safetensors", save(trained.best_weights))
    files.write(folder / "last.safetensors", save(trained.last_weights))
    origin["date"] = datetime.now(UTC).isoformat(timespec="seconds")
    origin |= {"seconds": round(seconds(), 1), "duration": duration(seconds())}
    files.write(folder / "provenance.json", json.dumps(origin, indent=2))
    results = {
        "best_step": trained.best_step,
        "last_step": trained.last_step,
        "first_losses": trained.first_losses,
        "n_tables": fit.N_TABLES,
        "table": table.to_dict(orient="list"),
    }
    files.write(folder / "results.json", json.dumps(results))
    trackers.log_weights(folder / "model.safetensors")
    checkpoints.remove_states(folder)
    return {"splits": splits, "references": references}


def _mixing(
    settings: Settings, ready: fit.Ready, splits: Mapping[str, Tokens]
) -> Callable[[], dict[str, float]]:
    """What finds the weights of the mixture of references, and of ignorance, that is nearest to the model on fresh
    urns; of words nothing."""
    if "out_of_distribution" not in splits:
        return dict
    few = splits["out_of_distribution"][:N_FOR_WEIGHTS]
    ends = fit.references(settings, ready.pool) | {
        "uniform": predictors.Uniform(settings.task.vocab_size)
    }
    ends = predictors.remembered(ends, {"few": few})

    def weigh() -> dict[str, float]:
        weights = comparison.mixture_weights(ready.predictor, ends, few)
        return {f"out_of_distribution/weight/{name}": weight for name, weight in weights.items()}

    return weigh


def _scalars(table: pd.DataFrame) -> dict[str, float]:
    """One flat name per number worth a curve: `<split>/<measure>/<reference>`, over rows and (`/last`) at the last."""
    measures = ["loss", evaluation.distance(table)]
    table = table[table["measure"].isin(measures) & table["row"].isin(["mean", "last"])]
    scalars = {}
    for split, row, reference, measure, mean in table[
        ["split", "row", "reference", "measure", "mean"]
    ].values:
        parts = [split, measure, reference, "last" if row == "last" else ""]
        scalars["/".join(filter(None, parts))] = mean
    return scalars
