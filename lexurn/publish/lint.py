"""What is wrong with a chapter: each fault in a line that says how to mend it."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from lexurn.base.errors import ParameterError
from lexurn.settings import resolver

MOST_LINES, MOST_CHARACTERS = 16, 120


def faults(path: Path) -> list[str]:
    """Everything wrong with a chapter, given by its source, and with its notebook; empty where all is well."""
    import jupytext

    source = path.with_suffix(".py")
    chapter = jupytext.read(source)
    code = [cell for cell in chapter.cells if cell.cell_type == "code"]
    prose = "\n".join(cell.source for cell in chapter.cells if cell.cell_type == "markdown")
    found = [
        _in_the_pair(source, chapter),
        _in_prose(prose),
        _in_code(source, code),
        _in_parameters(code),
    ]
    return [fault for each in [*found, _in_the_book(source, code)] for fault in each]


def line_of(name: str) -> str:
    """A parameter's line in the parameters cell of a chapter, with the default and the help of the settings."""
    schema = resolver.schema_of(name)
    default, text = schema["default"], schema["description"]
    if not all(choice in text for choice in schema.get("enum", [])):
        text += ": " + ", ".join(schema["enum"])
    shown = json.dumps(default) if isinstance(default, str) else repr(default)
    return f"{name}: {type(default).__name__} = {shown}  # {text}"


def _in_the_pair(source: Path, chapter: Any) -> Iterator[str]:
    import jupytext
    from jupytext.compare import NotebookDifference, compare_notebooks

    path, mend = source.with_suffix(".ipynb"), f"jupytext --to ipynb --update book/{source.name}"
    if chapter.metadata.get("kernelspec", {}).get("name") != "python3":
        yield f"{source.name} has no kernelspec python3 in its header; copy the header of another chapter"
    if not path.exists():
        yield f"{path.name} is missing; {mend}"
        return
    try:
        notebook = jupytext.read(path)
        compare_notebooks(
            notebook,
            chapter,
            compare_ids=False,
            compare_outputs=False,
            raise_on_first_difference=False,
        )
    except NotebookDifference as difference:
        yield f"{path.name} is not what {source.name} is ({difference}); {mend}"
    except ValueError:
        yield f"{path.name} cannot be read as a notebook; {mend.replace('--update ', '')}"
        return
    if any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells):
        yield f"{path.name} has outputs or execution counts; {mend.replace('--update ', '')}"


def _in_prose(prose: str) -> Iterator[str]:
    headings = re.findall(
        r"^#+ .*", re.sub(r"^```.*?^```", "", prose, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    levels = [len(heading.partition(" ")[0]) for heading in headings]
    if levels[:1] != [1]:
        yield "it does not begin with a title; begin its first cell with `# ` and one"
    if levels.count(1) > 1:
        yield f"it has {levels.count(1)} titles; begin all but the first with `## `"
    for heading, level, before in zip(headings[1:], levels[1:], levels, strict=False):
        if level > before + 1:
            yield f"`{heading}` skips a level; begin it with `{'#' * (before + 1)} `"
    for line in re.findall(r"^.*\S - \*\*.*", prose, re.MULTILINE):
        yield f"`{line}` has a second item; give each item of a list its own line"
    yield from typed_results(prose)


def typed_results(prose: str) -> Iterator[str]:
    """A fault for each line of prose with a decimal that nobody computed and nothing is cited for.

    Mathematics, code, and the text of a link, which is how a figure is cited, may hold decimals.
    """
    allowed = (r"```.*?```", r"\$\$.*?\$\$", r"`[^`]*`", r"\$[^$]*\$", r"\[[^\]]*\]\([^)]*\)")
    bare = re.sub(
        "|".join(allowed), lambda found: "\n" * found[0].count("\n"), prose, flags=re.DOTALL
    )
    for line, whole in zip(bare.split("\n"), prose.split("\n"), strict=True):
        if number := re.search(r"(?<![\w.])\d*\.\d+", line):
            yield (
                f"`{whole}` has the number {number[0]} typed in; compute it and show it by display(Markdown(...)), or "
                "make it the text of a link to its source"
            )


def _in_code(source: Path, code: list[Any]) -> Iterator[str]:
    for cell in code:
        begins, n_lines = cell.source.partition("\n")[0], cell.source.count("\n") + 1
        is_free = "parameters" in cell.metadata.get("tags", []) or begins.startswith(
            resolver.INJECTED
        )
        if n_lines > MOST_LINES and not is_free:
            yield f"the cell `{begins}` has {n_lines} lines, over {MOST_LINES}; split it, or move a part into lexurn/"
        if re.search(r"^\s*class \w+.*:", cell.source, re.MULTILINE):
            yield f"the cell `{begins}` defines a class; move it into lexurn/"
    for number, line in enumerate(source.read_text().split("\n"), 1):
        if len(line) > MOST_CHARACTERS:
            yield f"line {number} has {len(line)} characters, over {MOST_CHARACTERS}; break it"


def _in_parameters(code: list[Any]) -> Iterator[str]:
    tagged = [cell.source for cell in code if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        yield f'{len(tagged) or "no"} cells are tagged parameters; put `# %% tags=["parameters"]` above one of them'
        return
    lines, begins = tagged[0].split("\n"), resolver.INJECTED
    if not lines[0].startswith(begins) or lines[0].strip() == begins:
        yield f"its parameters cell begins `{lines[0]}`; begin it with a line such as `{begins} of this chapter.`"
    try:
        tree = ast.parse(tagged[0])
        resolver.check(resolver.differing_from_defaults(resolver.assignments(tree)))
    except SyntaxError as error:
        yield f"its parameters cell cannot be read: {error.msg}, line {error.lineno}; write `{line_of('seed')}`"
        return
    except ParameterError as error:
        yield f"its parameters cell: {error}"
        return
    for node in tree.body:
        line = lines[node.lineno - 1]
        name = next(iter(resolver.assignments(ast.Module([node], []))))
        wanted, schema = line_of(name), resolver.schema_of(name)
        value, _, text = line.partition("  # ")
        named = "enum" in schema and all(choice in text for choice in schema["enum"])
        if line != wanted and not (named and value == wanted.partition("  # ")[0]):
            yield f"`{line}` is not what lexurn/settings has; write `{wanted}`"


def _in_the_book(source: Path, code: list[Any]) -> Iterator[str]:
    repository = yaml.safe_load((source.parent.parent / "_config.yml").read_text())["repository"]
    address = f'REPOSITORY, TAG = "{repository["url"]}", "{repository["branch"]}"'
    if not code or address not in code[0].source:
        yield f"its first code cell must hold `{address}`, as _config.yml does; copy that cell from another chapter"
    if not re.search(
        rf"^\s*- file: {source.stem}(\.\w+)?\s*(#.*)?$",
        (source.parent / "_toc.yml").read_text(),
        re.M,
    ):
        yield f"_toc.yml does not list it; add a line `- file: {source.stem}`"
