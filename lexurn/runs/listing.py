"""The finished runs of the store as one table, a row per run."""

import sys
from typing import Any

import pandas as pd

from lexurn.measures import evaluation
from lexurn.runs import store
from lexurn.runs.run import Run
from lexurn.settings import flat_names, resolver


def table(**flat: Any) -> pd.DataFrame:
    """Return the finished runs with these settings, one per row, e.g. `table(n_tasks=1)`.

    Columns: name (for `load`), published, kind, every flat setting (missing where the run's task or
    backbone has none), best_step, validation_loss there, seconds of training, and the distances to
    references where the task judges a model: `d_<reference>`, with standard error `…_sem`. A run
    that cannot be read is named on stderr. Raises ParameterError for an unknown name or value.
    """
    kind = flat.pop("kind", None)
    wanted = resolver.check_each(flat)
    rows = []
    for path in store.finished():
        run = Run(path)
        try:
            fits = wanted.items() <= run.settings.flat().items()
            if fits and kind in (None, run.settings.kind):
                rows.append(_row(run))
        except (OSError, ValueError, LookupError) as error:
            print(f"{path.name} is left out: {' '.join(str(error).split())}", file=sys.stderr)
    columns = [
        "name",
        "published",
        "kind",
        *flat_names(),
        "best_step",
        "validation_loss",
        "seconds",
        *("d_generalizing", "d_generalizing_sem", "d_memorizing", "d_memorizing_sem"),
        *("d_symmetrized", "d_symmetrized_sem"),
    ]
    return pd.DataFrame(rows, columns=columns)


def _row(run: Run) -> dict[str, Any]:
    """Return the row of a run in the table."""
    best_step = run.results["step"].iloc[0]
    row = {
        "name": run.path.name,
        "published": store.is_published(run.path),
        "kind": run.settings.kind,
        **(dict.fromkeys(flat_names(), pd.NA) | run.settings.flat()),
        "best_step": best_step,
        "validation_loss": run.metrics.set_index("step").loc[best_step, "validation_loss"],
        "seconds": run.provenance["seconds"],
    }
    distances = evaluation.select(run.results, split=run.task.splits[0])
    for reference, mean, sem in distances[["mean", "sem"]].itertuples():
        row |= {f"d_{reference}": mean, f"d_{reference}_sem": sem}
    return row
