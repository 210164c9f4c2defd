"""Classes and functions that are found by their name: the one place that imports by a string."""

from importlib import import_module
from typing import Any


def load_object(name: str) -> Any:
    """Import `package.module:attribute`. Raises ImportError or AttributeError where there is none."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)
