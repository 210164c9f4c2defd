"""The book's chapters: their parameters, and what the execution of a chapter depends on.

An executed chapter is `_build/executed/<name>.ipynb` with a record beside it, `<name>.json`. The
record lists the chapter's source, its parameters, the `lexurn` modules that it had loaded at its
end, and the runs that it used. A chapter is executed again (see `lexurn.publish.execution`) only if
one of these changed.
"""

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexurn.base import files, paths, session
from lexurn.base.errors import ParameterError, suggestion
from lexurn.runs import store
from lexurn.settings import resolver

# The cell that is executed after a chapter's own cells, and then removed.
RECORD_CELL = (
    "import sys; loaded = sorted(sys.modules); "
    "from lexurn.publish.dependencies import write_record; write_record({path!r}, loaded)"
)

RECORD_KEYS = {
    *("failed", "source", "notebook", "parameters", "threads", "modules", "used"),
    *("device", "commit", "seconds", "finished", "claims"),
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
        record = self.record
        return self._has_succeeded(record) and all(
            hash_if_exists(path) == digest
            for path, digest in [
                (self.executed, record["notebook"]),
                (self.source, record["source"]),
                *((_module_path(name), digest) for name, digest in record["modules"].items()),
                *((store.stored(name), digest) for name, digest in record["used"].items()),
            ]
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
        try:
            measured = json.loads((paths.root() / "params" / "seconds.json").read_text())
        except FileNotFoundError:
            return None
        return measured.get(scale, {}).get(self.name)

    def _has_succeeded(self, record: Mapping[str, Any]) -> bool:
        return record.get("failed") == "" and record["parameters"] == dict(self.parameters)


def select_chapters(names: tuple[str, ...], params: Path | None) -> list[Chapter]:
    """Return the chapters with these names, or all chapters, with their part of a params file.

    Raises ParameterError for an unknown chapter and for anything wrong in the file.
    """
    sources = {path.stem: path for path in sorted((paths.root() / "book").glob("[0-9][0-9]_*.py"))}
    short_names = {stem: stem.partition("_")[2] for stem in sources}
    for name in names:
        if name not in sources and name not in short_names.values():
            hint = suggestion(name, sources)
            raise ParameterError(f"no chapter {name}; {hint}there are {', '.join(sources)}")
    chapters = []
    for stem, source in sources.items():
        short = short_names[stem]
        if names and not {stem, short} & set(names):
            continue
        own = _parameter_names(source)
        common, specific = resolver.read_parts(params, short) if params else ({}, {})
        values = common | specific
        resolver.check(values)
        if foreign := specific.keys() - own:
            raise ParameterError(
                f"{params}: {short}: {min(foreign)} is no parameter of {stem}, "
                f"which has {', '.join(sorted(own))}"
            )
        parameters = {name: value for name, value in values.items() if name in own}
        chapters.append(Chapter(stem, parameters))
    return chapters


def write_record(path: str, loaded: list[str]) -> None:
    """Write what the chapter in this process depends on: modules, used files, claims, machine."""
    from lexurn.runs import provenance

    record = {
        "modules": [name for name in loaded if name.partition(".")[0] == "lexurn"],
        "used": {
            name: hash_if_exists(store.stored(name))
            for name in sorted(session.current().used_files)
        },
        "claims": session.current().claims,
        "device": provenance.device(),
        "commit": provenance.describe_commit(provenance.commit(), provenance.is_changed()),
    }
    files.write(Path(path), json.dumps(record))


def module_hashes() -> dict[str, str]:
    """Return the hash of every module of the library, by the module's name."""
    library = paths.LIBRARY
    modules = [path.relative_to(library.parent).with_suffix("") for path in library.rglob("*.py")]
    names = [".".join(module.parts).removesuffix(".__init__") for module in modules]
    return {name: hash_if_exists(_module_path(name)) for name in names}


def hash_if_exists(path: Path) -> str:
    """Return 12 digits of the hash of a file's content; empty if there is no such file."""
    return files.hash_bytes(path.read_bytes(), 12) if path.is_file() else ""


def _parameter_names(source: Path) -> set[str]:
    """Return the names in a chapter's parameters cell; raise ParameterError if it is unusable."""
    import jupytext

    cells = jupytext.read(source).cells
    tagged = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    if not tagged or not tagged[0].startswith(resolver.INJECTED):
        raise ParameterError(
            f"{source.name} has no parameters cell; add a code cell tagged parameters that starts "
            f"with `{resolver.INJECTED}`"
        )
    try:
        return set(resolver.assignments(ast.parse(tagged[0])))
    except SyntaxError as error:
        raise ParameterError(
            f"the parameters cell of {source.name} cannot be read: "
            f"{error.msg}, line {error.lineno} of the cell"
        ) from None


def _module_path(name: str) -> Path:
    path = paths.LIBRARY.joinpath(*name.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
