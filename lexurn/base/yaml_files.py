"""YAML files that people write: YAML 1.2, in which a mapping holds every name once.

The library behind it reads YAML 1.1, where `12:30` is 750, `010` is 8, `1e-3` is a text and `no` is
false.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from lexurn.base.errors import ParameterError


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


# The core schema of YAML 1.2.2, section 10.3.2.
_PLAIN_VALUES = {
    "null": "~|null|Null|NULL|",
    "bool": "true|True|TRUE|false|False|FALSE",
    "int": "[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
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
    try:
        return yaml.load(path.read_bytes(), _Loader)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).replace('in "<byte string>", ', "at ").split())
        raise ParameterError(f"{path} is not YAML in UTF-8: {reason}") from None


def line_of(path: Path, number: int, name: str) -> int:
    """Return the line of a name in the mapping that is a YAML list's entry with this number.

    Numbers count from 0, lines from 1. Returns the entry's first line if it has no such name.
    """
    entry = yaml.compose(path.read_bytes()).value[number]
    names = [key for key, _ in entry.value] if isinstance(entry, yaml.MappingNode) else []
    return next((key for key in names if key.value == name), entry).start_mark.line + 1
