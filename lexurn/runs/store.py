"""The folders of the store: which runs there are, which one a name means, and deleting them.

A run's folder ends in its key and holds `results.json` once it is finished. Everything is looked
for in one's own store first and then among the published runs (`paths.roots`); only one's own runs
are ever written or deleted. A published run has files but no folder (`lexurn.runs.contents`).
"""

import re
import shutil
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from lexurn.base import files, paths
from lexurn.base.errors import ParameterError, suggestion
from lexurn.base.yaml_files import read_yaml
from lexurn.runs.contents import PACKED, ROWS, locate, read
from lexurn.settings import TRAINING_VERSION, Settings

RESULTS = "results.json"

WEIGHTS = "model.safetensors"
"""The best weights of a run."""

TASK_TENSORS = "urns.safetensors"
"""What a task keeps with a run (`Task.tensors`), such as its pool of urns."""

PUBLISHED = (PACKED, ROWS, TASK_TENSORS, WEIGHTS)
"""The files that a published run may have."""


def key(folder: Path) -> str:
    """Return the twelve digits at the end of a run folder's name; empty for any other folder."""
    match = re.fullmatch(r"[^.].*-([0-9a-f]{12})", folder.name)
    return match.group(1) if match else ""


def is_finished(folder: Path) -> bool:
    return (folder / RESULTS).exists() or locate(folder, PACKED).exists()


def is_published(path: Path) -> bool:
    """Return whether a run or a file belongs to the published edition."""
    published = paths.published_results()
    return published is not None and path.resolve().is_relative_to(published.resolve())


def stored(name: str) -> Path:
    """Return the path of a file of the store by its name in `Session.used_files`.

    It is one's own, else a published one, else the path where one's own would be. The results of a
    published run are `PACKED`.
    """
    run, _, part = name.partition("/")
    candidates = []
    for root in paths.roots():
        packed = locate(root / run, PACKED if part == RESULTS else part)
        candidates += [root / name, root / f"{name}.gz", packed]
    return next((path for path in candidates if path.exists()), candidates[0])


def settings_of(folder: Path) -> Settings:
    """Return the settings of a stored run, also of one that an older version has stored.

    Raises ParameterError, with the versions that the run was trained with, if a part of the run is
    not here.
    """
    try:
        settings = Settings.from_stored(read(folder, "settings"))
    except ParameterError as error:
        versions: dict[str, str] = {}
        with suppress(OSError, LookupError):  # an unfinished run has none
            versions = read(folder, "provenance")["versions"]
        trained = ", ".join(f"{name} {version}" for name, version in versions.items())
        raise ParameterError(
            f"{folder.name}: {error}" + f"; it was trained with {trained!r}" * bool(trained)
        ) from None
    source = settings.training.init_from
    for other in folders(folder.parent) if source else ():
        if key(other) == source and (new := settings_of(other).key) != source:
            return settings.replace(init_from=new)
    return settings


def finished_folder(name: str) -> Path | None:
    """Return the folder of the finished run with this name, or the name's key.

    It is one's own, a published one, or one's own that an older version has stored under another
    key.
    """
    for root in paths.roots():
        if is_finished(root / name):
            return root / name
    own = paths.runs()
    changed_at = own.stat().st_mtime_ns if own.is_dir() else 0
    return _finished_by_key(own, changed_at).get(key(Path(name)) or name)


@lru_cache(maxsize=8)
def _finished_by_key(root: Path, changed_at: int) -> dict[str, Path]:
    """Return the finished runs of a root by the keys that their settings have today."""
    by_key = {}
    for folder in folders(root):
        with suppress(OSError, ValueError, LookupError):
            version = read(folder, "provenance")["training_version"]
            if is_finished(folder) and version == TRAINING_VERSION:
                by_key[settings_of(folder).key] = folder
    return by_key


def folders(*roots: Path) -> list[Path]:
    """Return the paths of all runs, finished or not, in some roots, sorted by name in each root.

    Without roots: one's own runs, then the published ones.
    """
    found: list[Path] = []
    for root in roots or paths.roots():
        names = {path.name for path in root.glob("*/")}
        names |= {path.name.removesuffix(f".{PACKED}") for path in root.glob(f"*.{PACKED}")}
        found += [root / name for name in sorted(names)]
    return [folder for folder in found if key(folder)]


def finished() -> list[Path]:
    """Return the folders of all finished runs, one per name, sorted by name."""
    by_name = {folder.name: folder for folder in reversed(folders()) if is_finished(folder)}
    return sorted(by_name.values(), key=lambda folder: folder.name)


def unfinished() -> dict[str, str]:
    """Return the state of unfinished runs, by name.

    It is `saved at step 500` or `no saved state`, and begins with `training` while a process trains
    the run.
    A run that is not being trained is resumed when it is asked for again.
    """
    states = {}
    for folder in folders(paths.runs()):
        if not is_finished(folder):
            steps = [int(path.name.split("-")[1]) for path in folder.glob("state-*.safetensors")]
            state = f"saved at step {max(steps)}" if steps else "no saved state"
            states[folder.name] = f"training, {state}" if files.is_locked(folder) else state
    return states


def find(name: str | Path) -> Path:
    """Return the folder that a name, a path, a key or the beginning of a key means.

    The name of a pretrained model, such as `urns/lexical`, means its run. A finished run comes
    before an unfinished one. Raises FileNotFoundError, with near names, where there is none or more
    than one.
    """
    candidates = [*(root / name for root in paths.roots()), Path(name).resolve()]
    candidates = [path for path in candidates if is_finished(path) or (path.is_dir() and key(path))]
    if not candidates and name and (folder := finished_folder(Path(name).name)):
        candidates = [folder]
    if not candidates and name:
        candidates = [folder for folder in folders() if key(folder).startswith(str(name))]
    if not candidates and (entry := pretrained_entries().get(str(name))):
        return find(Settings.from_flat(entry["settings"]).name)
    if len({key(folder) for folder in candidates}) == 1:
        return min(candidates, key=lambda folder: not is_finished(folder))
    if candidates:
        names = ", ".join(dict.fromkeys(folder.name for folder in candidates))
        raise FileNotFoundError(
            f"{name} begins the keys of several runs: {names}; give more digits"
        )
    known = [text for folder in folders() for text in (folder.name, key(folder))]
    known += pretrained_entries() if "/" in str(name) else ()
    raise FileNotFoundError(
        f"no run {name} in {paths.runs()}; {suggestion(Path(name).name, known)}"
        "`lexurn runs` lists those there are"
    )


def pretrained_entries() -> dict[str, dict[str, Any]]:
    """Return the entries of `params/pretrained.yaml` by name; none without a repository."""
    with suppress(FileNotFoundError):
        return read_yaml(paths.root() / "params" / "pretrained.yaml")
    return {}


def delete(name: str | Path) -> None:
    """Delete a run, finished or not.

    Raises StoreError for a run that is published or that a process is training.
    """
    folder = deletable(name)
    with files.lock(folder, wait=False), files.store_errors(folder):
        for path in (folder / RESULTS, *folder.glob("state-*")):
            path.unlink(missing_ok=True)  # half a folder is neither finished nor resumed
        shutil.rmtree(folder)


def deletable(name: str | Path) -> Path:
    """Return the folder of a run in one's own store. Raises StoreError for any other run."""
    folder = find(name)
    own = paths.runs() / folder.name
    if own.is_dir():
        folder = own
    elif folder.resolve().parent != paths.runs().resolve():
        raise files.StoreError(
            f"{folder} is published or elsewhere, and only runs in {paths.runs()} are deleted"
        )
    if files.is_locked(folder):
        raise files.StoreError(f"{folder.name} is being trained by another process; stop it first")
    return folder


def size(folder: Path) -> int:
    """Return the number of bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
