"""The code that a number depends on, as one hash: a function and every definition that it names.

    sources.code_hash("lexurn.chapters.data.discrimination:kl_from_truth")

Names are followed through the modules of this library, by reading them without importing them.
Methods of an argument are not followed, since no name leads to them. Neither is the code in
`INFRASTRUCTURE`, which finds, stores and shows numbers and computes none. Comments, docstrings and
white space do not count, so that better wording changes no hash.
"""

import ast
from dataclasses import dataclass
from functools import cache

from lexurn.base import files, paths

INFRASTRUCTURE = (
    *("lexurn.base.files", "lexurn.base.paths", "lexurn.base.session", "lexurn.base.errors"),
    *("lexurn.settings", "lexurn.runs", "lexurn.figures", "lexurn.publish", "lexurn.cli"),
)
"""Modules and packages whose code is not followed, except for `COMPUTING`."""

COMPUTING = ("lexurn.runs.fit",)
"""Modules below `INFRASTRUCTURE` that compute numbers."""


@dataclass(frozen=True)
class Definition:
    """A definition at the top of a module, or what an import there means, and what it names."""

    text: str
    names: frozenset[str] = frozenset()
    source: tuple[str, str] | None = None
    """The module and the name that are imported."""


def code_hash(*targets: str) -> str:
    """Return 12 digits of the hash of the code of some `module:name` and of all that they name."""
    pending = [tuple(target.split(":")) for target in targets]
    texts: dict[tuple[str, str], str] = {}
    while pending:
        module, name = pending.pop()
        definition = definitions(module).get(name)
        if definition is None or (module, name) in texts:
            continue
        texts[module, name] = definition.text
        for used in definition.names | ({name} if definition.source else set()):
            meant = definitions(module).get(used)
            if meant is None:
                continue
            if meant.source is None:
                pending.append((module, used))
                continue
            pending.append(meant.source)
            submodule = ".".join(meant.source)  # if a module was imported, follow its attributes
            pending += [(submodule, each) for each in definition.names if definitions(submodule)]
    return files.hash_bytes(repr(sorted(texts.items())).encode(), 12)


@cache
def definitions(module: str) -> dict[str, Definition]:
    """Return what a module of the library defines and imports; empty for any other module."""
    path = paths.LIBRARY.parent.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    is_followed = module in COMPUTING or not f"{module}.".startswith(
        tuple(f"{name}." for name in INFRASTRUCTURE)
    )
    if module.partition(".")[0] != "lexurn" or not is_followed or not path.exists():
        return {}
    content = path.read_text()
    tree = ast.parse(content)
    found = {
        alias.asname or alias.name: Definition("", source=(node.module or "", alias.name))
        for node in ast.walk(tree)  # also imports inside functions
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    choices = [node for node in tree.body if isinstance(node, ast.If | ast.Try)]
    for node in [*tree.body, *(part for choice in choices for part in ast.walk(choice))]:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = list(map(ast.unparse, targets))
        else:
            continue
        for name in names:
            before = found.get(name, Definition(""))
            new = _define(node, content)
            found[name] = Definition(before.text + new.text, before.names | new.names)
    return found


def _define(node: ast.stmt, content: str) -> Definition:
    """Return the text of a definition, without what does not count, and the names in it."""
    start = min([node.lineno, *(part.lineno for part in getattr(node, "decorator_list", ()))])
    lines = dict(enumerate(content.splitlines()[start - 1 : node.end_lineno], start))
    names = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            names.add(part.id)
        elif isinstance(part, ast.Attribute):
            names.add(part.attr)
        elif isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant):  # a docstring
            for number in range(part.lineno, part.end_lineno + 1):
                del lines[number]
    code = [line for line in lines.values() if not line.lstrip().startswith("#")]
    return Definition("".join("".join(code).split()), frozenset(names))
