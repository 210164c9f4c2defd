"""Errors whose message is one line that names the fix, and suggestions for misspelt names."""

import difflib
from collections.abc import Iterable


class _OneLineTraceback:
    def _render_traceback_(self) -> list[str]:
        """Return the one line that IPython shows instead of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class ParameterError(_OneLineTraceback, ValueError):
    """A parameter's name or value is not valid."""


class StoreError(_OneLineTraceback, OSError):
    """A file of the store or of the book's build cannot be written, deleted or trusted."""


class ClusterError(RuntimeError):
    """A cluster does not answer, or its workers cannot train."""


class SiteError(RuntimeError):
    """The site cannot be rendered; the message says what is missing or where to read more."""


def suggestion(name: object, known: Iterable[str]) -> str:
    """Return `did you mean X? ` if a known name X is similar to `name`, else the empty string."""
    similar = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.4)
    return f"did you mean {similar[0]}? " if similar else ""
