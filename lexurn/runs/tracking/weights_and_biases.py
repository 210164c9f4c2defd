"""Record a run to Weights & Biases where the user asks for it.

The files in the run's folder are the record. A process of its own (`lexurn.runs.tracking.recorder`)
follows these files and sends them, so wandb can neither stop nor delay a training. The key of the
account is never stored.
"""

import json
import os
import re
import secrets
import subprocess
import sys
import threading
from contextlib import suppress
from functools import cache
from getpass import getpass
from pathlib import Path
from typing import Any

from lexurn.base import files, paths
from lexurn.runs.tracking import Tracker

RECORDER = Path(__file__).with_name("recorder.py")

VARIABLE = "WANDB_API_KEY"
IN_ENV_FILE = re.compile(rf"^[ \t]*(?:export[ \t]+)?{VARIABLE}[ \t]*=[ \t]*(\S+)", re.MULTILINE)

SECONDS_TO_BEGIN = 15
"""Time in which the server must answer; without an answer the run is recorded offline."""

SECONDS_TO_FINISH = 30.0
"""Time that `finish` waits for uploads; after it they go on in the background."""


class Wandb(Tracker):
    """Record the run in `folder` as one W&B run, which keeps its id when the training goes on.

    `key` is the API key; without it `find_key` looks for one. The environment's `WANDB_MODE`,
    `WANDB_PROJECT`, `WANDB_ENTITY` and `WANDB_BASE_URL` are respected. Problems are reported on
    stderr, never raised.
    """

    def __init__(self, folder: Path, *, config: dict[str, Any], key: str | None = None):
        self.folder = folder.resolve()
        self.recorder: subprocess.Popen | None = None
        mode = os.environ.get("WANDB_MODE") or "online"
        self.key = None if mode in ("offline", "dryrun", "disabled") else find_key(key)
        if mode == "disabled":
            return
        environment = {
            VARIABLE: self.key or "",
            "WANDB_MODE": mode if self.key else "offline",
            "WANDB_RUN_ID": self._save_id(config),
            "WANDB_INIT_TIMEOUT": str(SECONDS_TO_BEGIN),
            "WANDB_ARTIFACT_DIR": str(self.folder / "wandb" / "artifacts"),
            "WANDB_CACHE_DIR": str(self.folder / "wandb" / "cache"),
            "WANDB_DATA_DIR": str(self.folder / "wandb" / "data"),
            "WANDB_ERROR_REPORTING": "false",
            "WANDB_SERVICE": "",  # a service process for this run alone
        }
        try:
            self.recorder = subprocess.Popen(
                [sys.executable, "-P", str(RECORDER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=self.folder,
                env=os.environ | environment,
                start_new_session=True,  # Ctrl-C stops the training, not the recorder
                text=True,
            )
        except OSError as error:
            return self._say(f"recording did not begin ({error}); the metrics are in {self.folder}")
        self.messages = threading.Thread(target=self._relay_messages, daemon=True)
        self.messages.start()

    def finish(self) -> None:
        """Tell the recorder that the training ended, and wait for uploads, but not for long."""
        if self.recorder is None:
            return
        self.recorder.stdin.close()
        self.messages.join(SECONDS_TO_FINISH)
        if self.messages.is_alive():
            self._say(
                f"uploads are not done after {SECONDS_TO_FINISH:.0f} s and go on in the "
                "background; should they fail: "
                f"wandb sync --no-skip-online {self.folder}/wandb/*run-*"
            )
        elif self.recorder.wait() != 0:
            self._say(f"recording ended unexpectedly; the metrics are in {self.folder}")

    def _save_id(self, config: dict[str, Any]) -> str:
        path = self.folder / "wandb.json"
        if path.exists():
            run_id = json.loads(path.read_text())["id"]
        else:
            run_id = f"{self.folder.name.rpartition('-')[2]}-{secrets.token_hex(3)}"
        files.write(path, json.dumps({"id": run_id, "config": config}))
        return run_id

    def _relay_messages(self) -> None:
        for line in self.recorder.stdout:
            self._say(line)

    def _say(self, text: str) -> None:
        files.print_to_stderr("W&B: " + text.strip().replace(self.key or "\0", "***"))


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
    """Return the key in `.env` of the repository, or else in `.env` of the working directory."""
    for find_folder in (paths.root, Path.cwd):
        with suppress(OSError, UnicodeDecodeError):  # no such folder or file, or not a text
            if match := IN_ENV_FILE.search((find_folder() / ".env").read_text()):
                return match[1].strip("'\"")
    return None


def _from_colab() -> str | None:
    if "google.colab" in sys.modules:
        with suppress(Exception):  # the secret does not exist, or the notebook may not read it
            from google.colab import userdata

            return userdata.get(VARIABLE)
    return None


@cache
def _from_terminal() -> str | None:
    """Ask only if a person sits at a terminal; in a notebook the question could wait forever.

    It is asked once per process, whatever the number of runs that the process trains.
    """
    is_terminal = sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty()
    if is_terminal and "ipykernel" not in sys.modules:
        with suppress(EOFError):
            return getpass("W&B API key (empty: record offline): ", stream=sys.stderr)
    return None
