"""The published edition: what its chapters use from the store, copied into `book/results`.

`book/results` is a second, read-only root of the store. It has settings, metrics, results,
provenance and urns of each run, but no resumable state. It has a run's weights, in half precision,
only if a chapter used the model. `edition.json` has the hash of every file, so that altered files
are refused (`store.check`), and how much the rounding of weights changed the predictions.
"""

import gzip
import json
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save

from lexurn import runs
from lexurn.base import divergences, files, paths
from lexurn.measures.comparison import mean_over_rows
from lexurn.publish.dependencies import work_folder
from lexurn.runs import provenance, store

MAX_BYTES = 25_000_000  # of a whole edition
N_ROUNDING_SEQUENCES = 50  # on which the effect of rounding the weights is measured


def freeze(used: Iterable[str], *, scale: str) -> dict[str, Any]:
    """Replace `book/results` by the files named in `used`, and return the new `edition.json`.

    `used` has the form of `Session.used_files`, and may name published runs and tables too. Raises
    StoreError if a run is missing or was trained with uncommitted changes, or if the edition is too
    large; the published edition then stays as it was.
    """
    used = set(used)
    target = paths.root() / "book" / "results"
    names = sorted({name.partition("/")[0] for name in used} - {"tables"})
    initial_keys = {_load_used(name).settings.training.init_from for name in names}
    rounding = (store.edition() or {}).get("rounding", 0.0)
    machines = set()
    with work_folder("results") as stage:
        for name in names:
            run = _load_used(name)
            change = _freeze_run(
                run,
                stage / run.settings.name,  # of today, also if an older version has stored it
                weights=f"{name}/{store.WEIGHTS}" in used,
                half=run.settings.key not in initial_keys,
            )
            rounding = max(rounding, change)
            device = run.provenance["device"]
            machines.add(run.provenance["processor"] if device == "cpu" else device)
        for name in sorted(name for name in used if name.startswith("tables/")):
            source = store.stored(name)
            store.check(source)
            (stage / "tables").mkdir(exist_ok=True)
            content = files.read(source.with_name(Path(name).name))
            files.write(stage / f"{name}.gz", gzip.compress(content, mtime=0))
        edition = seal(stage, scale=scale, machines=sorted(machines), rounding=rounding)
        if (size := store.size(stage)) > MAX_BYTES:
            raise files.StoreError(
                f"this edition has {size:,} bytes, more than {MAX_BYTES:,}; "
                "let its chapters use less"
            )
        previous = stage.with_name("results-before")
        shutil.rmtree(previous, ignore_errors=True)
        with files.store_errors(target):
            if target.exists():
                shutil.move(target, previous)
            shutil.move(stage, target)
    shutil.rmtree(previous, ignore_errors=True)
    return edition


def seal(root: Path, **about: Any) -> dict[str, Any]:
    """Write `edition.json` with the hashes of all files below a folder, and return its content."""
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    hashes = {
        name: files.hash_bytes((root / name).read_bytes())
        for name in names
        if name != store.EDITION
    }
    edition = {
        "frozen": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": provenance.commit(),
        **about,
        "files": hashes,
    }
    files.write(root / store.EDITION, json.dumps(edition, indent=1))
    return edition


def _load_used(name: str) -> runs.Run:
    try:
        return runs.load(name)
    except FileNotFoundError as error:
        raise files.StoreError(f"{error}; a chapter used it: execute the chapter again") from None


def _freeze_run(run: runs.Run, folder: Path, *, weights: bool, half: bool) -> float:
    """Copy a run's published files; return how much rounding its weights changes its predictions.

    The change is a mean symmetrized KL in nats. Weights that other runs start from are not rounded
    (`half` is False), so that these runs can be reproduced.
    """
    if run.provenance["dirty"]:
        raise files.StoreError(
            f"{run.path.name} was trained with uncommitted changes; "
            "commit them, delete the run and train it again"
        )
    folder.mkdir()
    files.write(folder / "settings.json", run.settings.model_dump_json(indent=2))
    for name in ("provenance.json", store.TASK_TENSORS):
        if (run.path / name).exists():
            files.write(folder / name, (run.path / name).read_bytes())
    for name in ("results.json", "metrics.jsonl"):
        files.write(folder / f"{name}.gz", gzip.compress(files.read(run.path / name), mtime=0))
    if not weights:
        return 0.0
    exact = load(files.read(run.path / store.WEIGHTS))
    rounded = {key: tensor.half() if half else tensor for key, tensor in exact.items()}
    files.write(folder / store.WEIGHTS, save(rounded))
    tokens = run.task.held_out()[run.task.splits[0]][:N_ROUNDING_SEQUENCES]
    with torch.no_grad():
        change = divergences.symmetrized_kl(
            run.predictor(tokens), runs.Run(folder).predictor(tokens)
        )
    return float(mean_over_rows(change).mean())
