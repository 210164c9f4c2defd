"""Record a run to Weights & Biases where the user asks for it.

The files in the run's folder are the record, so a problem of wandb is reported and ends nothing but
the recording. wandb sends in the background, by a process of its own, and keeps what it sends in
`wandb/` in the run's folder. The key of the account is never stored.
"""

import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from getpass import getpass
from pathlib import Path
from threading import Thread
from typing import Any

import pandas as pd

from lexurn.base import files, paths
from lexurn.runs import integrity, store
from lexurn.runs.tracking import Tracker

VARIABLE = "WANDB_API_KEY"
IN_ENV_FILE = re.compile(rf"^[ \t]*(?:export[ \t]+)?{VARIABLE}[ \t]*=[ \t]*(\S+)", re.MULTILINE)

SECONDS_TO_BEGIN = 15.0
"""Time in which the server must answer; without an answer the run is recorded offline."""

SECONDS_TO_FINISH = 30.0
"""Time that `finish` waits for uploads; what is left then can be uploaded by hand."""

NOTHING_BUT_THE_RUN = {
    "host": "",
    "program": "lexurn",
    "console": "off",
    "silent": True,
    "quiet": True,
    "symlink": False,
    "save_code": False,
    "disable_code": True,
    "disable_git": True,
    "label_disable": True,
    "x_disable_stats": True,
    "x_disable_meta": True,
    "x_disable_machine_info": True,
    "x_save_requirements": False,
}
"""Settings of wandb that switch off every look at the machine, the code and the console."""


class Wandb(Tracker):
    """Record the run in `folder` as one W&B run, which keeps its id when the training goes on.

    `key` is the API key; without it `find_key` looks for one. The environment's `WANDB_MODE`,
    `WANDB_PROJECT`, `WANDB_ENTITY` and `WANDB_BASE_URL` are respected. Problems are reported on
    stderr, never raised.
    """

    def __init__(self, folder: Path, *, config: dict[str, Any], key: str | None = None):
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb  # not above: slow, and few trainings are recorded

        self.wandb = wandb
        self.folder = folder.resolve()
        self.key = find_key(key) if os.environ.get("WANDB_MODE", "online") == "online" else None
        self.run = self._try(self._init, "online", config) if self.key else None
        if self.run:
            self._say(f"this run is at {self.run.url}")
        else:
            # Else the id of a run that did not begin is in use. wandb 0.28 may wait for minutes.
            teardown = Thread(target=wandb.teardown, daemon=True)
            teardown.start()
            teardown.join(SECONDS_TO_BEGIN)
            self.run = self._try(self._init, "offline", config)

    def resume(self, past: list[dict[str, Any]]) -> None:
        """Record what is not in W&B yet; it ignores the steps that it has already."""
        for row in past:
            self.log({name: value for name, value in row.items() if name != "step"}, row["step"])

    def log(self, metrics: dict[str, float], step: int) -> None:
        if self.run:
            self._try(self.run.log, metrics, step=step, commit=True)

    def log_table(self, name: str, table: pd.DataFrame) -> None:
        if self.run:
            content = self.wandb.Table(dataframe=table, allow_mixed_types=True)
            self._try(self.run.log, {name: content})

    def finish(self) -> None:
        """Send the files of a finished run, as one artifact, and wait for uploads, but not for
        long. The folder of a downloaded artifact can be imported (`lexurn import`)."""
        is_complete = (self.folder / "results.json").exists()
        if self.run and is_complete:
            artifact = self.wandb.Artifact(self.folder.name, type="model")
            for name in (*integrity.final_files(self.folder), store.RESULTS):
                artifact.add_file(str(self.folder / name), name, policy="immutable")  # not copied
            self._try(self.run.log_artifact, artifact)
        if self.run:
            self._try(self.run.finish, exit_code=0 if is_complete else 1)
        if self.run and self.run.offline:
            recording = self.run.settings.sync_dir
            self._say(f"recorded offline; upload it at any time with: wandb sync {recording}")

    def _init(self, mode: str, config: dict[str, Any]) -> Any:
        settings = {
            "mode": mode,
            "api_key": self.key,
            "project": os.environ.get("WANDB_PROJECT") or "lexurn",
            "run_name": self.folder.name,
            "resume": "auto",  # by the id in `wandb/wandb-resume.json`
            "reinit": "create_new",
            "allow_val_change": True,  # a training may go on with another device or threads
            "root_dir": str(self.folder),
            "init_timeout": SECONDS_TO_BEGIN,
            "finish_timeout": SECONDS_TO_FINISH,
            "finish_timeout_raises": True,
        }
        return self.wandb.init(
            config=config, settings=self.wandb.Settings(**settings, **NOTHING_BUT_THE_RUN)
        )

    def _try(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Return what a call returns. If it raises, report it and record nothing from now on."""
        try:
            return call(*arguments, **options)
        except Exception as error:
            self._say(
                f"{type(error).__name__}: {error}; the metrics are in {self.folder}, and what was "
                f"recorded can be uploaded: wandb sync --include-online {self.folder}/wandb/*run-*"
            )
            self.run = None

    def _say(self, text: str) -> None:
        one_line = " ".join(text.split())
        files.print_to_stderr(f"W&B: {one_line.replace(self.key or chr(0), '***')}")


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
