"""The files of a run: in a folder of its own, or for a published run side by side with others.

A published run has no folder, because a folder takes more space than most runs. Its path
`<root>/<name>` is how the paths of its files begin, for example `<root>/<name>.run.zst`.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexurn.base.errors import StoreError

if TYPE_CHECKING:
    from torch import Tensor

PACKED = "run.zst"
"""A published run's settings, metrics, results and provenance, packed by `base.columns`."""

ROWS = "rows.zst"
"""A published run's results at every row, packed in the same way; only if a chapter shows them."""


def locate(folder: Path, name: str) -> Path:
    """Return the path of a file of a run, whether the file exists or not."""
    return folder / name if folder.is_dir() else folder.with_name(f"{folder.name}.{name}")


def read(folder: Path, part: str) -> Any:
    """Return a part of a run: its `settings`, `metrics`, `results` or `provenance`.

    Metrics are the rows, or for a published run the columns, of a table. Raises StoreError where a
    file is damaged.
    """
    packed = locate(folder, PACKED)
    if packed.exists():
        return _unpack(packed, packed.stat().st_mtime_ns)[part]
    path = folder / ("metrics.jsonl" if part == "metrics" else f"{part}.json")
    try:
        text = path.read_bytes().decode()
        rows = [json.loads(line) for line in (text.splitlines() if part == "metrics" else [text])]
        if not rows or not all(isinstance(row, dict) for row in rows):
            raise ValueError("it holds something else")
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read: {error}; {remedy(folder)}") from None
    return rows if part == "metrics" else rows[0]


def load_file(path: Path) -> dict[str, "Tensor"]:
    """Return the tensors of a run's file, whose path is `<folder>/<name>` also without a folder."""
    from safetensors import torch  # not above: imports torch

    return torch.load_file(locate(path.parent, path.name))


def remedy(folder: Path) -> str:
    """Return what to do about a damaged run, for an error message."""
    return f"delete the run (lexurn runs delete {folder.name}), then ask for it again to train it"


@lru_cache(maxsize=4)
def _unpack(path: Path, changed_at: int) -> dict[str, Any]:
    from lexurn.base import columns  # not above: imports numpy

    return columns.unpack(path.read_bytes())
