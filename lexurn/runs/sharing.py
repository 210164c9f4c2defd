"""Sharing runs: finished runs as one zip file, and from such a file into the own store.

    runs.export(["d3674c", "a29f22"], Path("runs.zip"))     own or published runs
    runs.import_(Path("runs.zip"))                          in another store

Each run is a folder in the zip file, named like the run. It holds the files that `lexurn.runs.run`
lists, a model card `README.md`, and `SHA256SUMS` with a checksum of every other file. A published
run has JSON files there, as an own run does. A folder of a run is also a model repository for the
Hugging Face Hub, and a folder that was downloaded from there, or from Weights & Biases, can be
imported like a file (see `import_`). The file holds no code, and an import trusts nothing
in it: names, kinds and sizes are checked before anything is unpacked, and what is unpacked is
checked in a hidden folder before it becomes a run of the store.
"""

import io
import json
import re
import shutil
import stat
import zipfile
from collections.abc import Iterable
from pathlib import Path

from lexurn.base import checksums, files, paths
from lexurn.base.wording import duration
from lexurn.runs import contents, integrity, listing, store
from lexurn.runs.run import Run, load
from lexurn.settings import Settings

CARD = "README.md"
MAX_BYTES = 2_000_000_000  # of all files of a zip file together, unpacked
MAX_TEXT_BYTES = 100_000_000  # of a file without tensors

# The files that every run has, and the names of all files of a run that are shared. A packed run or
# a saved state is not among them.
PARTS = {"settings.json", "metrics.jsonl", "provenance.json", store.RESULTS}
FILE = re.compile(
    r"\w+\.safetensors|metrics\.jsonl|(?:settings|provenance|results)\.json"
    r"|tables/(?:\w[\w .+=-]*/)*\w[\w .+=-]*\.csv"
)

NO_WEIGHTS = (
    "This run has no weights: its settings, metrics and results can be read, but it predicts "
    "nothing until it is trained again.\n"
)


def export(names: Iterable[str | Path], path: Path) -> dict[str, bool]:
    """Write finished runs into a zip file, and return whether each run has weights, by name.

    An existing file is replaced. Raises FileNotFoundError for an unknown run, and StoreError for a
    run that was altered, for runs that exceed `MAX_BYTES`, and if the file cannot be written.
    """
    exported = {run.settings.name: run for run in map(load, names)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, run in exported.items():
            shared = _read_shared(run) | {CARD: card(run).encode()}
            shared[checksums.NAME] = checksums.to_text(
                {file: files.hash_bytes(content) for file, content in shared.items()}
            ).encode()
            for file, content in shared.items():
                archive.writestr(f"{name}/{file}", content)
        if (n_bytes := sum(member.file_size for member in archive.infolist())) > MAX_BYTES:
            raise files.StoreError(
                f"these runs have {n_bytes:,} bytes, more than {MAX_BYTES:,}; export fewer at once"
            )
    files.write(path, buffer.getvalue())
    return {name: _has_weights(run) for name, run in exported.items()}


def import_(path: Path) -> dict[str, bool]:
    """Put the runs of a zip file into the own store, and return whether each run is new, by name.

    A folder is imported too: of one run, under any name, or of folders of runs. Files that do not
    belong to a run are left out there, and so is the model card, which people edit.

    A run that is stored or published with the same files is skipped. Raises StoreError, and stores
    no run, if the file is not what `export` writes, or if the own store has one of its runs
    unfinished or with other files. An imported run comes before a published one of its name. A
    process that is killed leaves each run whole or not there.
    """
    stage = paths.runs() / ".import"  # hidden: what is in it is no run yet
    with files.lock(stage, activity="importing runs into"):
        try:
            for leftover in stage.glob("*/"):  # of an import that was killed
                shutil.rmtree(leftover)
            _unpack(_pack(path) if path.is_dir() else path, stage)
            is_new = {folder.name: _check_run(folder) for folder in sorted(stage.glob("*/"))}
            for name in filter(is_new.get, is_new):
                (stage / name).rename(paths.runs() / name)
        except Exception as error:  # whatever the file leads to, it is refused in one line
            raise files.StoreError(
                f"nothing was imported from {path}: {' '.join(str(error).split())}"
            ) from None
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    return is_new


def card(run: Run) -> str:
    """Return the model card of a run, as Markdown.

    It says what the run is, which settings it has, how far it is from the references, with standard
    errors, and how to load it.
    """
    settings = run.settings
    facts = run.provenance
    best_step, loss = listing.best(run)
    return "\n".join(
        [
            "---\nlibrary_name: lexurn",
            f"tags: [lexurn, {settings.task.name}, {settings.kind}, {settings.backbone.name}]",
            "---\n",
            f"# {settings.name}\n",
            f"A {settings.kind} model with the backbone {settings.backbone.name}, trained on the "
            f"task {settings.task.name} in {duration(facts['seconds'])} on {facts['device']}, "
            f"finished on {facts['date'][:10]}. "
            f"Step {best_step} of {run.metrics['step'].iloc[-1]} has the lowest validation loss, "
            f"{loss:.4f} nats. To train it again: `{facts['command']}`.\n",
            *(() if _has_weights(run) else (NO_WEIGHTS,)),
            "## Settings\n\nSettings that are not listed have their default values.\n\n```",
            *(f"{name} = {value}" for name, value in settings.changed().items()),
            "```\n\n## Distances to the references\n",
            f"The {listing.measure_name(run)} in nats, ± its standard error over n sequences.\n",
            "```",
            listing.distances(run).to_string(na_rep=""),
            "```\n",
            "## How to load it\n\n```\nlexurn import FILE.zip    # or this folder\n```\n",
            f'```python\nfrom lexurn import runs\n\nrun = runs.load("{settings.name}")\n```\n',
        ]
    )


def _has_weights(run: Run) -> bool:
    return contents.locate(run.path, store.WEIGHTS).exists()


def _read_shared(run: Run) -> dict[str, bytes]:
    """Return the files of a stored run that are shared, without its card and checksums, by name."""
    folder = run.path
    shared = {
        name: contents.locate(folder, name).read_bytes()
        for name in (*integrity.final_files(folder), store.RESULTS, *store.PUBLISHED)
        if FILE.fullmatch(name) and contents.locate(folder, name).exists()
    }
    texts = {"settings.json": run.settings.model_dump_json(indent=2)}  # with the names of today
    if contents.locate(folder, contents.PACKED).exists():
        results = contents.read(folder, "results")
        if contents.locate(folder, contents.ROWS).exists():
            results = {name: part for name, part in results.items() if name != "left_out"}
            results["table"] = run.results_by_row.to_dict("list")
        texts |= {
            "metrics.jsonl": "".join(
                f"{json.dumps(row)}\n" for row in run.metrics.to_dict("records")
            ),
            "provenance.json": json.dumps(run.provenance, indent=2),
            store.RESULTS: json.dumps(results),
        }
    return shared | {name: text.encode() for name, text in texts.items()}


def _pack(folder: Path) -> io.BytesIO:
    """Return a zip file of the runs in a folder, without their cards."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", strict_timestamps=False) as archive:
        for settings in (*folder.glob("settings.json"), *folder.glob("*/settings.json")):
            name = Settings.from_stored(json.loads(settings.read_bytes())).name
            for path in settings.parent.rglob("*"):
                file = path.relative_to(settings.parent).as_posix()
                if FILE.fullmatch(file) and path.is_file():
                    archive.write(path, f"{name}/{file}")
            hashes = checksums.read(settings.parent)
            hashes.pop(CARD, None)
            archive.writestr(f"{name}/{checksums.NAME}", checksums.to_text(hashes))
    return buffer


def _unpack(path: Path | io.BytesIO, stage: Path) -> None:
    """Unpack a zip file of runs. Raises an error, before that, if it holds anything else."""
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        if (
            not members
            or len({member.filename for member in members}) < len(members)
            or sum(member.file_size for member in members) > MAX_BYTES
        ):
            raise ValueError(f"it holds no run, a file twice, or more than {MAX_BYTES:,} bytes")
        for member in members:
            folder, _, name = member.filename.partition("/")
            if not (
                store.key(Path(folder))
                and (FILE.fullmatch(name) or name in (CARD, checksums.NAME))
                and (name.endswith(".safetensors") or member.file_size <= MAX_TEXT_BYTES)
                and stat.S_IFMT(member.external_attr >> 16) in (0, stat.S_IFREG)
                and member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            ):
                raise ValueError(
                    f"{member.filename!r} has a name, kind, size or compression that no file of a "
                    "shared run has"
                )
        archive.extractall(stage, members)  # no file becomes longer than it says


def _check_run(folder: Path) -> bool:
    """Return whether an unpacked run is new. Raises an error if it must not be stored."""
    present = (path for path in folder.rglob("*") if path.is_file() and path.name != checksums.NAME)
    hashes = {
        path.relative_to(folder).as_posix(): files.hash_bytes(path.read_bytes()) for path in present
    }
    if wrong := (
        dict(hashes.items() ^ checksums.read(folder).items()).keys() | PARTS - hashes.keys()
    ):
        raise ValueError(f"{folder.name}/{min(wrong)} is missing, altered, or without a checksum")
    run = Run(folder)
    if run.settings.name != folder.name:
        raise ValueError(f"{folder.name} holds the settings of {run.settings.name}")
    card(run)  # reads all that a listing of runs reads
    files.commit(folder / store.RESULTS, (folder / store.RESULTS).read_bytes())
    places = [root / folder.name for root in paths.roots()]
    stored = map(load, filter(store.is_finished, places))
    is_new = _read_shared(run) not in map(_read_shared, stored)
    if is_new and places[0].exists():
        raise ValueError(
            f"the store has {folder.name} unfinished or with other files; to replace that run, "
            f"delete it first (lexurn runs delete {folder.name})"
        )
    return is_new
