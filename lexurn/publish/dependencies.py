"""The book's chapters: their parameters, and what the execution of a chapter depends on.

An executed chapter is `_build/executed/<name>.ipynb` with a record beside it, `<name>.json`. The
record lists the chapter's source, its parameters, the `lexurn` modules that it had loaded at its
end, and the runs that it used. A chapter is executed again (see `lexurn.publish.execution`) only if
one of these changed, and not if only the source's prose did (see `execution.update_prose`).
"""

import ast
import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexurn.base import errors, files, paths, session, yaml_files
from lexurn.runs import store
from lexurn.settings import parameter_cells, resolver

# The cell that is executed after a chapter's own cells, and then removed.
RECORD_CELL = (
    "import json, sys; loaded = sorted(sys.modules); "
    "from lexurn.publish.dependencies import record_of; print(json.dumps(record_of(loaded)))"
)

RECORD_KEYS = {
    *("failed", "source", "notebook", "parameters", "threads", "modules", "used"),
    *("computed", "device", "commit", "seconds", "finished", "claims", "numbers"),
}


@dataclass(frozen=True)
class Chapter:
    """One chapter with the parameters that it is executed with."""

    name: str
    parameters: Mapping[str, Any]

    @property
    def source(self) -> Path:
        return paths.root() / "book" / f"{self.name}.py"

    @property
    def executed(self) -> Path:
        return paths.build_folder() / "executed" / f"{self.name}.ipynb"

    @property
    def record(self) -> dict[str, Any]:
        """The record of the last execution; empty if there is none."""
        try:
            record = json.loads(self.executed.with_suffix(".json").read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return record if set(record) == RECORD_KEYS and self.executed.exists() else {}

    @property
    def is_current(self) -> bool:
        """Whether the last execution succeeded and would give the same result now."""
        return hash_if_exists(self.source) == self.record.get("source") and self.has_valid_outputs

    @property
    def has_valid_outputs(self) -> bool:
        """Whether the last execution succeeded, and nothing but the source has changed since."""
        record = self.record
        return (
            self._has_succeeded(record)
            and hash_if_exists(self.executed) == record["notebook"]
            and record["modules"].items() <= module_hashes().items()
            and record["used"] == _hashes_of_stored(record["used"])
        )

    def expected_seconds(self, scale: str) -> float | None:
        """Return the seconds of the last execution with these parameters, else those measured once.

        `params/seconds.json` has measured seconds for every scale, which is the name of a file in
        `params/` or `defaults`; `tests/benchmarks/chapters.py` measures them. Returns None if
        neither is known.
        """
        record = self.record
        if self._has_succeeded(record):
            return record["seconds"]
        path = paths.root() / "params" / "seconds.json"
        measured = json.loads(path.read_text()) if path.exists() else {}
        return measured.get(scale, {}).get(self.name)

    def _has_succeeded(self, record: Mapping[str, Any]) -> bool:
        return record.get("failed") == "" and record["parameters"] == dict(self.parameters)


def select_sources(names: tuple[str, ...]) -> list[Path]:
    """Return the sources of the chapters with these names, such as `02_train` or `train`, or all.

    Raises ParameterError for an unknown chapter.
    """
    sources = {path.stem: path for path in sorted((paths.root() / "book").glob("[0-9][0-9]_*.py"))}
    short_names = {stem: stem.partition("_")[2] for stem in sources}
    if unknown := set(names) - {*sources, *short_names.values()}:
        raise errors.ParameterError(
            f"no chapter {min(unknown)}; {errors.suggestion(min(unknown), sources)}"
            f"there are {', '.join(sources)}"
        )
    selected = [stem for stem in sources if not names or {stem, short_names[stem]} & set(names)]
    return [sources[stem] for stem in selected]


def select_chapters(names: tuple[str, ...], params: Path | None) -> list[Chapter]:
    """Return the chapters with these names, or all chapters, with their part of a params file.

    Raises ParameterError for an unknown chapter and for anything wrong in the file.
    """
    chapters = []
    for source in select_sources(names):
        stem, short = source.stem, source.stem.partition("_")[2]
        own = _parameter_names(source)
        common, specific = resolver.read_parts(params, short) if params else ({}, {})
        values = common | specific
        try:
            resolver.check(values)
            if foreign := specific.keys() - own:
                raise errors.ParameterError(
                    f"{min(foreign)} is no parameter of {stem}, which takes "
                    f"{', '.join(sorted(own))}"
                )
        except errors.ParameterError as error:
            name = str(error).partition(" ")[0]
            steps = (short, name) if name in specific else (name,)
            raise errors.ParameterError(f"{yaml_files.place(params, *steps)}: {error}") from None
        chapters.append(Chapter(stem, {name: values[name] for name in values if name in own}))
    return chapters


def record_of(loaded: list[str]) -> dict[str, Any]:
    """Return what the chapter in this process depends on: modules, used files, claims, machine.

    Of the used files, `computed` are those that were written while the chapter ran.
    """
    from lexurn.runs import provenance

    used = sorted(session.current().used_files)
    chapter = session.current().chapter
    started = chapter.started if chapter else float("inf")
    return {
        "modules": [name for name in loaded if name.partition(".")[0] == "lexurn"],
        "used": _hashes_of_stored(used),
        "computed": [
            name
            for name in used
            if (file := store.stored(name)).exists() and file.stat().st_mtime >= started
        ],
        "claims": session.current().claims,
        "numbers": session.current().numbers,
        "device": provenance.device(),
        "commit": provenance.describe_commit(provenance.commit(), provenance.is_changed()),
    }


def module_hashes() -> dict[str, str]:
    """Return the hash of every module of the library, by the module's name.

    That of `lexurn.figures.explorables` also changes with the scripts that this module inserts.
    """
    parent = paths.LIBRARY.parent
    hashes = {
        ".".join(path.relative_to(parent).with_suffix("").parts).removesuffix(".__init__"): (
            hash_if_exists(path)
        )
        for path in paths.LIBRARY.rglob("*.py")
    }
    scripts = sorted((parent / "book" / "assets" / "explorables").glob("*.js"))
    hashes["lexurn.figures.explorables"] += "".join(map(hash_if_exists, scripts))
    return hashes


def hash_if_exists(path: Path) -> str:
    """Return 12 digits of the hash of a file's content; empty if there is no such file."""
    return files.hash_bytes(path.read_bytes(), 12) if path.is_file() else ""


@contextmanager
def work_folder(name: str) -> Iterator[Path]:
    """Provide an empty folder in the build folder, also after a kill, and remove it at the end."""
    folder = paths.build_folder() / "work" / name
    shutil.rmtree(folder, ignore_errors=True)
    with files.store_errors(folder):
        folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def shown_parameters(source: Path) -> dict[str, Any]:
    """Return the names and defaults in a chapter's parameters cell, whose path is `source`.

    Raises ParameterError if there is no such cell, or if it holds anything else.
    """
    cell = _parameters_cell(source)
    try:
        return parameter_cells.assignments(ast.parse(cell))
    except SyntaxError as error:
        raise errors.ParameterError(
            f"the parameters cell of {source.name} cannot be read: "
            f"{error.msg}, line {error.lineno} of the cell"
        ) from None


def _parameter_names(source: Path) -> set[str]:
    """Return the names that a chapter takes: those of its parameters cell, and further ones."""
    return {*shown_parameters(source), *parameter_cells.further_names(_parameters_cell(source))}


def _parameters_cell(source: Path) -> str:
    cells = re.split(r"^# %%", source.read_text(), flags=re.MULTILINE)
    tagged = [cell.partition("\n")[2] for cell in cells if '"parameters"' in cell.split("\n")[0]]
    if not tagged or not tagged[0].startswith(parameter_cells.INJECTED):
        raise errors.ParameterError(
            f"{source.name} has no parameters cell; add a code cell tagged parameters that starts "
            f"with `{parameter_cells.INJECTED}`"
        )
    return tagged[0]


def _hashes_of_stored(names: Iterable[str]) -> dict[str, str]:
    return {name: hash_if_exists(store.stored(name)) for name in names}
