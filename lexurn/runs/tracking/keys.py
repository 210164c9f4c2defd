"""Find the API key of a Weights & Biases account. The key is never stored."""

import os
import re
import sys
from contextlib import suppress
from functools import cache
from getpass import getpass
from pathlib import Path

from lexurn.base import paths

VARIABLE = "WANDB_API_KEY"
IN_ENV_FILE = re.compile(rf"^[ \t]*(?:export[ \t]+)?{VARIABLE}[ \t]*=[ \t]*(\S+)", re.MULTILINE)


def find_key(given: str | None = None) -> str | None:
    """Return the first key among these, or None if there is none.

    The order: the given key, the environment, an `.env` file, Colab's secrets, the terminal.
    """
    sources = (
        lambda: given,
        lambda: os.environ.get(VARIABLE),
        _from_env_file,
        _from_colab,
        _from_terminal,
    )
    keys = ((source() or "").strip() for source in sources)
    return next(filter(None, keys), None)


def _from_env_file() -> str | None:
    """Look in the file `.env` of the repository, then in that of the working directory."""
    folders = [Path.cwd()]
    with suppress(FileNotFoundError):
        folders.insert(0, paths.root())
    for folder in folders:
        with suppress(OSError, UnicodeDecodeError):
            if match := IN_ENV_FILE.search((folder / ".env").read_text()):
                return match[1].strip("'\"")
    return None


def _from_colab() -> str | None:
    if "google.colab" in sys.modules:
        with suppress(Exception):  # the secret does not exist, or the notebook may not read it
            from google.colab import userdata

            return userdata.get(VARIABLE)
    return None


def _from_terminal() -> str | None:
    """Ask only if a person sits at a terminal; in a notebook the question could wait forever."""
    is_terminal = sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty()
    return _ask_once() if is_terminal and "ipykernel" not in sys.modules else None


@cache
def _ask_once() -> str | None:
    """Ask once per process, whatever the number of runs it trains."""
    with suppress(EOFError):
        return getpass("W&B API key (empty: record offline): ", stream=sys.stderr)
    return None
