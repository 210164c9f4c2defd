"""The code that a number depends on, as one hash: a function and every definition that it names.

    sources.code_hash("lexurn.chapters.data.discrimination:kl_from_truth")

Names are followed through the modules of this library, by reading them without importing them.
Methods of an argument are not followed, since no name leads to them. Neither is the code in
`INFRASTRUCTURE`, which finds, stores and shows numbers and computes none. Comments on lines of
their own, docstrings and white space do not count, so that better wording changes no hash.
"""

import ast
import re
from functools import cache

from lexurn.base import files, paths

INFRASTRUCTURE = (
    *("lexurn.base.files", "lexurn.base.paths", "lexurn.base.session", "lexurn.base.errors"),
    *("lexurn.settings", "lexurn.runs", "lexurn.figures", "lexurn.publish", "lexurn.cli"),
)
"""Modules and packages whose code is not followed, except for `COMPUTING`."""

COMPUTING = ("lexurn.runs.fit",)
"""Modules below `INFRASTRUCTURE` that compute numbers."""

Place = tuple[str, str]
"""A module and a name in it."""


def code_hash(*targets: str) -> str:
    """Return 12 digits of the hash of the code of some `module:name` and of all that they name."""
    pending: list[Place] = [tuple(target.split(":")) for target in targets]
    texts: dict[Place, str] = {}
    while pending:
        place = pending.pop()
        if place not in texts and place[1] in (found := definitions(place[0])):
            texts[place], named = found[place[1]]
            pending += named
    return files.hash_bytes(repr(sorted(texts.items())).encode(), 12)


@cache
def definitions(module: str) -> dict[str, tuple[str, set[Place]]]:
    """Return the code of what a module of this library defines or imports, and what that names.

    It is empty for any other module. A place that is named need not exist.
    """
    path = paths.LIBRARY.parent.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    is_silent = f"{module}.".startswith(tuple(f"{name}." for name in INFRASTRUCTURE))
    if not f"{module}.".startswith("lexurn.") or (is_silent and module not in COMPUTING):
        return {}
    content = path.read_text() if path.exists() else ""
    tree = ast.parse(content)
    imports = {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in ast.walk(tree)  # also imports inside functions
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    found = {name: ("", {source}) for name, source in imports.items()}
    choices = [node for node in tree.body if isinstance(node, ast.If | ast.Try)]
    for node in [*tree.body, *(part for choice in choices for part in ast.walk(choice))]:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined = [node.name]
        else:  # an assignment, or nothing
            targets = getattr(node, "targets", [getattr(node, "target", None)])
            defined = [ast.unparse(target) for target in targets if target]
        names = {getattr(part, "id", getattr(part, "attr", "")) for part in ast.walk(node)}
        named = {(module, name) for name in names}
        for name in names & imports.keys():  # if it is a module, its attributes are meant
            named |= {(".".join(imports[name]), attribute) for attribute in names}
        for name in defined:
            before, named_before = found.get(name, ("", set()))
            found[name] = (before + _text(node, content), named_before | named)
    return found


def _text(node: ast.stmt, content: str) -> str:
    """Return the code of a definition, without what does not count."""
    start = min([node.lineno, *(part.lineno for part in getattr(node, "decorator_list", ()))])
    code = "\n".join(content.splitlines()[start - 1 : node.end_lineno])
    for part in ast.walk(node):
        if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant):  # a docstring
            code = code.replace(ast.get_source_segment(content, part), "")
    return "".join(re.sub(r"^\s*#.*", "", code, flags=re.MULTILINE).split())
