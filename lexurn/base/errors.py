"""Errors whose message is one line that says what to do, and the nearest name for a misspelt one."""

import difflib
from collections.abc import Iterable


class ParameterError(ValueError):
    """A value or a name that no run can be made from. Its message is one line and says what to do."""

    def _render_traceback_(self) -> list[str]:
        return [f"ParameterError: {self}"]  # IPython shows this in place of a traceback


class StoreError(OSError):
    """Something in the store cannot be written, deleted or trusted. Its message is one line and says what to do."""

    def _render_traceback_(self) -> list[str]:
        return [f"StoreError: {self}"]  # IPython shows this in place of a traceback


def suggestion(name: object, known: Iterable[str]) -> str:
    """`did you mean that? ` where a known name is near, for the middle of a message; else nothing."""
    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.4)
    return f"did you mean {near[0]}? " if near else ""
