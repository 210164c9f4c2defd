"""Every file of the store must be byte for byte what was written, or it is refused.

Files of one's own runs are compared with the checksums in their folder (`lexurn.base.checksums`),
published files with those of the edition (`lexurn.publish.edition`).
"""

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from lexurn.base import checksums, files, paths
from lexurn.runs import contents, store
from lexurn.settings import Settings

EDITION = "edition.json"
"""The hashes of everything that is published, and when and at which scale that was."""

REMEDY = (
    "`git checkout book/results` brings the published edition back, and LEXURN_FRESH=1, or --fresh "
    "for the book, trains everything again without it"
)

HAS_CHECKSUMS = "has_checksums"
"""An entry of `store.RESULTS` of runs whose folder has checksums of its files."""

TEMPORARY = re.compile(r"\.|state-|series/|wandb/")
"""How the names of files that belong to no finished run begin."""


def edition() -> dict[str, Any] | None:
    """Return the content of `edition.json`; None without a published edition.

    Raises StoreError where it cannot be read.
    """
    root = paths.published_results()
    if root is None or not (root / EDITION).exists():
        return None
    try:
        return _read_edition(root / EDITION, (root / EDITION).stat().st_mtime_ns)
    except (OSError, ValueError) as error:
        raise files.StoreError(f"{root / EDITION} cannot be read ({error}): {REMEDY}") from None


@lru_cache(maxsize=2)
def _read_edition(path: Path, changed_at: int) -> dict[str, Any]:
    content = json.loads(path.read_text())
    if not isinstance(content, dict):
        raise ValueError("it holds something else")
    return content


def check_run(folder: Path) -> None:
    """Raise StoreError where a file of a finished run is not what was written.

    One's own run that an older version has stored without checksums passes.
    """
    if store.is_published(folder):
        for name in store.PUBLISHED:
            check_published(contents.locate(folder, name))
    elif contents.read(folder, "results").get(HAS_CHECKSUMS) or (folder / checksums.NAME).exists():
        checksums.verify(folder, required=store.RESULTS, remedy=contents.remedy(folder))


def check_published(path: Path) -> None:
    """Raise StoreError where a published file is not what was frozen, or is missing.

    A file that is not published passes.
    """
    if not store.is_published(path):
        return
    root = paths.published_results().resolve()
    name = path.resolve().relative_to(root).as_posix()
    frozen = (edition() or {}).get("files", {}).get(name)
    present = files.hash_bytes(path.read_bytes()) if path.is_file() else None
    if frozen != present:
        raise files.StoreError(f"{path} is missing, was altered, or was never published: {REMEDY}")


def require_same(stored: Settings, wanted: Settings, folder: Path) -> None:
    """Raise StoreError where a folder that was found by its name holds another run."""
    if stored.key != wanted.key:
        raise files.StoreError(
            f"{folder} holds another run, with the key {stored.key}: its folder was renamed; give "
            f"it back the name {stored.name}, or delete it"
        )


def final_files(folder: Path) -> list[str]:
    """Return the names of the files of a finished training in its folder, without `store.RESULTS`.

    What only a training that is resumed needs, and what Weights & Biases writes, is left out.
    """
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if not TEMPORARY.match(name) and name != store.RESULTS)
