"""Parameters cells of chapters, and the values that other cells of a notebook give to parameters.

Every variable with a parameter's name counts, in whichever cell it was set. So a chapter binds no
such name outside its parameters cell, and `resolve` says which values it took from elsewhere.
"""

import ast
import difflib
import re
import reprlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from lexurn.base.errors import ParameterError
from lexurn.settings.names import ABBREVIATIONS, RENAMED, schema_of
from lexurn.settings.registry import flat_names

INJECTED = "# Parameters"
"""First line of the cell that papermill injects; a chapter's own parameters cell starts with it."""


def assignments(tree: ast.Module) -> dict[str, Any]:
    """Return the plain `name = value` lines of a parameters cell.

    Raises ParameterError for anything else in it.
    """
    values = {}
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.expr() as value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
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


def further_names(cell: str) -> list[str]:
    """Return the names that a parameters cell does not show, but lists after `# Also:`.

    `# Also: every setting of a run` stands for all settings but those of a study.
    """
    text = re.sub("\n# *", " ", cell.partition("\n# Also:")[2]).partition("(")[0].strip(" .")
    if text == "every setting of a run":
        return [name for name, section in flat_names().items() if section != "study"]
    return re.split(r"\W+", text) if text else []


def differing_from_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that are not the defaults."""
    return {
        name: value
        for name, value in values.items()
        if name not in flat_names() or value != schema_of(name)["default"]
    }


def cells_that_ran() -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield the values of each parameters cell that has run, and whether papermill injected it.

    The last values are those that other cells have set. Raises ParameterError.
    """
    if "IPython" not in sys.modules or (shell := sys.modules["IPython"].get_ipython()) is None:
        main = vars(sys.modules["__main__"])  # the chapter runs as a plain script
        yield {name: main[name] for name in flat_names() if name in main}, False
        report_similar_names(main)
        return
    cells = [source for source in shell.user_ns["In"] if source.startswith(INJECTED)]
    if not cells:
        raise ParameterError(
            f"no parameters cell has run; run the chapter's cell that starts with `{INJECTED}`, "
            "with nothing above that line"
        )
    shown: dict[str, Any] = {}
    for source in cells:
        try:
            tree = ast.parse(source)
        except SyntaxError:
            continue  # it has not run either, and stays in the history after it was mended
        values = assignments(tree)
        shown |= values
        yield values, source.partition("\n")[0].strip() == INJECTED
    yield values_of_other_cells(shell.user_ns, shown), False
    report_similar_names(shell.user_ns)


def values_of_other_cells(variables: Mapping[str, Any], shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables with names of parameters that differ from what parameters cells show.

    A line says that each of them is taken. Raises ParameterError for what is no plain value.
    """
    values = {}
    for name in flat_names():
        if name not in variables or (text := repr(variables[name])) == repr(shown.get(name, ...)):
            continue
        undo = f"run `del {name}`"
        instead = ""
        if name in shown:
            undo = "run the parameters cell again"
            instead = f" instead of {shown[name]!r}, which the parameters cell says"
        try:
            values[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError):
            raise ParameterError(
                f"{name} is a parameter and must be a plain value, but a cell has set it to "
                f"{reprlib.repr(variables[name])}; call that variable otherwise, and {undo}"
            ) from None
        print(f"{name} = {text}, set in another cell, is taken{instead}. To undo it, {undo}.")
    return values


def report_similar_names(variables: Mapping[str, Any]) -> None:
    """Print a line for each plain value whose variable only nearly has a parameter's name."""
    for name, value in variables.items():
        if type(value) not in (bool, int, float, str) or name in flat_names():
            continue
        similar = difflib.get_close_matches(name.lower(), flat_names(), n=1, cutoff=0.85)
        if meant := (ABBREVIATIONS | RENAMED).get(name.lower(), *similar):
            print(f"{name} = {value!r} changes nothing; did you mean the parameter {meant}?")
