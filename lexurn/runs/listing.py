"""The finished runs of the store as one table, a row per run.

Reading thousands of runs takes long, so their rows are kept in `RUNS/.index.json`. A row is read
again when the size or the time of one of its run's files has changed.
"""

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from lexurn.base import files, paths
from lexurn.base.version import __version__
from lexurn.measures import evaluation
from lexurn.runs import contents, store
from lexurn.runs.run import Run, load
from lexurn.settings import flat_names, resolver

INDEX = ".index.json"

SIGNING = (store.RESULTS, "settings.json", "metrics.jsonl", "provenance.json", contents.PACKED)
"""Files whose size and time tell whether a run's row has changed."""


def table(**flat: Any) -> pd.DataFrame:
    """Return the finished runs with these settings, one per row, e.g. `table(n_tasks=1)`.

    One's own runs come first and then published ones, the newest first within each. Columns: name
    (for `load`), published, kind, every flat setting (missing where the run's task or backbone has
    none), best_step, validation_loss there, seconds of training, `finished` (UTC, ISO 8601), and
    the distances to references where the task judges a model, with standard error `…_sem`:
    `d_<reference>` is the symmetrized KL, `regret_<reference>` the regret where the task's measure
    is that. A run that cannot be read, or was altered, is named on stderr. Raises ParameterError
    for an unknown name or value.
    """
    kind = flat.pop("kind", None)
    wanted = json.loads(json.dumps(resolver.check_each(flat)))
    rows = [
        {"name": name, **dict.fromkeys(flat_names(), pd.NA), **row["settings"], **row["results"]}
        for name, row in _read_rows().items()
        if wanted.items() <= row["settings"].items() and kind in (None, row["results"]["kind"])
    ]
    columns = [
        "name",
        "published",
        "kind",
        *flat_names(),
        "best_step",
        "validation_loss",
        "seconds",
        "finished",
        *("d_generalizing", "d_generalizing_sem", "d_memorizing", "d_memorizing_sem"),
        *("d_symmetrized", "d_symmetrized_sem"),
    ]
    rows.sort(key=lambda row: (not row["published"], row["finished"]), reverse=True)
    columns += [name for row in rows for name in row]  # regrets, and other tasks' references
    return pd.DataFrame(rows, columns=list(dict.fromkeys(columns)))


def unfinished_table(like: pd.DataFrame) -> pd.DataFrame:
    """Return the unfinished runs, one per row, with the columns of `like` and `state`.

    Only name, kind and settings have values, except for a run whose settings cannot be read.
    """
    rows = []
    for name, state in store.unfinished().items():
        rows.append({"name": name, "state": state})
        with suppress(OSError, ValueError, LookupError):
            settings = store.settings_of(paths.runs() / name)
            rows[-1] |= {"kind": settings.kind, **settings.flat()}
    return pd.DataFrame(rows, columns=["state", *like])


def column_name(measure: str, reference: str) -> str:
    """Return the column of a distance: `d_<reference>` for the symmetrized KL, or for example
    `regret_<reference>`."""
    return f"{'d' if measure == 'symmetrized_kl' else measure}_{reference}"


def best(run: Run) -> tuple[int, float]:
    """Return the step with the lowest validation loss, whose weights a run has, and that loss."""
    step = int(run.results["step"].iloc[0])
    return step, float(run.metrics.set_index("step").loc[step, "validation_loss"])


def measure_name(run: Run) -> str:
    """Return the measure by which a run's task judges, as text: `symmetrized KL` or `regret`."""
    return run.task.measure.replace("_kl", " KL")


def distances(run: Run) -> pd.DataFrame:
    """Return that measure to every reference, as text; see `evaluation.summary`.

    A regret that is −∞, because the reference holds some sequence for impossible, says so.
    """
    infinity = "impossible" if run.task.measure == "regret" else "infinite"
    return evaluation.summary(run.results, measure=run.task.measure).replace("infinite", infinity)


def _read_rows() -> dict[str, dict[str, Any]]:
    """Return the rows of all finished runs by their names, from the index or from the runs."""
    path = paths.runs() / INDEX
    known: dict[str, Any] = {}
    with suppress(OSError, ValueError, LookupError, TypeError):
        index = json.loads(path.read_bytes())
        if index["made_by"] == [__version__, *flat_names()]:
            known = index["rows"]
    rows = {}
    for folder in store.finished():
        signature = _signature(folder)
        row = known.get(folder.name, {})
        if row.get("signature") != signature:
            try:
                row = {"signature": signature, **_read_row(load(folder))}
            except (OSError, ValueError, LookupError) as error:
                print(f"left out: {' '.join(str(error).split())}", file=sys.stderr)
                continue
        rows[folder.name] = row
    if rows != known and path.parent.is_dir():
        with suppress(files.StoreError):  # without an index it only takes longer
            files.write(path, json.dumps({"made_by": [__version__, *flat_names()], "rows": rows}))
    return rows


def _signature(folder: Path) -> list[str | int]:
    located = (contents.locate(folder, name) for name in SIGNING)
    stats = [path.stat() for path in located if path.exists()]
    return [
        2,  # raised when rows hold something else, so that those of an older index are not used
        str(folder),
        *(number for stat in stats for number in (stat.st_size, stat.st_mtime_ns)),
    ]


def _read_row(run: Run) -> dict[str, Any]:
    """Return the settings and the results of a run, as they stand in the table."""
    best_step, loss = best(run)
    results = {
        "published": store.is_published(run.path),
        "kind": run.settings.kind,
        "best_step": best_step,
        "validation_loss": loss,
        "seconds": run.provenance["seconds"],
        "finished": run.provenance["date"],
    }
    judged = evaluation.select(run.results, split=run.task.splits[0], measure=run.task.measure)
    for reference, mean, sem in judged[["mean", "sem"]].itertuples():
        name = column_name(run.task.measure, reference)
        results |= {name: mean, f"{name}_sem": sem}
    return {"settings": run.settings.flat(), "results": results}
