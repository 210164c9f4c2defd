"""The book's chapters: their parameters, and what an execution of them depends on.

An executed chapter is `_build/executed/<name>.ipynb` with a record beside it, `<name>.json`: what it was made from and
with. It is executed again (see `lexurn.publish.execution`) only where that changed: its source, its parameters, a `lexurn`
module that it had loaded when it ended, or a run that it used.
"""

import ast
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexurn.base import files, paths, session
from lexurn.base.errors import ParameterError, suggestion
from lexurn.runs import store
from lexurn.settings import resolver

RECORD = "import sys; loaded = sorted(sys.modules); from lexurn.publish.dependencies import record; record({path!r}, loaded)"
"""The cell that is executed behind a chapter's own, and taken out again."""

RECORDED = {"failed", "source", "notebook", "given", "threads", "modules", "used"}
RECORDED |= {"device", "commit", "seconds", "finished", "claims"}
"""What a record holds."""


@dataclass(frozen=True)
class Chapter:
    """One chapter with the parameters that it is to be executed with."""

    name: str
    given: Mapping[str, Any]

    @property
    def source(self) -> Path:
        return paths.root() / "book" / f"{self.name}.py"

    @property
    def executed(self) -> Path:
        return paths.build_folder() / "executed" / f"{self.name}.ipynb"

    @property
    def past(self) -> dict[str, Any]:
        """The record of its last execution; empty where there is none."""
        try:
            past = json.loads(self.executed.with_suffix(".json").read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return past if set(past) == RECORDED and self.executed.exists() else {}

    @property
    def is_current(self) -> bool:
        """Whether its last execution succeeded and would come out the same now."""
        past = self.past
        return (
            past.get("failed") == ""
            and past["notebook"] == hashed(self.executed)
            and past["source"] == hashed(self.source)
            and past["given"] == dict(self.given)
            and all(hashed(_module(name)) == known for name, known in past["modules"].items())
            and all(hashed(store.stored(name)) == known for name, known in past["used"].items())
        )

    def expected(self, scale: str) -> float | None:
        """Seconds that it took the last time with these parameters, else those once measured at this scale.

        A scale is the name of a file in `params/`, or `defaults`; `tests/benchmarks/chapters.py` measures. None where
        neither is known.
        """
        past = self.past
        if past.get("failed") == "" and past["given"] == dict(self.given):
            return past["seconds"]
        try:
            return json.loads((paths.root() / "params" / "seconds.json").read_text())[scale][
                self.name
            ]
        except (FileNotFoundError, KeyError):
            return None


def chosen(names: tuple[str, ...], params: Path | None) -> list[Chapter]:
    """The chapters with these names (all of them without any), each with its part of a params file.

    Raises ParameterError for an unknown chapter, and for anything wrong in the file, before any work.
    """
    there = {path.stem: path for path in sorted((paths.root() / "book").glob("[0-9][0-9]_*.py"))}
    for name in names:
        if name not in there and not any(stem.partition("_")[2] == name for stem in there):
            hint = suggestion(name, there)
            raise ParameterError(f"no chapter {name}; {hint}there are {', '.join(there)}")
    wanted = [
        stem for stem in there if not names or stem in names or stem.partition("_")[2] in names
    ]
    found = []
    for stem in wanted:
        own, short = _own_parameters(there[stem]), stem.partition("_")[2]
        common, mine = resolver.read_parts(params, short) if params else ({}, {})
        values = common | mine
        resolver.check(values)
        if foreign := mine.keys() - own:
            raise ParameterError(
                f"{params}: {short}: {min(foreign)} is no parameter of {stem}, which has {', '.join(sorted(own))}"
            )
        found.append(Chapter(stem, {name: value for name, value in values.items() if name in own}))
    return found


def record(path: str, loaded: list[str]) -> None:
    """What the chapter that runs here depended on and was made with: its modules, what it used, what it claimed."""
    from lexurn.runs import provenance

    made = {
        "modules": [name for name in loaded if name.partition(".")[0] == "lexurn"],
        "used": {name: hashed(store.stored(name)) for name in sorted(session.current().used_files)},
        "claims": session.current().claims,
        "device": provenance.device(),
        "commit": provenance.short(provenance.commit(), provenance.is_changed()),
    }
    files.write(Path(path), json.dumps(made))


def module_hashes() -> dict[str, str]:
    """Of every module of the library as it is now. What a chapter loads later than this may be newer."""
    library = paths.LIBRARY
    modules = [path.relative_to(library.parent).with_suffix("") for path in library.rglob("*.py")]
    names = [".".join(module.parts).removesuffix(".__init__") for module in modules]
    return {name: hashed(_module(name)) for name in names}


def _own_parameters(source: Path) -> set[str]:
    """Names in a chapter's parameters cell, the one with that tag. Raises ParameterError where there is none."""
    import jupytext

    tagged = [
        cell
        for cell in jupytext.read(source).cells
        if "parameters" in cell.metadata.get("tags", [])
    ]
    if not tagged or not tagged[0].source.startswith(resolver.INJECTED):
        raise ParameterError(
            f"{source.name} has no parameters cell; add a code cell tagged parameters that starts with "
            f"`{resolver.INJECTED}`"
        )
    try:
        return set(resolver.assignments(ast.parse(tagged[0].source)))
    except SyntaxError as error:
        raise ParameterError(
            f"the parameters cell of {source.name} cannot be read: {error.msg}, line {error.lineno} of it"
        ) from None


def _module(name: str) -> Path:
    path = paths.LIBRARY.joinpath(*name.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def hashed(path: Path) -> str:
    """Of a file's content; empty where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.is_file() else ""
