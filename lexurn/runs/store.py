"""The folders of the store: which runs there are, which one a name means, and deleting them.

A run's folder ends in its key and holds `results.json` once it is finished. Everything is looked for in one's own store
first and then among the published runs (`paths.roots`); only one's own are ever written or deleted. What is published
must be, byte for byte, what was frozen (see `lexurn.publish.edition`), or it is refused.
"""

import contextlib
import difflib
import json
import os
import re
import shutil
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from lexurn.base import files, paths
from lexurn.settings import TRAINING_VERSION, Settings

EDITION = "edition.json"
"""The hashes of everything that is published, and when and at which scale that was."""

WEIGHTS = "model.safetensors"
"""The best weights of a run."""

TASK_TENSORS = "urns.safetensors"
"""What a task keeps with a run (`Task.tensors`), such as its pool of urns."""


def key(folder: Path) -> str:
    """The twelve digits at the end of a folder's name; empty for a folder that is no run's."""
    found = re.fullmatch(r"[^.].*-([0-9a-f]{12})", folder.name)
    return found.group(1) if found else ""


def is_finished(folder: Path) -> bool:
    return (folder / "results.json").exists() or (folder / "results.json.gz").exists()


def is_published(folder: Path) -> bool:
    published = paths.published_results()
    return published is not None and folder.resolve().parent == published.resolve()


def stored(name: str) -> Path:
    """A file of the store by its name in `used`: one's own, else a published one, else where one's own would be."""
    named = [root / f"{name}{packed}" for root in paths.roots() for packed in ("", ".gz")]
    return next((path for path in named if path.exists()), named[0])


def edition() -> dict[str, Any] | None:
    """What is said about the published edition; None where there is none. Raises StoreError where it cannot be read."""
    root = paths.published_results()
    if root is None or not root.is_dir():
        return None
    try:
        return json.loads((root / EDITION).read_text())
    except (OSError, ValueError) as error:
        raise _refused(root / EDITION, f"cannot be read ({error})") from None


def check(path: Path) -> None:
    """Raise StoreError where a published run's folder, or a published table, is not what was frozen.

    What is not published passes: nothing is known about that.
    """
    root = paths.published_results()
    if root is None or not path.resolve().is_relative_to(root.resolve()):
        return
    frozen = (edition() or {}).get("files", {})
    below = [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]
    below = [each for each in below if each != root / EDITION]
    there = {each.resolve().relative_to(root.resolve()).as_posix(): each for each in below}
    here = path.resolve().relative_to(root.resolve()).as_posix()
    wanted = {name for name in frozen if here in (".", name) or name.startswith(f"{here}/")}
    for name in sorted(wanted | set(there)):
        if name not in there:
            raise _refused(root / name, "is missing")
        if name not in wanted:
            raise _refused(root / name, "was never published")
        if digest(there[name]) != frozen[name]:
            raise _refused(root / name, "was altered since it was published")


def digest(path: Path) -> str:
    return files.hash_file(path)


def _refused(path: Path, why: str) -> files.StoreError:
    return files.StoreError(
        f"{path} {why}: `git checkout book/results` brings the published edition back, and LEXURN_FRESH=1, or --fresh "
        "for the book, trains everything anew without it"
    )


def settings_of(folder: Path) -> Settings:
    """Return the settings of a stored run, also of one that was stored by an older version."""
    settings = Settings.from_json((folder / "settings.json").read_bytes())
    source = settings.training.init_from
    for other in _folders(folder.parent) if source else ():
        if key(other) == source and (new := settings_of(other).key) != source:
            return settings.replace(init_from=new)
    return settings


def finished_folder(name: str) -> Path | None:
    """Return the folder of the finished run with this name: one's own, a published one, or one of
    one's own that an older version has stored under another key."""
    for root in paths.roots():
        if is_finished(root / name):
            return root / name
    return _moved_folders(paths.runs()).get(key(Path(name)))


def _moved_folders(root: Path) -> dict[str, Path]:
    """Return the finished runs by the keys that their settings have today."""
    return _scan_moved(root, root.stat().st_mtime_ns) if root.is_dir() else {}


@lru_cache(maxsize=8)
def _scan_moved(root: Path, changed_at: int) -> dict[str, Path]:
    moved = {}
    for folder in _folders(root):
        with contextlib.suppress(OSError, ValueError, LookupError):
            provenance = json.loads((folder / "provenance.json").read_bytes())
            if is_finished(folder) and provenance["training_version"] == TRAINING_VERSION:
                moved[settings_of(folder).key] = folder
    return moved


def folders() -> list[Path]:
    """The folders of all runs, finished or not: one's own, then those published."""
    return [folder for root in paths.roots() for folder in _folders(root)]


def finished() -> list[Path]:
    """The folders of all finished runs, one for each name, sorted by it."""
    named = {folder.name: folder for folder in reversed(folders()) if is_finished(folder)}
    return sorted(named.values(), key=lambda folder: folder.name)


def unfinished() -> dict[str, str]:
    """What was begun and not finished, by name: `saved at step 500` or `no saved state`, and whether it is `training`.

    A run that is not training goes on when it is asked for again.
    """
    said = {}
    for folder in _folders(paths.runs()):
        if not is_finished(folder):
            steps = [int(path.name.split("-")[1]) for path in folder.glob("state-*.safetensors")]
            state = f"saved at step {max(steps)}" if steps else "no saved state"
            said[folder.name] = f"training, {state}" if files.is_locked(folder) else state
    return said


def find(name: str | Path) -> Path:
    """The folder that a name, a path, a key or the beginning of a key means; a finished run before an unfinished one.

    Raises FileNotFoundError, with the near ones, where there is none or more than one.
    """
    named = [*(root / name for root in paths.roots()), Path(name).resolve()]
    if found := [
        folder for folder in named if folder.is_dir() and (key(folder) or is_finished(folder))
    ]:
        return _finished_first(found)
    if moved := finished_folder(Path(name).name):
        return moved
    found = [folder for folder in folders() if name and key(folder).startswith(str(name))]
    if len({key(folder) for folder in found}) == 1:
        return _finished_first(found)
    if found:
        raise FileNotFoundError(
            f"{name} begins the keys of several runs: {_some(found)}; give more digits"
        )
    of = {text: folder for folder in folders() for text in (folder.name, key(folder))}
    near = [folder for folder in folders() if str(name) in folder.name] if name else []
    near = near or [
        of[text] for text in difflib.get_close_matches(Path(name).name, of, n=3, cutoff=0.5)
    ]
    hint = f"near: {_some(near)}" if near else "`lexurn runs` lists those there are"
    raise FileNotFoundError(f"no run {name} in {paths.runs()}; {hint}")


def delete(name: str | Path) -> None:
    """Delete a run, finished or not. Raises files.StoreError for one that is published or just being trained."""
    folder = deletable(name)
    hidden = folder.with_name(f".deleted-{folder.name}.{os.getpid()}")
    with files.lock(folder, wait=False), files.store_errors(folder):
        folder.rename(hidden)  # at once: half of it is never taken for a run
        shutil.rmtree(hidden)
    for left in folder.parent.glob(".deleted-*"):
        pid = int(left.suffix[1:])
        if pid == os.getpid() or not _is_alive(pid):  # killed while it deleted
            shutil.rmtree(left, ignore_errors=True)


def deletable(name: str | Path) -> Path:
    """The folder of a run that may be deleted. Raises as `find` and `delete` do."""
    folder = find(name)
    own = paths.runs() / folder.name
    folder = own if own.is_dir() else folder
    if is_published(folder):
        raise files.StoreError(f"{folder.name} is published, and published runs are only read")
    if folder.resolve().parent != paths.runs().resolve():
        raise files.StoreError(
            f"{folder} is not in the store {paths.runs()}, and only runs there are deleted"
        )
    if files.is_locked(folder):
        raise files.StoreError(
            f"{folder.name} is being trained by another process; stop that one first"
        )
    return folder


def size(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    return True


def _folders(root: Path) -> list[Path]:
    return sorted(folder for folder in root.glob("*/") if key(folder))


def _finished_first(folders: Iterable[Path]) -> Path:
    return min(folders, key=lambda folder: not is_finished(folder))


def _some(folders: Iterable[Path]) -> str:
    names = list(dict.fromkeys(folder.name for folder in folders))
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
