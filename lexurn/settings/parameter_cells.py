"""Parameters cells of chapters: what their lines say, and which of them have run in a notebook."""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from lexurn.base.errors import ParameterError
from lexurn.settings.names import schema_of
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
