"""The key of a Weights & Biases account: found where people keep it, and kept nowhere."""

import os
import sys
from contextlib import suppress
from functools import cache
from getpass import getpass
from pathlib import Path

from lexurn.base import paths

NAME = "WANDB_API_KEY"


def find_key(given: str | None = None) -> str | None:
    """The first that is there: the one given, the environment's, an `.env` file's, Colab's secret, one typed in."""
    sources = (
        lambda: given,
        lambda: os.environ.get(NAME),
        _from_env_file,
        _from_colab,
        _from_terminal,
    )
    found = ((source() or "").strip() for source in sources)
    return next(filter(None, found), None)


def _from_env_file() -> str | None:
    """`WANDB_API_KEY=...` in the file `.env` of the repository or of the working directory."""
    folders = [Path.cwd()]
    with suppress(FileNotFoundError):
        folders.insert(0, paths.root())
    for folder in folders:
        try:
            lines = (folder / ".env").read_text().splitlines()
        except (OSError, UnicodeDecodeError):
            continue
        for line in lines:
            name, _, value = line.strip().removeprefix("export ").partition("=")
            if name.strip() == NAME and value.strip():
                return value.strip().strip("'\"")
    return None


def _from_colab() -> str | None:
    if "google.colab" not in sys.modules:
        return None
    try:
        from google.colab import userdata

        return userdata.get(NAME)
    except Exception:  # no such secret, or no permission to read it
        return None


def _from_terminal() -> str | None:
    """Asked for only where a person sits at a terminal; in a notebook the question could wait for ever."""
    at_terminal = sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty()
    return _typed() if at_terminal and "ipykernel" not in sys.modules else None


@cache
def _typed() -> str | None:
    """Asked once in a process, however many runs it trains."""
    try:
        return getpass("W&B API key (empty: record offline): ", stream=sys.stderr)
    except EOFError:
        return None
