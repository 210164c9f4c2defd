"""The published edition: what its chapters use from the store, frozen into `book/results`, a root that is only read.

Of a run: settings, metrics, results, provenance and urns; its weights, in half precision, only where a chapter asked
for the model. Never a resumable state. `edition.json` holds the hash of every file, so that what was altered since is
refused (`store.check`), and how far the rounding of the weights moved the predictions.
"""

import contextlib
import gzip
import json
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save

from lexurn import runs, training
from lexurn.base import divergences, files, paths
from lexurn.measures.comparison import mean_over_rows
from lexurn.runs import fit, provenance, store

MOST_BYTES = 25_000_000
"""Of a whole edition."""

N_FOR_ROUNDING = 50
"""Sequences that the effect of rounding a model's weights is measured on."""


def freeze(used: Iterable[str], *, scale: str) -> dict[str, Any]:
    """Replace `book/results` by what is named in `used` (as in `Session.used_files`), and return its `edition.json`.

    Runs and tables that are published already may be among it. Raises StoreError where a run is missing, was made
    with uncommitted changes, or everything together is too large; then what was published stays.
    """
    used = set(used)
    target, beside = paths.root() / "book" / "results", paths.build_folder() / "work" / "results"
    shutil.rmtree(beside, ignore_errors=True)
    with files.store_errors(beside):
        beside.mkdir(parents=True)
    rounding = 0.0
    names = sorted({name.partition("/")[0] for name in used} - {"tables"})
    begun_with = {_used(name).settings.training.init_from for name in names}
    for name in names:
        options = {
            "weights": f"{name}/{store.WEIGHTS}" in used,
            "half": store.key(beside / name) not in begun_with,
        }
        rounding = max(rounding, _freeze_run(name, beside / name, **options))
    for name in sorted(name for name in used if name.startswith("tables/")):
        source = store.stored(name)
        store.check(source)
        (beside / "tables").mkdir(exist_ok=True)
        content = gzip.compress(files.read(source.with_name(Path(name).name)), mtime=0)
        files.write(beside / f"{name}.gz", content)
    made = [json.loads(path.read_text()) for path in sorted(beside.glob("*/provenance.json"))]
    machines = {each["processor"] if each["device"] == "cpu" else each["device"] for each in made}
    edition = seal(
        beside,
        scale=scale,
        machines=sorted(machines),
        rounding=max(rounding, (store.edition() or {}).get("rounding", 0.0)),
    )
    if (size := store.size(beside)) > MOST_BYTES:
        raise files.StoreError(
            f"this edition has {size:,} bytes, more than {MOST_BYTES:,}; let its chapters use less"
        )
    before = beside.with_name("results-before")
    shutil.rmtree(before, ignore_errors=True)
    with files.store_errors(target):
        if target.exists():
            shutil.move(target, before)
        shutil.move(beside, target)
    shutil.rmtree(before, ignore_errors=True)
    return edition


def seal(root: Path, **about: Any) -> dict[str, Any]:
    """Write `edition.json` over all files below a folder."""
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    hashes = {name: store.digest(root / name) for name in names if name != store.EDITION}
    date = datetime.now(UTC).isoformat(timespec="seconds")
    edition = {"frozen": date, "commit": provenance.commit(), **about, "files": hashes}
    files.write(root / store.EDITION, json.dumps(edition, indent=1))
    return edition


def recomputed(name: str) -> list[float]:
    """The first losses of a stored run, computed anew: to be compared with its `first_losses`.

    On the kind of device that it was trained on, as the random tables of a training are drawn there. Raises
    ParameterError where there is none.
    """
    run = runs.load(name)
    device = run.provenance["device"] if run.provenance["device"] in ("cpu", "mps") else "cuda"
    settings = run.settings.replace(device=device, eval_every=1)
    setup = fit.prepare(settings)
    n_steps = settings.training.n_steps
    losses: list[float] = []

    def keep(metrics: training.Metrics, step: int) -> None:
        losses.extend([metrics["train_loss"]] if step else [])
        if len(losses) == min(training.N_FIRST_LOSSES, n_steps):
            raise StopIteration

    with fit.threads(settings.machine.threads), contextlib.suppress(StopIteration):
        fit.fit(
            setup,
            settings.training,
            fit.training_batches(setup.task, device=setup.device),
            training.Callbacks(lambda _: {"validation_loss": 0.0}, keep),
        )
    return losses


def _used(name: str) -> runs.Run:
    try:
        return runs.load(name)
    except FileNotFoundError as error:
        raise files.StoreError(f"{error}; a chapter used it, execute that one again") from None


def _freeze_run(name: str, folder: Path, *, weights: bool, half: bool) -> float:
    """Copy what is published of a run; returns how far its predictions move by the rounding (symmetrized KL, nats).

    Weights that other runs begin with are not rounded, so that these come out the same again.
    """
    run = _used(name)
    if run.provenance["dirty"]:
        raise files.StoreError(
            f"{name} was trained with uncommitted changes; commit them, delete it and train it again"
        )
    folder.mkdir()
    for file in ("settings.json", "provenance.json", store.TASK_TENSORS):
        if (run.path / file).exists():
            files.write(folder / file, (run.path / file).read_bytes())
    for file in ("results.json", "metrics.jsonl"):
        files.write(folder / f"{file}.gz", gzip.compress(files.read(run.path / file), mtime=0))
    if not weights:
        return 0.0
    exact = load(files.read(run.path / store.WEIGHTS))
    files.write(
        folder / store.WEIGHTS,
        save({key: tensor.half() if half else tensor for key, tensor in exact.items()}),
    )
    tokens = run.task.held_out()[run.task.splits[0]][:N_FOR_ROUNDING]
    with torch.no_grad():
        off = divergences.symmetrized_kl(run.predictor(tokens), runs.Run(folder).predictor(tokens))
    return float(mean_over_rows(off).mean())
