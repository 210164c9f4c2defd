"""Make an executed notebook quiet for its page: no progress lines, one line for parameters.

The executed notebook itself stays as papermill has written it; only the site's copy is changed.
"""

import ast
from typing import Any

from lexurn.base import files
from lexurn.settings import resolver

INJECTED_TAG = "injected-parameters"
"""The tag that papermill gives the cell with the parameters that it was called with."""


def quieten(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook for its page, without progress lines and the cell that papermill injects.

    In place of the injected cell, one line says which parameters differ from the defaults. A
    progress line is an output whose metadata have `files.PROGRESS`.
    """
    cells = []
    for cell in notebook["cells"]:
        if INJECTED_TAG in cell["metadata"].get("tags", []):
            if text := _differences("".join(cell["source"])):
                cells.append(
                    {
                        "cell_type": "markdown",
                        "id": cell.get("id", "injected-parameters"),
                        "metadata": {},
                        "source": text,
                    }
                )
            continue
        if "outputs" in cell:
            shown = [
                output
                for output in cell["outputs"]
                if output.get("metadata", {}).get("lexurn") != files.PROGRESS["lexurn"]
            ]
            cell = cell | {"outputs": shown}
        cells.append(cell)
    return notebook | {"cells": cells}


def _differences(injected: str) -> str:
    """Return one line that names the parameters of an injected cell that are not the defaults."""
    values = resolver.assignments(ast.parse(injected))
    texts = []
    for name, value in resolver.differing_from_defaults(values).items():
        default = resolver.schema_of(name)["default"]
        given = repr(value).replace("`", "'")
        texts.append(f"`{name} = {given}` (default `{default!r}`)")
    return f"This page was executed with {', '.join(texts)}." if texts else ""
