"""Find what is wrong with a chapter: every finding is one line that also says the fix."""

import ast
import json
import re
import symtable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jupytext
import yaml
from jupytext.compare import NotebookDifference, compare_notebooks

from lexurn.base.errors import ParameterError
from lexurn.publish import cards
from lexurn.settings import flat_names, names, parameter_cells, resolver

MAX_CELL_LINES = 16
MAX_LINE_LENGTH = 120
MAX_PARAMETERS = 10

MAX_SHOWN_LINES = 12
MAX_SHOWN_LENGTH = 88
"""Limits of code that a page shows."""

HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
"""Tags of cells whose code a page does not show, or only after a click."""

MARKDOWN_IMAGE = re.compile(r"<img\b|!\[[^\]]*\]\(")

Checks = Iterator[tuple[bool, str]]
"""Whether something is wrong, and the finding in that case."""

# Mathematics, code and the text of a link, which is how a number is cited, may have decimals.
DECIMALS_ALLOWED = re.compile(
    r"```.*?```|\$\$.*?\$\$|`[^`]*`|\$[^$]*\$|\[[^\]]*\]\([^)]*\)", re.DOTALL
)


def find_lint(path: Path) -> list[str]:
    """Return all findings on a chapter, given by its source, and its notebook."""
    source = path.with_suffix(".py")
    chapter = jupytext.read(source)
    code = [cell for cell in chapter.cells if cell.cell_type == "code"]
    prose = "\n".join(cell.source for cell in chapter.cells if cell.cell_type == "markdown")
    checks = [
        *_check_notebook(source, chapter),
        *_check_prose(prose),
        *_check_code(source.read_text(), code),
        *_check_parameters([cell.source for cell in code if "parameters" in cards.tags(cell)]),
        *_check_repository(source, code[0].source if code else ""),
    ]
    findings = [finding for is_wrong, finding in checks if is_wrong]
    findings += find_typed_numbers(prose)
    return [*findings, *find_shown_code(chapter), *cards.find_lint(chapter)]


def parameter_line(name: str, *, help_text: str = "") -> str:
    """Return a parameter's line in the parameters cell, with the default of the settings.

    The help is `help_text`, or else the help of the settings, and names all choices.
    """
    schema = names.schema_of(name)
    default = schema["default"]
    text = help_text or schema["description"]
    if not all(choice in text for choice in schema.get("enum", [])):
        text += ": " + ", ".join(schema["enum"])
    value = json.dumps(default) if isinstance(default, str) else repr(default)
    return f"{name}: {type(default).__name__} = {value}  # {text}"


def _check_notebook(source: Path, chapter: Any) -> Checks:
    path = source.with_suffix(".ipynb")
    write = f"lexurn pair {source.stem}"
    yield (
        chapter.metadata.get("kernelspec", {}).get("name") != "python3",
        f"{source.name} has no kernelspec python3 in its header; "
        "copy the header of another chapter",
    )
    try:
        notebook = jupytext.read(path)
        yield (
            any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells),
            f"{path.name} has outputs or execution counts; {write}",
        )
        compare_notebooks(
            notebook,
            chapter,
            compare_ids=False,
            compare_outputs=False,
            raise_on_first_difference=False,
        )
    except NotebookDifference as difference:
        yield True, f"{path.name} differs from {source.name} ({difference}); {write}"
    except FileNotFoundError:
        yield True, f"{path.name} is missing; {write}"
    except ValueError:
        yield True, f"{path.name} cannot be read as a notebook; lexurn pair --discard {source.stem}"


def _check_prose(prose: str) -> Checks:
    without_code = re.sub(r"^```.*?^```", "", prose, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^(#+) (.*)", without_code, re.MULTILINE)
    levels = [len(marks) for marks, _ in headings]
    yield (
        levels[:1] != [1],
        "it does not begin with a title; begin its first cell with `# ` and a title",
    )
    yield (
        levels.count(1) > 1,
        f"it has {levels.count(1)} titles; begin all but the first with `## `",
    )
    for previous, (marks, heading) in zip(levels, headings[1:], strict=False):
        yield (
            len(marks) > previous + 1,
            f"`{marks} {heading}` skips a level; begin it with `{'#' * (previous + 1)} `",
        )
    for line in re.findall(r"^.*\S - \*\*.*", prose, re.MULTILINE):
        yield True, f"`{line}` has a second item; give each item of a list its own line"


def find_typed_numbers(prose: str) -> Iterator[str]:
    """Yield a finding for each line of prose with a decimal that is neither computed nor cited."""
    bare = DECIMALS_ALLOWED.sub(lambda match: "\n" * match[0].count("\n"), prose)
    for line, whole in zip(bare.split("\n"), prose.split("\n"), strict=True):
        if number := re.search(r"(?<![\w.])\d*\.\d+", line):
            yield (
                f"`{whole}` has the number {number[0]} typed in; compute it and show it by "
                "display(Markdown(...)), or make it the text of a link to its source"
            )


def _check_code(text: str, cells: list[Any]) -> Checks:
    for number, line in enumerate(text.split("\n"), 1):
        yield (
            len(line) > MAX_LINE_LENGTH and line not in cells[0].source.split("\n"),
            f"line {number} has {len(line)} characters, over {MAX_LINE_LENGTH}; break it",
        )
    for cell in cells:
        lines = cell.source.split("\n")
        yield (
            len(lines) > MAX_CELL_LINES and "parameters" not in cards.tags(cell),
            f"the cell `{lines[0]}` has {len(lines)} lines, over {MAX_CELL_LINES}; "
            "split it, or move a part into lexurn/",
        )
        yield (
            bool(re.search(r"^\s*class \w+.*:", cell.source, re.MULTILINE)),
            f"the cell `{lines[0]}` defines a class; move it into lexurn/",
        )
    others = [
        cell.source
        for cell in cells
        if "parameters" not in cards.tags(cell)
        and not cell.source.startswith(parameter_cells.INJECTED)
    ]
    for symbol in symtable.symtable("\n".join(others), "chapter", "exec").get_symbols():
        yield (
            symbol.get_name() in flat_names() and (symbol.is_assigned() or symbol.is_imported()),
            f"it binds {symbol.get_name()} outside its parameters cell, which would set this "
            "parameter when the chapter resolves its settings again; call the variable otherwise",
        )


def find_shown_code(chapter: Any) -> Iterator[str]:
    """Yield what breaks the chapter standard in a chapter's source."""
    for place, cell in cards.places(chapter):
        lines = cell.source.split("\n")
        if cell.cell_type == "markdown" and MARKDOWN_IMAGE.search(cell.source):
            yield f"{place}: a picture without a card; draw it by lexurn.figure(...)"
        if cell.cell_type != "code" or cards.tags(cell) & HIDDEN:
            continue
        if len(lines) > MAX_SHOWN_LINES and "parameters" not in cards.tags(cell):
            yield (
                f"{place}: shows {len(lines)} lines, over {MAX_SHOWN_LINES}; "
                "split the cell, or tag it hide-input"
            )
        for line in lines:
            if len(line) > MAX_SHOWN_LENGTH:
                yield (
                    f"{place}: `{line}` has {len(line)} columns, over {MAX_SHOWN_LENGTH}; break it"
                )


def _check_parameters(tagged: list[str]) -> Checks:
    if len(tagged) != 1:
        yield (
            True,
            f"{len(tagged) or 'no'} cells are tagged parameters; "
            'put `# %% tags=["parameters"]` above one cell',
        )
        return
    cell = tagged[0]
    lines = cell.split("\n")
    mark = parameter_cells.INJECTED
    yield (
        not cell.startswith(mark) or lines[0].strip() == mark,
        f"its parameters cell begins `{lines[0]}`; "
        f"begin it with a line such as `{mark} of this chapter.`",
    )
    try:
        tree = ast.parse(cell)
        values = parameter_cells.assignments(tree)
        resolver.check(parameter_cells.differing_from_defaults(values))
    except SyntaxError as error:
        yield (
            True,
            f"its parameters cell cannot be read: {error.msg}, line {error.lineno}; "
            f"write `{parameter_line('seed')}`",
        )
    except ParameterError as error:
        yield True, f"its parameters cell: {error}"
    else:
        yield (
            len(values) > MAX_PARAMETERS,
            f"its parameters cell has {len(values)} parameters, over {MAX_PARAMETERS}; keep "
            "those that a reader would change, and list the others after `# Also:`",
        )
        for name in {*parameter_cells.further_names(cell)} - flat_names().keys():
            yield True, f"its parameters cell lists {name} after `# Also:`, which is no parameter"
        for name, node in zip(values, tree.body, strict=False):
            line = lines[node.lineno - 1]
            # The help of a parameter with choices may have words of its own.
            own_help = line.partition("  # ")[2] if "enum" in names.schema_of(name) else ""
            yield (
                line not in (parameter_line(name), parameter_line(name, help_text=own_help)),
                f"`{line}` differs from lexurn/settings; write `{parameter_line(name)}`",
            )


def _check_repository(source: Path, first_cell: str) -> Checks:
    repository = yaml.safe_load((source.parent.parent / "_config.yml").read_text())["repository"]
    address = f'-b {repository["branch"]} {repository["url"]}")'
    yield (
        address not in first_cell or f"git clone {repository['url']}," not in first_cell,
        f"its first code cell must clone `{address[:-2]}`, as in _config.yml; "
        "copy that cell from another chapter",
    )
    entry = rf"^\s*- file: {source.stem}(\.\w+)?\s*(#.*)?$"
    yield (
        not re.search(entry, (source.parent / "_toc.yml").read_text(), re.MULTILINE),
        f"_toc.yml does not list it; add a line `- file: {source.stem}`",
    )
