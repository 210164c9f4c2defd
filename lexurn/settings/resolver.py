"""From what a person typed to checked settings: strictly, in about a second, without torch.

A chapter's values come from its cells that start with `# Parameters`: its own cell (the defaults,
perhaps edited) and the one that papermill injects behind it. Both are read as text from IPython's
history, because papermill only warns about unknown names and because scanning globals breaks when a
cell is run again. A later cell wins, as in Python.

    settings = parameters.resolve("train")                        # in a chapter
    settings = parameters.check({"lex": True, "n_steps": 200})    # in a script
"""

import ast
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from lexurn.base import paths, session
from lexurn.base.errors import ParameterError, suggestion
from lexurn.base.yaml_files import read_yaml
from lexurn.settings.messages import error_message, explain, schema_of, suggest_parameter
from lexurn.settings.registry import CHOICES, entries, flat_names, owners
from lexurn.settings.renamed import RENAMED
from lexurn.settings.run_settings import Settings

__all__ = [
    "INJECTED",
    "ParameterError",
    "RunningChapter",
    "assignments",
    "chapter_names",
    "check",
    "check_each",
    "differing_from_defaults",
    "papermill_command",
    "read",
    "read_parts",
    "resolve",
    "schema_of",
    "suggestion",
]

INJECTED = "# Parameters"
"""First line of the cell that papermill injects; a chapter's own parameters cell starts with it."""


@dataclass(frozen=True)
class RunningChapter:
    """The chapter that runs, by its file's name without ending, its settings, and fixed names."""

    name: str
    settings: Settings
    fixed: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The command that executes the chapter with these settings again."""
        changed = self.settings.changed(study=True)
        return _papermill(self.name, {k: v for k, v in changed.items() if k not in self.fixed})


def resolve(chapter: str, *, fixed: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings of the running chapter, e.g. `resolve("train")` in `02_train`.

    What is `fixed` cannot be chosen. A params file may hold one mapping per chapter beside common
    scalars. Papermill does not tell which of them came from the command line, so a scalar wins over
    the chapter's mapping, and a line says so. Raises ParameterError.
    """
    given: dict[str, Any] = {}
    chapters = chapter_names() | {chapter}
    for values, is_injected in _parameter_cells():
        own = _split_off_mappings(values, chapters, "").get(chapter, {})
        for name in own.keys() & values.keys():
            print(
                f"{name}: {values[name]!r}, given directly, wins over {own[name]!r}, given for "
                f"{chapter}"
            )
        given |= own | values
        if not is_injected:  # a default that stands in the chapter's own cell was not asked for
            before = {name: value for name, value in given.items() if name not in values}
            given = before | differing_from_defaults(given)
    fixed = fixed or {}
    for name in CHOICES.keys() & fixed.keys() & given.keys():
        if given[name] != fixed[name]:
            raise ParameterError(
                f"{name} is {fixed[name]} in this chapter, got {given[name]!r}; leave {name} out"
            )
    settings = check(given | fixed)
    session.current().chapter = RunningChapter(_file_name(chapter), settings, tuple(fixed))
    return settings


def check(values: Mapping[str, Any]) -> Settings:
    """Return settings from flat names and values.

    Raises ParameterError, which names the first thing that is wrong and its remedy.
    """
    values = _known(values)
    for section in CHOICES.keys() & values.keys():
        _require_registered(section, values[section])
    try:
        return Settings.from_flat(values)
    except ValidationError as error:
        raise ParameterError(explain(error, values)) from None
    except ValueError as error:  # names that do not go together
        raise ParameterError(str(error)) from None


def check_each(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return flat values, each checked on its own, in the form of `Settings.flat`, for a filter.

    Raises ParameterError, but not for values that do not go together.
    """
    checked = {}
    for name, value in _known(values).items():
        if name in CHOICES:
            _require_registered(name, value)
            checked[name] = value
            continue
        field = owners(name)[0].model_fields[name]
        adapter = TypeAdapter(Annotated[field.annotation, "a setting", *field.metadata])
        try:
            checked[name] = adapter.dump_python(adapter.validate_python(value), mode="json")
        except ValidationError:
            raise ParameterError(error_message(name, value)) from None
    return checked


def read(path: str | Path, chapter: str) -> dict[str, Any]:
    """Return the flat values that a params file holds for one chapter.

    A name may stand at the top level or in the chapter's mapping, not in both: papermill hands over
    both without telling which was typed last. Raises ParameterError, also for files that are not
    YAML.
    """
    common, own = read_parts(path, chapter)
    return common | own


def read_parts(path: str | Path, chapter: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a params file holds for all chapters, and what for one; see `read`."""
    content = read_yaml(Path(path)) or {}
    if not isinstance(content, dict):
        kind = type(content).__name__
        raise ParameterError(f"{path} must hold `name: value` lines, got a {kind}")
    mappings = _split_off_mappings(content, chapter_names() | {chapter}, f"{path}: ")
    for name, mapping in mappings.items():
        if twice := content.keys() & mapping.keys():
            raise ParameterError(
                f"{path}: {min(twice)} stands at the top level and under {name}; keep one of the "
                "two"
            )
    return content, mappings.get(chapter, {})


def chapter_names() -> set[str]:
    """Return the names of the book's chapters, without their numbers; none outside a repository."""
    try:
        sources = (paths.root() / "book").glob("[0-9][0-9]_*.py")
        return {path.stem.partition("_")[2] for path in sources}
    except FileNotFoundError:
        return set()


def papermill_command(settings: Settings) -> str:
    """Return the command that makes this run again."""
    return _papermill("02_train", settings.changed())


def assignments(tree: ast.Module) -> dict[str, Any]:
    """Return the plain `name = value` lines of a parameters cell.

    Raises ParameterError for anything else in it.
    """
    values = {}
    for node in tree.body:
        match node:
            case ast.AnnAssign(value=None):
                raise ParameterError(
                    f"`{ast.unparse(node)}` has no value; write `name: type = value`"
                )
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=value)
            ):
                try:
                    values[name] = ast.literal_eval(value)
                except ValueError:
                    raise ParameterError(
                        f"{name} must be a plain value, got {ast.unparse(value)}"
                    ) from None
            case _:
                raise ParameterError(
                    "a parameters cell holds `name = value` lines, got "
                    f"`{ast.unparse(node)}`; put it into another cell"
                )
    return values


def differing_from_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that are not the defaults."""
    known = flat_names()
    return {k: v for k, v in values.items() if k not in known or v != schema_of(k)["default"]}


def _require_registered(section: str, name: Any) -> None:
    if not isinstance(name, str) or name not in entries(section):
        raise ParameterError(error_message(section, name))


def _papermill(chapter: str, given: Mapping[str, Any]) -> str:
    words = " ".join(f"-p {name} {shlex.quote(str(value))}" for name, value in given.items())
    return f"papermill book/{chapter}.ipynb out.ipynb {words}".rstrip()


def _file_name(chapter: str) -> str:
    """Return `02_train` for `train`; the name itself where no file has it."""
    try:
        return next((paths.root() / "book").glob(f"[0-9][0-9]_{chapter}.py")).stem
    except (FileNotFoundError, StopIteration):
        return chapter


def _parameter_cells() -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield the values of each parameters cell that has run, and whether papermill injected it."""
    if "IPython" not in sys.modules or (shell := sys.modules["IPython"].get_ipython()) is None:
        main = vars(sys.modules["__main__"])  # the chapter runs as a plain script
        yield {name: main[name] for name in flat_names() if name in main}, False
        return
    cells = [source for source in shell.user_ns["In"] if source.startswith(INJECTED)]
    if not cells:
        raise ParameterError(
            f"no parameters cell has run; run the chapter's cell that starts with `{INJECTED}`, "
            "with nothing above that line"
        )
    for source in cells:
        try:
            tree = ast.parse(source)
        except SyntaxError:
            continue  # it has not run either, and stays in the history after it was mended
        yield assignments(tree), source.partition("\n")[0].strip() == INJECTED


def _split_off_mappings(
    values: dict[str, Any], chapters: set[str], where: str
) -> dict[str, dict[str, Any]]:
    """Take the mappings of single chapters out of `values`, and check the names of both."""
    mappings = {}
    for name in [name for name in values if name in chapters]:
        mapping = values.pop(name)
        if not isinstance(mapping, Mapping):
            raise ParameterError(
                f"{name} is a chapter and must hold `name: value` lines, got {mapping!r}"
            )
        mappings[name] = _known(mapping, f"{where}{name}: ")
    known = _known(values, where, also=chapters)
    values.clear()
    values |= known
    return mappings


def _known(values: Mapping[str, Any], where: str = "", also: Iterable[str] = ()) -> dict[str, Any]:
    """Return the values under the names of today. Raises ParameterError for an unknown name."""
    known = {}
    for name, value in values.items():
        if name in RENAMED:
            new = RENAMED[name]
            if new in values:
                raise ParameterError(f"{where}{name} is now called {new}; keep one of the two")
            print(f"{where}{name} is now called {new}", file=sys.stderr)
            name = new
        if name not in flat_names():
            names = sorted([*flat_names(), *also])
            raise ParameterError(
                f"{where}{name} is no parameter of any chapter; {suggest_parameter(name, names)}"
                f"known: {', '.join(names)}"
            )
        known[name] = value
    return known
