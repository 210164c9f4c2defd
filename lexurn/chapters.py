"""Chapters that are executed: their parameters, what they depend on, and one execution in a process of its own.

An executed chapter is `_build/executed/<name>.ipynb` with a record beside it, `<name>.json`: what it was made from and
with. It is executed again only where that changed: its source, its parameters, a `lexurn` module that it had loaded
when it ended, or a run that it used.
"""

import ast
import difflib
import hashlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lexurn
from lexurn import files, parameters, paths

RECORD = "from lexurn.chapters import record; record({path!r})"
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
            and self.executed.exists()
            and past["source"] == _hash(self.source)
            and past["given"] == dict(self.given)
            and all(_hash(_module(name)) == known for name, known in past["modules"].items())
            and all(_hash(_results(name)) == known for name, known in past["runs"].items())
        )


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


def execute(
    chapter: Chapter, *, say: Callable[[str], None], timeout: int, threads: int | None = None
) -> dict[str, Any]:
    """Execute a chapter, write it and its record, and return the record; `failed` says in a line what went wrong.

    A cell that takes more than `timeout` seconds fails the chapter. What a failing chapter had shown is kept.
    """
    import jupytext
    import nbformat

    folder = chapter.executed.parent
    with files.worded(folder):
        folder.mkdir(parents=True, exist_ok=True)
    began, work = time.monotonic(), folder / f".{chapter.name}.work.ipynb"
    made = folder / f".{chapter.name}.made.json"
    made.unlink(missing_ok=True), work.unlink(missing_ok=True)
    notebook = jupytext.read(chapter.source)
    n_cells = len(notebook.cells)
    notebook.cells.append(nbformat.v4.new_code_cell(RECORD.format(path=str(made))))
    given = dict(chapter.given) | ({"threads": threads} if threads else {})
    plan, values = folder / f".{chapter.name}.plan.ipynb", folder / f".{chapter.name}.yaml"
    files.write(plan, nbformat.writes(notebook))
    files.write(values, json.dumps(given))
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", "--log-output", "-k", "python3"]
    command += ["--execution-timeout", str(timeout), "--cwd", str(chapter.source.parent), "-f", str(values)]
    cell, last = 0, ""
    with subprocess.Popen([*command, str(plan), str(work)], stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if found := re.match(r"Executing Cell (\d+)-", line):
                cell = min(int(found.group(1)), n_cells)
                say(f"{chapter.name}: cell {cell} of {n_cells}")
            elif "timed out" in line:
                last = f"it took more than {timeout} s"
            elif re.search(r"\w", line) and "took more than" not in last:
                last = line.strip()
    failed = (
        "" if process.returncode == 0 and made.exists() else f"cell {cell} of {n_cells}: {last or 'papermill ended'}"
    )
    record = {
        "failed": failed,
        "source": _hash(chapter.source),
        "given": dict(chapter.given),
        "modules": {},
        "runs": {},
    }
    record |= json.loads(made.read_text()) if made.exists() else {}
    record |= {"seconds": round(time.monotonic() - began, 1), "finished": time.strftime("%Y-%m-%d %H:%M:%S")}
    result = nbformat.read(work, as_version=4) if work.exists() else jupytext.read(chapter.source)
    result.cells = [cell for cell in result.cells if not cell.source.startswith(RECORD.partition(";")[0])]
    result.cells = [cell for cell in result.cells if "papermill-error-cell-tag" not in cell.metadata.get("tags", [])]
    if failed:
        text = f"```{{error}}\n**This chapter failed.** {failed}\n\nBelow is what it had shown until then.\n```"
        result.cells.insert(1, nbformat.v4.new_markdown_cell(text))
    files.write(chapter.executed, nbformat.writes(result))
    files.write(chapter.executed.with_suffix(".json"), json.dumps(record, indent=2))
    for path in (plan, values, work, made):
        path.unlink(missing_ok=True)
    return record


def record(path: str) -> None:
    """What the chapter that runs here depended on, for the next build: modules of lexurn, runs, device and commit."""
    modules = sorted(name for name in sys.modules if name == "lexurn" or name.startswith("lexurn."))
    from lexurn import provenance

    runs = sys.modules.get("lexurn.runs")  # not loaded by a chapter that asked for none
    names = sorted(runs.used) if runs else []
    made = {
        "modules": {name: _hash(_module(name)) for name in modules},
        "runs": {name: _hash(_results(name)) for name in names},
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


def _hash(path: Path) -> str:
    """Of a file's content; empty where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.is_file() else ""
