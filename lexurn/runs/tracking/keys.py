"""Find the API key of a Weights & Biases account. The key is never stored."""

import os
import sys
from contextlib import suppress
from functools import cache
from getpass import getpass
from pathlib import Path

from lexurn.base import paths

VARIABLE = "WANDB_API_KEY"


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
        try:
            text = (folder / ".env").read_text()
        except (OSError, UnicodeDecodeError):
            continue
        for line in text.splitlines():
            name, _, value = line.strip().removeprefix("export ").partition("=")
            if name.strip() == VARIABLE and value.strip():
                return value.strip().strip("'\"")
    return None


def _from_colab() -> str | None:
    if "google.colab" not in sys.modules:
        return None
    try:
        from google.colab import userdata

        return userdata.get(VARIABLE)
    except Exception:  # the secret does not exist, or the notebook may not read it
        return None


def _from_terminal() -> str | None:
    """Ask only if a person sits at a terminal; in a notebook the question could wait forever."""
    is_terminal = sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty()
    return _ask_once() if is_terminal and "ipykernel" not in sys.modules else None


@cache
def _ask_once() -> str | None:
    """Ask once per process, whatever the number of runs it trains."""
    try:
        return getpass("W&B API key (empty: record offline): ", stream=sys.stderr)
    except EOFError:
        return None
