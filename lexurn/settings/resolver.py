"""From what a person typed to checked settings: strictly, in about a second, without torch.

A chapter's values come from its cells that start with `# Parameters`: its own (the defaults, perhaps edited) and the
one that papermill injects behind it. Both are read as text from IPython's history, because papermill only warns about
unknown names and because scanning globals breaks when a cell is run again. A later cell wins, as in Python.

    settings = parameters.resolve("train")                        # in a chapter
    settings = parameters.check({"lex": True, "n_steps": 200})    # in a script
"""

import ast
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import TypeAdapter, ValidationError

from lexurn.base import paths
from lexurn.base.errors import ParameterError, suggestion
from lexurn.settings import CHOICES, FLAT, Settings, owners
from lexurn.settings.messages import explain, names, refusal, schema_of

INJECTED = "# Parameters"
"""First line of the cell that papermill injects; a chapter's own parameters cell starts with it and goes on."""


resolved: "Resolved | None" = None
"""What this process has resolved last: the settings that the chapter which runs here runs with."""


@dataclass(frozen=True)
class Resolved:
    """The chapter that is running, by its file's name without ending, its settings, and the names not for choice."""

    chapter: str
    settings: Settings
    fixed: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """What executes the chapter with these settings again."""
        changed = self.settings.changed(study=True)
        return _papermill(
            self.chapter, {name: value for name, value in changed.items() if name not in self.fixed}
        )


def resolve(chapter: str, *, fixed: Mapping[str, Any] | None = None) -> Settings:
    """The settings of the running chapter, e.g. `resolve("train")` in `02_train`; what is `fixed` is not for choice.

    A params file may hold one mapping per chapter beside common scalars. Papermill hands over both without telling
    which came from the command line, so a scalar wins over the chapter's mapping, and a line says so. Raises
    ParameterError.
    """
    given: dict[str, Any] = {}
    chapters = chapter_names() | {chapter}
    for values, is_injected in _cells():
        mappings = {name: values.pop(name) for name in list(values) if name in chapters}
        for name, mapping in mappings.items():
            _refuse_unless_mapping(name, mapping)
            _refuse_unknown(mapping, f"{name}: ")
        _refuse_unknown(values, also=chapters)
        mine = mappings.get(chapter, {})
        for name in mine.keys() & values.keys():
            print(
                f"{name}: {values[name]!r}, given directly, wins over {mine[name]!r}, given for {chapter}"
            )
        given |= mine | values
        if not is_injected:
            given = {
                name: value for name, value in given.items() if name not in values
            } | asked_for(given)
    fixed = fixed or {}
    for name in CHOICES.keys() & fixed.keys() & given.keys():
        if given[name] != fixed[name]:
            raise ParameterError(
                f"{name} is {fixed[name]} in this chapter, got {given[name]!r}; leave {name} out"
            )
    settings = check(given | fixed)
    global resolved
    resolved = Resolved(_file_of(chapter), settings, tuple(fixed))
    return settings


def check(values: Mapping[str, Any]) -> Settings:
    """Settings from flat names and values; raises ParameterError naming the first thing wrong and its remedy."""
    _refuse_unknown(values)
    try:
        return Settings.from_flat(values)
    except ValidationError as error:
        raise ParameterError(explain(error, values)) from None
    except ValueError as error:  # names that do not go together
        raise ParameterError(str(error)) from None


def check_each(values: Mapping[str, Any]) -> dict[str, Any]:
    """Flat values, each checked for itself, as they stand in `Settings.flat`: what a filter needs.

    Raises ParameterError, but for nothing that lies between two of them.
    """
    _refuse_unknown(values)
    checked = {}
    for name, value in values.items():
        if name in CHOICES:
            kind = TypeAdapter(Literal[names(name)])
        else:
            field = owners(name)[0].model_fields[name]
            kind = TypeAdapter(Annotated[field.annotation, field])
        try:
            checked[name] = kind.dump_python(kind.validate_python(value), mode="json")
        except ValidationError:
            raise ParameterError(refusal(name, value)) from None
    return checked


def read(path: str | Path, chapter: str) -> dict[str, Any]:
    """The flat values that a params file holds for one chapter. Raises ParameterError, also for files that are no YAML.

    A name may stand at the top level or in chapters' mappings, not in both: papermill hands over both without telling
    which was typed last.
    """
    common, own = read_parts(path, chapter)
    return common | own


def read_parts(path: str | Path, chapter: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a params file holds for all chapters, and what for one; see `read`."""
    try:
        content = yaml.safe_load(Path(path).read_text()) or {}
    except yaml.YAMLError as error:
        raise ParameterError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ParameterError(
            f"{path} must hold `name: value` lines, got a {type(content).__name__}"
        )
    chapters = chapter_names() | {chapter}
    mappings = {name: content.pop(name) for name in list(content) if name in chapters}
    _refuse_unknown(content, f"{path}: ", also=chapters)
    for name, mapping in mappings.items():
        _refuse_unless_mapping(name, mapping)
        _refuse_unknown(mapping, f"{path}: {name}: ")
        if twice := content.keys() & mapping.keys():
            raise ParameterError(
                f"{path}: {min(twice)} stands at the top level and under {name}; keep one of the two"
            )
    return content, mappings.get(chapter, {})


def chapter_names() -> set[str]:
    """Names of the book's chapters, without their numbers; empty outside a repository."""
    try:
        return {
            path.stem.partition("_")[2] for path in (paths.root() / "book").glob("[0-9][0-9]_*.py")
        }
    except FileNotFoundError:
        return set()


def papermill_line(settings: Settings) -> str:
    """The command that makes this run again."""
    return _papermill("02_train", settings.changed())


def _papermill(chapter: str, given: Mapping[str, Any]) -> str:
    words = " ".join(f"-p {name} {shlex.quote(str(value))}" for name, value in given.items())
    return f"papermill book/{chapter}.ipynb out.ipynb {words}".rstrip()


def _file_of(chapter: str) -> str:
    """`02_train` for `train`; the name itself where no file has it."""
    try:
        return next((paths.root() / "book").glob(f"[0-9][0-9]_{chapter}.py")).stem
    except (FileNotFoundError, StopIteration):
        return chapter


def _cells() -> Iterable[tuple[dict[str, Any], bool]]:
    """Assignments of each parameters cell that has run, in order, and whether papermill injected it."""
    if "IPython" not in sys.modules or (shell := sys.modules["IPython"].get_ipython()) is None:
        main = vars(sys.modules["__main__"])  # the chapter runs as a plain script
        yield {name: main[name] for name in FLAT if name in main}, False
        return
    marked = [source for source in shell.user_ns["In"] if source.startswith(INJECTED)]
    if not marked:
        raise ParameterError(
            f"no parameters cell has run; run the chapter's cell that starts with `{INJECTED}`, nothing above that line"
        )
    for source in marked:
        try:
            tree = ast.parse(source)
        except SyntaxError:
            continue  # it has not run either, and stays in the history after it was mended
        yield assignments(tree), source.partition("\n")[0].strip() == INJECTED


def assignments(tree: ast.Module) -> dict[str, Any]:
    """The plain `name = value` lines of a parameters cell; whatever else stands there is refused."""
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
                    f"a parameters cell holds `name = value` lines, got `{ast.unparse(node)}`; put it into another cell"
                )
    return values


def _refuse_unknown(values: Mapping[str, Any], where: str = "", also: Iterable[str] = ()) -> None:
    for name in values:
        if name not in FLAT:
            known = sorted([*FLAT, *also])
            raise ParameterError(
                f"{where}{name} is no parameter of any chapter; {suggestion(name, known)}known: {', '.join(known)}"
            )


def _refuse_unless_mapping(name: str, mapping: Any) -> None:
    if not isinstance(mapping, Mapping):
        raise ParameterError(
            f"{name} is a chapter and must hold `name: value` lines, got {mapping!r}"
        )


def asked_for(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are not the defaults: one that stands in a chapter's own cell is not something that was asked
    for."""
    return {
        name: value
        for name, value in values.items()
        if name not in FLAT or value != schema_of(name)["default"]
    }
