"""Record a run to Weights & Biases where the user asks for it.

The files in the run's folder are the record. A process of its own (`lexurn.runs.tracking.recorder`)
follows these files and sends them, so wandb can neither stop nor delay a training.
"""

import json
import os
import secrets
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from lexurn.base.files import print_to_stderr, write
from lexurn.runs.tracking import Tracker
from lexurn.runs.tracking.keys import find_key

RECORDER = Path(__file__).with_name("recorder.py")

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
            "WANDB_API_KEY": self.key or "",
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
        write(path, json.dumps({"id": run_id, "config": config}))
        return run_id

    def _relay_messages(self) -> None:
        for line in self.recorder.stdout:
            self._say(line)

    def _say(self, text: str) -> None:
        print_to_stderr("W&B: " + text.strip().replace(self.key or "\0", "***"))
