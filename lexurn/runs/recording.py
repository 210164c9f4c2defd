"""One training, written into a run's folder and resumed from it.

What the folder holds stands in `lexurn.runs.run`. `results.json` is written last, so that a folder
holds a whole run or none.
"""

import getpass
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import save

from lexurn import models, predictors, training
from lexurn.base import checksums, files
from lexurn.base.shapes import Predictor, State, check_causal
from lexurn.base.threads import threads
from lexurn.base.wording import counted, duration
from lexurn.measures import comparison, evaluation
from lexurn.runs import checkpoints, fit, integrity, provenance, store, tracking
from lexurn.runs.tracking.weights_and_biases import Wandb
from lexurn.settings import Settings

N_MIXTURE_SEQUENCES = 200
"""Sequences on which the mixture weights along a training are fitted."""


def train(
    settings: Settings,
    folder: Path,
    extra_tracker: tracking.Tracker,
    *,
    at_end: ExitStack,
    wandb_key: str | None = None,
) -> dict[str, Any]:
    """Train, or resume a training, write the folder, and return what it was evaluated on.

    These are the `splits` and `references` of a `Run`. The references remember their answers on the
    splits. A tracker that the settings ask for is finished `at_end`, when the folder is complete.
    """
    _name_user()
    state = checkpoints.load_state(folder, key=settings.key) or {}
    start_time = time.monotonic() - float(state.get("seconds", 0.0))
    start = int(state.get("step", 0))
    n_threads = int(state.get("threads", settings.machine.threads))
    if state:
        print(
            f"resuming from step {start} of {settings.training.n_steps}, "
            f"{counted(n_threads, 'thread')}",
            file=sys.stderr,
        )

    def seconds() -> float:
        return time.monotonic() - start_time

    with threads(n_threads):
        setup = fit.prepare(settings)
        task = setup.task
        model = setup.model
        origin = provenance.record(settings, str(setup.device), setup.bf16)
        origin["data"] = task.fingerprint
        splits = task.held_out()
        validation = task.validation()
        references = predictors.cache_predictions(task.references(), splits)
        judged = task.splits[0]
        if task.tensors:
            files.write(folder / store.TASK_TENSORS, save(task.tensors))
        lines = checkpoints.to_text(state["metrics"]).splitlines() if state else []
        past = [json.loads(line) for line in lines]
        recorder = tracking.Files(folder, past)
        trackers = [extra_tracker, recorder]
        if settings.machine.tracker == "wandb" and os.environ.get("WANDB_MODE") != "disabled":
            stored = {name: tensor.tolist() for name, tensor in task.tensors.items()}
            trackers.append(Wandb(folder, config=settings.flat() | stored, key=wandb_key))
            at_end.callback(trackers[-1].finish)
        for tracker in trackers:
            tracker.resume(past)
        batch_size = fit.eval_batch_size(task)
        options = {"first_row": task.first_row, "batch_size": batch_size}
        check_causal(setup.predictor_as_trained, splits[judged], vocab_size=task.vocab_size)

        def mixture_part(predictor: Predictor) -> Predictor:
            return lambda _: predictor(splits[judged])[:N_MIXTURE_SEQUENCES]  # computed once

        components = references | {"uniform": predictors.Uniform(task.vocab_size)}
        components = {name: mixture_part(each) for name, each in components.items()}

        def evaluate(_: models.LanguageModel) -> dict[str, float]:
            loss = models.loss_as_trained(
                model, validation, seed=settings.training.seed, first_row=task.first_row
            )
            if not isfinite(loss):
                return {"validation_loss": loss}  # the loop raises; predictions would be no numbers
            predictor = setup.predictor_as_trained
            if all(len(tokens) <= batch_size for tokens in splits.values()):
                predictor = predictors.cache_prediction(predictor, splits.values())
            means = evaluation.evaluate_means(
                predictor, references, splits, measure=task.measure, **options
            )
            metrics = {"validation_loss": loss}
            if settings.vocabulary.lex:
                metrics["n_tables"] = int(model.vocabulary.is_random)
            metrics |= means
            if task.tracks_mixture:  # of references and ignorance, the nearest one to the model
                few = splits[judged][:N_MIXTURE_SEQUENCES]
                weights = comparison.mixture_weights(mixture_part(predictor), components, few)
                metrics |= {f"{judged}/weight/{name}": value for name, value in weights.items()}
            return metrics

        def log(metrics: dict[str, float], step: int) -> None:
            for tracker in trackers:
                tracker.log(metrics, step)

        snapshot_steps = checkpoints.choose_steps(
            settings.training.n_steps, settings.training.n_checkpoints
        )
        with checkpoints.Saver(folder, settings.key) as saver:

            def checkpoint(step: int, snapshot: Callable[[], State]) -> None:
                for tracker in trackers:
                    tracker.report_step(step)
                if step in snapshot_steps:
                    checkpoints.write_snapshot(folder, step, lambda: training.copy_weights(model))
                saver(
                    step,
                    lambda: {
                        **snapshot(),
                        "threads": torch.tensor(n_threads),
                        "seconds": torch.tensor(seconds()),
                        "metrics": checkpoints.to_tensor("".join(recorder.lines)),
                    },
                )

            trained = fit.fit(
                setup,
                settings.training,
                fit.training_batches(task, device=setup.device, start=start),
                training.Callbacks(evaluate, log, checkpoint),
                saved=state or None,
            )
        if trained.last_step in snapshot_steps:
            checkpoints.write_snapshot(folder, trained.last_step, lambda: trained.last_weights)
        checkpoints.join_snapshots(folder)
        model.load_state_dict(trained.best_weights)
        predictor = predictors.cache_predictions({"model": setup.predictor}, splits)["model"]
        options |= {"step": trained.best_step}
        table = evaluation.evaluate(predictor, references, splits, **options)
        single_tables = {}
        if model.vocabulary.is_random:
            single_tables[evaluation.SINGLE_TABLE] = setup.predictor_as_trained
            if model.vocabulary.has_new_tables:
                single_tables[evaluation.NEW_TABLE] = models.as_trained_predictor(
                    model, seed=settings.training.seed, new_tables=True
                )
        for prefix, each in single_tables.items():
            single = evaluation.evaluate(each, references, splits, **options)
            single = single[single["row"].isin(["mean", "last"])]
            single = single.assign(measure=prefix + single["measure"])
            table = pd.concat([table, single], ignore_index=True)
        for name, tokens in splits.items():
            few = tokens if len(tokens) <= batch_size else tokens[:batch_size]
            predictions = evaluation.last_predictions(predictor, references, few)
            for tracker in trackers:
                tracker.log_table(f"predictions/{name}", predictions)
    files.write(folder / store.WEIGHTS, save(trained.best_weights))
    files.write(folder / "last.safetensors", save(trained.last_weights))
    origin |= {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds(), 1),
        "duration": duration(seconds()),
    }
    files.write(folder / "provenance.json", json.dumps(origin, indent=2))
    results = {
        integrity.HAS_CHECKSUMS: True,
        "best_step": trained.best_step,
        "last_step": trained.last_step,
        "first_losses": trained.first_losses,
        "n_tables": fit.N_TABLES,
        "table": table.to_dict(orient="list"),
    }
    content = json.dumps(results)
    checksums.write(folder, integrity.final_files(folder), to_come={store.RESULTS: content})
    files.commit(folder / store.RESULTS, content)
    return {"splits": splits, "references": references}


def _name_user() -> None:
    """Set USER where the system has no name for the user, as in a container that runs as any uid.

    torch before 2.13 asks for a name when it builds an optimizer of its own, such as Muon
    (pytorch issue 140765).
    """
    try:
        getpass.getuser()
    except (KeyError, OSError):  # OSError from Python 3.13 on
        os.environ["USER"] = f"uid{os.getuid()}"
