"""From what a person typed to checked settings: strictly, in about a second, without torch.

A chapter's values come from its cells that start with `# Parameters`: its own cell (the defaults,
perhaps edited) and the one that papermill injects behind it. Both are read as text from IPython's
history, because papermill only warns about unknown names. Where a variable of the notebook differs
from them, another cell has set it; its value is taken too, and a line says so. A later cell wins,
as in Python. The own cell shows ten names at most; every other flat name of `lexurn parameters` is
taken all the same.

    settings = parameters.resolve("train")                        # in a chapter
    settings = parameters.check({"lex": True, "n_steps": 200})    # in a script
"""

import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import TypeAdapter, ValidationError

from lexurn.base import paths, session, terminal
from lexurn.base.errors import ParameterError
from lexurn.base.yaml_files import place, read_yaml
from lexurn.settings import parameter_cells
from lexurn.settings.names import check_names, error_message, explain
from lexurn.settings.registry import CHOICES, entries, owners
from lexurn.settings.run_settings import Settings


@dataclass(frozen=True)
class RunningChapter:
    """The chapter that runs, by its file's name without ending, its settings, and fixed names.

    `started` is the time at which its settings were resolved.
    """

    name: str
    settings: Settings
    fixed: tuple[str, ...] = ()
    started: float = field(default_factory=time.time)

    @property
    def command(self) -> str:
        """The command that executes the chapter with these settings again."""
        changed = self.settings.changed(study=True)
        given = {name: value for name, value in changed.items() if name not in self.fixed}
        return papermill_command(self.name, given)


def resolve(chapter: str, *, fixed: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings of the running chapter, e.g. `resolve("train")` in `02_train`.

    What is `fixed` cannot be chosen. A params file may hold one mapping per chapter beside common
    scalars. Papermill does not tell which of them came from the command line, so a scalar wins over
    the chapter's mapping, and a line says so. Raises ParameterError.
    """
    given: dict[str, Any] = {}
    shown: set[str] = set()
    for values, is_injected in parameter_cells.cells_that_ran():
        common, mappings = _split(values, chapter)
        own = mappings.get(chapter, {})
        for name in own.keys() & common.keys():
            print(
                f"{name}: {common[name]!r}, given directly, wins over {own[name]!r}, given for "
                f"{chapter}"
            )
        given |= own | common
        if is_injected and (others := [name for name in values if name not in shown]):
            # There, papermill has just warned that it does not know these names.
            terminal.print_where_papermill_runs(f"accepted: {', '.join(others)}")
        shown |= values.keys()
        if not is_injected:  # a default that stands in the chapter's own cell was not asked for
            before = {name: value for name, value in given.items() if name not in common}
            given = before | parameter_cells.differing_from_defaults(given)
    fixed = fixed or {}
    for name in CHOICES.keys() & fixed.keys() & given.keys():
        if given[name] != fixed[name]:
            raise ParameterError(
                f"{name} is {fixed[name]} in this chapter, got {given[name]!r}; leave {name} out"
            )
    settings = check(given | fixed)
    session.current().chapter = RunningChapter(
        _chapters().get(chapter, chapter), settings, tuple(fixed)
    )
    return settings


def check(values: Mapping[str, Any]) -> Settings:
    """Return settings from flat names and values.

    Raises ParameterError, which names the first thing that is wrong and its remedy.
    """
    values = check_names(values)
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
    for name, value in check_names(values).items():
        if name in CHOICES:
            adapter = TypeAdapter(Literal[*entries(name)])
        else:
            field = owners(name)[0].model_fields[name]
            adapter = TypeAdapter(Annotated[field.annotation, "a setting", *field.metadata])
        try:
            checked[name] = adapter.dump_python(adapter.validate_python(value), mode="json")
        except ValidationError:
            raise ParameterError(error_message(name, value)) from None
    return checked


def read(path: str | Path, chapter: str) -> dict[str, Any]:
    """Return the flat values that a params file holds for one chapter; see `read_parts`."""
    common, own = read_parts(path, chapter)
    return common | own


def read_parts(path: str | Path, chapter: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the flat values that a params file holds for all chapters, and for one chapter.

    A name may stand at the top level or in the chapter's mapping, not in both: papermill hands over
    both without telling which was typed last. Raises ParameterError, also for files that are not
    YAML.
    """
    content = read_yaml(Path(path)) or {}
    if not isinstance(content, dict):
        raise ParameterError(
            f"{path} must hold `name: value` lines, got a {type(content).__name__}"
        )
    try:
        common, mappings = _split(content, chapter)
        for name, mapping in mappings.items():
            if twice := common.keys() & mapping.keys():
                raise ParameterError(
                    f"{min(twice)} stands at the top level and under {name}; keep one of the two"
                )
    except ParameterError as error:  # begins with a name, or with a chapter and a name
        names = str(error).replace(":", "").split()[:2]
        raise ParameterError(f"{place(Path(path), *names)}: {error}") from None
    return common, mappings.get(chapter, {})


def papermill_command(chapter: str, given: Mapping[str, Any]) -> str:
    """Return the command that executes a chapter, by its file's name, with the given values."""
    words = " ".join(f"-p {name} {shlex.quote(str(value))}" for name, value in given.items())
    return f"papermill book/{chapter}.ipynb out.ipynb {words}".rstrip()


def _chapters() -> dict[str, str]:
    """Return `{"train": "02_train", ...}`: the chapters of the book; none outside a repository."""
    try:
        sources = (paths.root() / "book").glob("[0-9][0-9]_*.py")
        return {path.stem.partition("_")[2]: path.stem for path in sources}
    except FileNotFoundError:
        return {}


def _split(
    values: Mapping[str, Any], chapter: str
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the values for all chapters, and each chapter's own mapping, with checked names."""
    chapters = {chapter, *_chapters()}
    mappings = {name: value for name, value in values.items() if name in chapters}
    for name, mapping in mappings.items():
        if not isinstance(mapping, Mapping):
            raise ParameterError(
                f"{name} is a chapter and must hold `name: value` lines, got {mapping!r}"
            )
        mappings[name] = check_names(mapping, f"{name}: ")
    common = {name: value for name, value in values.items() if name not in chapters}
    return check_names(common, also=chapters), mappings
