"""YAML files that people write, in which a mapping holds every name once."""

from pathlib import Path
from typing import Any

import yaml

from lexurn.base.errors import ParameterError


class _Loader(yaml.SafeLoader):
    """YAML itself keeps the last of several equal names and is silent about the others."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        for number, (name, _) in enumerate(node.value):
            if name.value in [other.value for other, _ in node.value[:number]]:
                raise yaml.MarkedYAMLError(
                    problem=f"{name.value} stands twice in a mapping; keep one of the two",
                    problem_mark=name.start_mark,
                )
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file.

    Raises ParameterError, with the line, for a file that is not YAML or holds a name twice.
    """
    try:
        return yaml.load(path.read_bytes(), _Loader)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).replace('in "<byte string>", ', "at ").split())
        raise ParameterError(f"{path} is not YAML in UTF-8: {reason}") from None
