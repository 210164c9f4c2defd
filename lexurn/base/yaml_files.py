"""YAML files that people write: YAML 1.2, in which a mapping holds every name once.

The library behind it reads YAML 1.1, where `12:30` is 750, `010` is 8, `1e-3` is a text and `no` is
false. Tags are refused, because nothing here needs them, and so are anchors with their aliases, by
which a few lines can stand for more values than the memory holds.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from lexurn.base.errors import ParameterError, suggestion


class _Loader(yaml.SafeLoader):
    """YAML itself keeps the last of several equal names and is silent about the others."""

    yaml_implicit_resolvers = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        for number, (name, _) in enumerate(node.value):
            if name.value in [other.value for other, _ in node.value[:number]]:
                raise yaml.MarkedYAMLError(
                    problem=f"{name.value} stands twice in a mapping; keep one of the two",
                    problem_mark=name.start_mark,
                )
        return super().construct_mapping(node, deep)

    def _refuse(self, *_: Any) -> Any:
        raise yaml.MarkedYAMLError(
            problem="tags (!), anchors (&) and aliases (*) are not allowed; write the value, or "
            "put a text that begins so in quotes",
            problem_mark=self.get_mark(),
        )

    scan_tag = scan_anchor = _refuse


# The core schema of YAML 1.2.2, section 10.3.2.
_PLAIN_VALUES = {
    "null": "~|null|Null|NULL|",
    "bool": "true|True|TRUE|false|False|FALSE",
    "int": "[-+]?[0-9]{1,1000}|0o[0-7]{1,1000}|0x[0-9a-fA-F]{1,1000}",  # and not endless
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|"
    r"\.(nan|NaN|NAN)",
}
for _type, _pattern in _PLAIN_VALUES.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_type}", re.compile(f"^({_pattern})$"), None)


def _read_int(loader: _Loader, node: yaml.ScalarNode) -> int:
    return int(node.value, 0 if node.value[:2] in ("0o", "0x") else 10)


_Loader.add_constructor("tag:yaml.org,2002:int", _read_int)


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file.

    Raises ParameterError, with the line, for a file that is not YAML or holds a name twice.
    """
    text = path.read_bytes().decode(errors="surrogateescape")
    try:
        return yaml.load(text, _Loader)
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        reason = f"unacceptable character or byte at line {line}, column {column}; save it as UTF-8"
    except (yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).replace('in "<unicode string>", ', "at ").split())
    raise ParameterError(f"{path} is not YAML in UTF-8: {reason}")


def place(path: Path, *steps: Any) -> str:
    """Return `<path>, line 3`: where the entry stands to which names lead, and in lists numbers.

    Numbers count from 0, lines from 1. Steps end at the first one that the file does not have; if
    it has none of them, the text has no line.
    """
    node = yaml.compose(path.read_text(), _Loader)
    where = str(path)
    for step in steps:
        entries: dict[Any, Any] = {}
        if isinstance(node, yaml.MappingNode):
            entries = {key.value: (key, value) for key, value in node.value}
        elif isinstance(node, yaml.SequenceNode):
            entries = {number: (value, value) for number, value in enumerate(node.value)}
        if step not in entries:
            break
        key, node = entries[step]
        where = f"{path}, line {key.start_mark.line + 1}"
    return where


def explain(path: Path, error: ValidationError, fields: Iterable[str], form: str) -> str:
    """Return what is first wrong in a file: `<path>, line 3: n: Input …, got 'x'; <form>`.

    `fields` are the names that the file's mappings may have, and `form` says what the file holds.
    An unknown name comes first: it is likely a misspelt one, which is then missing as well.
    """
    problem = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    field = next((step for step in problem["loc"] if isinstance(step, str)), "")
    parts = (place(path, *problem["loc"]), field, problem["msg"].removeprefix("Value error, "))
    got = f", got {problem['input']!r}" * (field != "" and problem["type"] != "missing")
    hint = suggestion(field, fields) * (problem["type"] == "extra_forbidden")
    return f"{': '.join(filter(None, parts))}{got}; {hint}{form}"
