"""One run: a trained model in a folder of its own, found again by its settings.

    run = runs.get({"lex": True, "n_steps": 200})     load it, or train it
    run.settings, run.metrics, run.results, run.predictor

The folder `RUNS/<name>-<key>/` holds

    settings.json        what was asked for
    metrics.jsonl        scalars along training, one line per evaluation
    results.json         the final, tidy table of distances (see `lexurn.evaluation`) and of the best step
    provenance.json      commit, versions, device, seconds, the papermill line that makes it again
    urns.safetensors     the training pool (none when every sequence has a fresh urn)
    model.safetensors    best weights;   last.safetensors: those of the last step

`results.json` is written last: a folder without it is no run yet, and is trained again.
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import load_file, save

from lexurn import evaluation, experiment, models, parameters, paths, provenance, training
from lexurn.seeding import generator
from lexurn.settings import Settings
from lexurn.shapes import Pool, Predictor
from lexurn.tracking import JsonLines, Lines, Tracker

N_TABLES = 4
"""Draws of random tables that a lexical model's probabilities are averaged over when it is evaluated."""


@dataclass(frozen=True)
class Run:
    """A trained model and everything known about it."""

    path: Path

    @cached_property
    def settings(self) -> Settings:
        return Settings.model_validate_json((self.path / "settings.json").read_text())

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """Scalars along training, a row per evaluation: step, learning_rate, train_loss, validation_loss, distances."""
        return pd.read_json(self.path / "metrics.jsonl", lines=True)

    @cached_property
    def results(self) -> pd.DataFrame:
        """Tidy table of the best weights' distances: step, split, row, reference, measure, mean, sem, n."""
        return pd.DataFrame(json.loads((self.path / "results.json").read_text())["table"])

    @cached_property
    def provenance(self) -> dict[str, Any]:
        return json.loads((self.path / "provenance.json").read_text())

    @cached_property
    def pool(self) -> Pool | None:
        """The training urns (tasks colors)."""
        return experiment.training_pool(self.settings)

    @cached_property
    def model(self) -> models.LanguageModel:
        """The network with its best weights, on the CPU."""
        model = models.build(self.settings, generator=generator(self.settings.training.seed, "weights"))
        model.load_state_dict(load_file(self.path / "model.safetensors"))
        return model.eval()

    @cached_property
    def predictor(self) -> Predictor:
        """The best weights as a predictor; a lexical model's probabilities are averaged over `N_TABLES` tables."""
        return models.as_predictor(self.model, n_tables=N_TABLES)

    @property
    def references(self) -> dict[str, Predictor]:
        return experiment.references(self.settings, self.pool)

    @cached_property
    def splits(self) -> list[evaluation.Split]:
        """The held-out sequences that `results` was computed on, with the references' predictions."""
        return experiment.held_out(self.settings, self.pool)


def get(settings: Settings | Mapping[str, Any], *, tracker: Tracker | None = None) -> Run:
    """The run with these settings: loaded where it is stored, else trained. Flat names are checked strictly.

    `tracker` gets the metrics beside the run's own files (default: progress lines on stderr). Raises
    `parameters.ParameterError` for bad settings and RuntimeError for a device that is not there.
    """
    settings = settings if isinstance(settings, Settings) else parameters.check(settings)
    folder = paths.runs() / settings.name
    if not is_stored(settings):
        _train(settings, folder, tracker or Lines(settings.training.n_steps))
    return load(folder)


def is_stored(settings: Settings) -> bool:
    """Whether `get` would load rather than train."""
    return (paths.runs() / settings.name / "results.json").exists()


def load(path: str | Path) -> Run:
    """The finished run in a folder. Raises FileNotFoundError where there is none."""
    path = Path(path)
    if not (path / "results.json").exists():
        raise FileNotFoundError(f"{path} holds no finished run (no results.json); runs.get trains one")
    return Run(path)


def estimate(settings: Settings) -> float:
    """Seconds that training these settings would take here, from three steps and one evaluation of a spare model."""
    seed, threads = settings.training.seed, torch.get_num_threads()
    torch.set_num_threads(settings.machine.threads)
    try:
        device, pool = resolve_device(settings.machine.device), experiment.training_pool(settings)
        model = models.build(settings, generator=generator(seed, "weights")).to(device)
        few = settings.training.model_copy(update={"n_steps": 4, "eval_every": 1})
        clock: list[float] = []
        training.train(
            model,
            experiment.batches(settings, pool, device=device),
            settings=few,
            tables=generator(seed, "tables", device=device),
            dropout_seed=seed,
            evaluate=lambda _: {"validation_loss": 0.0},
            log=lambda *_: clock.append(time.monotonic()),
        )
        held = experiment.held_out(settings, pool)
        began = time.monotonic()
        evaluation.evaluate(models.as_predictor(model, n_tables=N_TABLES), held)
        one_evaluation = time.monotonic() - began
    finally:
        torch.set_num_threads(threads)
    n_evaluations = settings.training.n_steps // settings.training.eval_every + 2
    return settings.training.n_steps * (clock[-1] - clock[1]) / 3 + n_evaluations * one_evaluation


def resolve_device(asked: str) -> torch.device:
    """`auto` is cuda, else mps, else cpu; a device asked for by name must be there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        return torch.device(next(name for name, is_there in there.items() if is_there))
    if not there[asked]:
        names = ", ".join(name for name, is_there in there.items() if is_there)
        raise RuntimeError(f"device {asked} is not available here; available: {names}; use device auto")
    return torch.device(asked)


def _train(settings: Settings, folder: Path, tracker: Tracker) -> None:
    device = resolve_device(settings.machine.device)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "settings.json", settings.model_dump_json(indent=2))
    threads, seed = torch.get_num_threads(), settings.training.seed
    torch.set_num_threads(settings.machine.threads)
    began = time.monotonic()
    try:
        pool = experiment.training_pool(settings)
        held = experiment.held_out(settings, pool)
        model = models.build(settings, generator=generator(seed, "weights")).to(device)
        predictor = models.as_predictor(model, n_tables=N_TABLES)
        bf16 = _native_bf16(device) and settings.backbone.d_model >= 128  # narrower models are bound by launches
        trackers = [JsonLines(folder / "metrics.jsonl"), tracker]
        try:
            trained = training.train(
                model,
                experiment.batches(settings, pool, device=device),
                settings=settings.training,
                tables=generator(seed, "tables", device=device),
                dropout_seed=seed,
                evaluate=lambda _: _scalars(evaluation.evaluate(predictor, held)),
                log=lambda metrics, step: [each.log(metrics, step) for each in trackers],
                bf16=bf16,
            )
        finally:
            for each in trackers:
                each.finish()
        _write(folder / "model.safetensors", save(trained.best))
        _write(folder / "last.safetensors", save(trained.last))
        if pool is not None:
            _write(folder / "urns.safetensors", save({"urns": pool}))
        model.load_state_dict(trained.best)
        table = evaluation.evaluate(predictor, held, step=trained.best_step)
        _write(
            folder / "provenance.json",
            json.dumps(provenance.record(settings, device, bf16, time.monotonic() - began), indent=2),
        )
        results = {"best_step": trained.best_step, "table": table.to_dict(orient="list")}
        _write(folder / "results.json", json.dumps(results))
    finally:
        torch.set_num_threads(threads)


def _scalars(table: pd.DataFrame) -> dict[str, float]:
    """One flat name per number worth a curve: `<split>/<measure>/<reference>`, over rows and (`/last`) at the last."""
    table = table[table["measure"].isin(["loss", "symmetrized_kl"]) & table["row"].isin(["mean", "last"])]
    scalars = {}
    for split, row, reference, measure, mean in table[["split", "row", "reference", "measure", "mean"]].values:
        parts = [split, measure, reference, "last" if row == "last" else ""]
        scalars["/".join(filter(None, parts))] = mean
    inside = scalars.get("in_distribution/loss", scalars["out_of_distribution/loss"])  # a fresh urn for every sequence
    return {"validation_loss": inside, **scalars}


def _native_bf16(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def _write(path: Path, content: str | bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(content.encode() if isinstance(content, str) else content)
    beside.replace(path)
