"""The book's chapters: their parameters, and what an execution of them depends on.

An executed chapter is `_build/executed/<name>.ipynb` with a record beside it, `<name>.json`: what it was made from and
with. It is executed again (see `lexurn.execution`) only where that changed: its source, its parameters, a `lexurn`
module that it had loaded when it ended, or a run that it used.
"""

import ast
import difflib
import hashlib
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lexurn
from lexurn import files, parameters, paths

RECORD = "import sys; loaded = sorted(sys.modules); from lexurn.chapters import record; record({path!r}, loaded)"
"""The cell that is executed behind a chapter's own, and taken out again."""


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
        return paths.build() / "executed" / f"{self.name}.ipynb"

    @property
    def past(self) -> dict[str, Any]:
        """The record of its last execution; empty where there is none."""
        try:
            return json.loads(self.executed.with_suffix(".json").read_text())
        except (FileNotFoundError, ValueError):
            return {}

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
            and all(hashed(_results(name)) == known for name, known in past["runs"].items())
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
            return json.loads((paths.root() / "params" / "seconds.json").read_text())[scale][self.name]
        except (FileNotFoundError, KeyError):
            return None


def chosen(names: tuple[str, ...], params: Path | None) -> list[Chapter]:
    """The chapters with these names (all of them without any), each with its part of a params file.

    Raises ParameterError for an unknown chapter, and for anything wrong in the file, before any work.
    """
    there = {path.stem: path for path in sorted((paths.root() / "book").glob("[0-9][0-9]_*.py"))}
    for name in names:
        if name not in there and not any(stem.partition("_")[2] == name for stem in there):
            near = difflib.get_close_matches(name, there, n=1, cutoff=0.3)
            hint = f"did you mean {near[0]}? " if near else ""
            raise parameters.ParameterError(f"no chapter {name}; {hint}there are {', '.join(there)}")
    wanted = [stem for stem in there if not names or stem in names or stem.partition("_")[2] in names]
    found = []
    for stem in wanted:
        values = parameters.read(params, stem.partition("_")[2]) if params else {}
        parameters.check(values)
        own = _own_parameters(there[stem])
        found.append(Chapter(stem, {name: value for name, value in values.items() if name in own}))
    return found


def record(path: str, loaded: list[str]) -> None:
    """What the chapter that runs here depended on, for the next build: modules of lexurn, runs, device and commit."""
    from lexurn import provenance

    runs = sys.modules.get("lexurn.runs")  # not loaded by a chapter that asked for none
    names = sorted(runs.used) if runs else []
    made = {
        "modules": {name: hashed(_module(name)) for name in loaded if name.partition(".")[0] == "lexurn"},
        "runs": {name: hashed(_results(name)) for name in names},
        "commit": provenance.commit(),
        "device": sorted({runs.load(name).provenance["device"] for name in names}) or ["cpu"],
    }
    files.write(Path(path), json.dumps(made))


def _own_parameters(source: Path) -> set[str]:
    """Names in a chapter's parameters cell."""
    cells = re.split(r"^# %%.*$", source.read_text(), flags=re.MULTILINE)
    own = next((cell for cell in cells if cell.strip().startswith(parameters.INJECTED)), None)
    if own is None:
        raise parameters.ParameterError(
            f"{source.name} has no parameters cell; add a code cell tagged parameters that starts with "
            f"`{parameters.INJECTED}`"
        )
    return {node.target.id for node in ast.parse(own).body if isinstance(node, ast.AnnAssign)}


def _module(name: str) -> Path:
    path = Path(lexurn.__file__).parent.joinpath(*name.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _results(run: str) -> Path:
    return next((root / run / "results.json" for root in paths.roots() if (root / run).is_dir()), Path(run))


def hashed(path: Path) -> str:
    """Of a file's content; empty where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.is_file() else ""
