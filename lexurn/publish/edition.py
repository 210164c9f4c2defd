"""The published edition: what its chapters use from the store, copied into `book/results`.

`book/results` is a second, read-only root of the store. It has settings, metrics, results and
provenance of each run in one file of compressed columns (`base.columns`), to the last bit, and the
run's urns, but no resumable state. It has the results at every row only if a chapter used them
(`Run.results_by_row`), and a run's weights, in half precision, only if a chapter used the model.
`edition.json` has the hash of every file, so that altered files are refused
(`integrity.check_published`), and how much the rounding of weights changed the predictions.
"""

import gzip
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save

from lexurn import runs
from lexurn.base import columns, divergences, files, paths
from lexurn.measures.comparison import mean_over_rows
from lexurn.publish.dependencies import work_folder
from lexurn.runs import contents, integrity, provenance, store, tables

MAX_BYTES = 25_000_000  # of a whole edition
LEFT_OUT = "its results at single rows"  # of every run; those that chapters use have their own file
N_ROUNDING_SEQUENCES = 50  # on which the effect of rounding the weights is measured


def freeze(used: Iterable[str], *, scale: str) -> dict[str, Any]:
    """Replace `book/results` by the files named in `used`, and return the new `edition.json`.

    `used` has the form of `Session.used_files`, and may name published runs and tables too. Raises
    StoreError if a run is missing or was trained with uncommitted changes, or if the edition is too
    large; the published edition then stays as it was.
    """
    used = set(used)  # a copy: loading runs adds to the session's used files
    names = sorted({name.partition("/")[0] for name in used} - {"tables"})
    try:
        used_runs = {name: runs.load(name) for name in names}
    except FileNotFoundError as error:
        raise files.StoreError(f"{error}; a chapter used it: execute the chapter again") from None
    initial_keys = {run.settings.training.init_from for run in used_runs.values()}
    changes = [(integrity.edition() or {}).get("rounding", 0.0)]
    origins = [run.provenance for run in used_runs.values()]
    machines = {
        origin["processor" if origin["device"] == "cpu" else "device"] for origin in origins
    }
    with work_folder("results") as work:
        stage = work / "results"
        for name, run in used_runs.items():
            folder = stage / run.settings.name  # of today, also if an older version has stored it
            _freeze_run(run, folder)
            if f"{name}/{contents.ROWS}" in used:
                rows = columns.pack(run.results_by_row.to_dict("list"))
                files.write(contents.locate(folder, contents.ROWS), rows)
            if f"{name}/{store.WEIGHTS}" in used:
                is_rounded = run.settings.key not in initial_keys
                changes.append(_freeze_weights(run, folder, is_rounded=is_rounded))
        for name in sorted(name for name in used if name.startswith("tables/")):
            content = tables.read_bytes(Path(name).stem)
            files.write(stage / f"{name}.gz", gzip.compress(content, mtime=0))
        edition = seal(stage, scale=scale, machines=sorted(machines), rounding=max(changes))
        if (size := store.size(stage)) > MAX_BYTES:
            raise files.StoreError(
                f"this edition has {size:,} bytes, more than {MAX_BYTES:,}; "
                "let its chapters use less"
            )
        files.replace_folder(paths.root() / "book" / "results", stage)
    return edition


def seal(root: Path, **about: Any) -> dict[str, Any]:
    """Write `edition.json` with the hashes of all files below a folder, and return its content."""
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    hashes = {
        name: files.hash_bytes((root / name).read_bytes())
        for name in names
        if name != integrity.EDITION
    }
    edition = {
        "frozen": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": provenance.commit(),
        **about,
        "files": hashes,
    }
    files.write(root / integrity.EDITION, json.dumps(edition, indent=1))
    return edition


def _freeze_run(run: runs.Run, folder: Path) -> None:
    """Copy a run's published files, but for its weights and its results at every row."""
    if run.provenance["dirty"]:
        raise files.StoreError(
            f"{run.path.name} was trained with uncommitted changes; "
            "commit them, delete the run and train it again"
        )
    results = contents.read(run.path, "results")
    own = {"table": run.results.to_dict("list"), "hash": run.results_hash, "left_out": LEFT_OUT}
    parts = {
        "provenance": run.provenance,
        "results": results | own,
        "metrics": run.metrics.to_dict("list"),
        "settings": run.settings.model_dump(mode="json"),
    }
    files.write(contents.locate(folder, contents.PACKED), columns.pack(parts))
    tensors = contents.locate(run.path, store.TASK_TENSORS)
    if tensors.exists():
        files.write(contents.locate(folder, store.TASK_TENSORS), tensors.read_bytes())


def _freeze_weights(run: runs.Run, folder: Path, *, is_rounded: bool) -> float:
    """Write a run's weights; return how much rounding them changes the run's predictions.

    The change is a mean symmetrized KL in nats. Weights that other runs start from are not rounded,
    so that these runs can be reproduced.
    """
    weights = load(contents.locate(run.path, store.WEIGHTS).read_bytes())
    if is_rounded:
        weights = {name: tensor.half() for name, tensor in weights.items()}
    files.write(contents.locate(folder, store.WEIGHTS), save(weights))
    tokens = run.task.held_out()[run.task.splits[0]][:N_ROUNDING_SEQUENCES]
    with torch.no_grad():
        change = divergences.symmetrized_kl(
            run.predictor(tokens), runs.Run(folder).predictor(tokens)
        )
    return float(mean_over_rows(change).mean())
