"""The contents of a run's folder: JSON files, or for a published run one file of columns."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

PACKED = "run.zst"
"""A published run's settings, metrics, results and provenance, packed by `base.columns`."""

ROWS = "rows.zst"
"""A published run's results at every row, packed in the same way; only if a chapter shows them."""


def read(folder: Path, part: str) -> Any:
    """Return a part of a run: its `settings`, `metrics`, `results` or `provenance`.

    Metrics are the rows, or for a published run the columns, of a table.
    """
    packed = folder / PACKED
    if packed.exists():
        return _unpack(packed, packed.stat().st_mtime_ns)[part]
    if part != "metrics":
        return json.loads((folder / f"{part}.json").read_bytes())
    from lexurn.runs import tracking  # not above: imports pandas, and the store starts without it

    return tracking.read_metrics(folder / "metrics.jsonl")


@lru_cache(maxsize=4)
def _unpack(path: Path, changed_at: int) -> dict[str, Any]:
    from lexurn.base import columns  # not above: imports numpy

    return columns.unpack(path.read_bytes())
