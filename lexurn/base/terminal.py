"""Texts for the person at the terminal: the one where papermill runs, and not too many of them."""

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress

Say = Callable[[str], None]
"""A function that shows a text to a person."""


def print_where_papermill_runs(text: str) -> None:
    """Print a text in the terminal, or the log file, of the papermill that runs this, if one does.

    papermill shows nothing of a cell that is running. Its kernel inherits the terminal as stderr,
    and ipykernel keeps a copy of this descriptor when it redirects stderr into the notebook. A
    kernel of a Jupyter server has a session name; there a person sees the notebook itself. On a
    terminal, the text takes the place of papermill's progress bar.
    """
    descriptor = getattr(sys.stderr, "_original_stdstream_copy", None)
    if descriptor is not None and "JPY_SESSION_NAME" not in os.environ:
        with suppress(OSError):  # the terminal was closed; the work goes on
            clear_line = "\r\x1b[K" if os.isatty(descriptor) else ""
            os.write(descriptor, f"{clear_line}{text}\n".encode())


def print_everywhere(text: str) -> None:
    """Print a text on stderr and, if papermill runs this, also where papermill runs."""
    print(text, file=sys.stderr, flush=True)
    print_where_papermill_runs(text)


class Pause:
    """A pause between two texts: `is_over` is True at most once in so many seconds."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self.start = time.monotonic()

    def is_over(self) -> bool:
        """Return whether the pause is over; if it is, the next one begins."""
        if time.monotonic() - self.start < self.seconds:
            return False
        self.start = time.monotonic()
        return True
