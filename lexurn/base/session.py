"""What this process has done so far that a figure's card or a chapter's record tells later.

There is one session per process. A test, or a process that does several things one after the other,
begins another one by `with fresh():`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Session:
    """The running chapter, the stored files that it has read, and what it has found.

    chapter      a `settings.resolver.RunningChapter`; None where no chapter runs
    used_files   names below the store's root: what a chapter depends on
    claims       figures of ours with their verdicts, by the claim's key
    numbers      numbers as texts, by the names under which the landing page quotes them
    """

    chapter: Any = None
    used_files: set[str] = field(default_factory=set)
    claims: dict[str, dict[str, Any]] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)


_current: ContextVar[Session] = ContextVar("session", default=Session())  # noqa: B039, one a process


def current() -> Session:
    """Return the session of this process."""
    return _current.get()


@contextmanager
def fresh() -> Iterator[Session]:
    """Begin a session that ends with the block."""
    token = _current.set(Session())
    try:
        yield _current.get()
    finally:
        _current.reset(token)
