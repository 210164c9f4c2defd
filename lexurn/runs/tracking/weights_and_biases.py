"""Weights & Biases, where it is asked for: online with a key, else offline into the run's folder.

A child process records (see `lexurn.runs.tracking.recorder`); here a thread hands it what the training tells, through a
queue. So training waits for nothing, wandb can neither stop it nor hold up the interpreter's exit, and what was told
survives the training's death. Where the server cannot be reached, a second child records the same offline.
"""

import json
import os
import secrets
import select
import subprocess
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pandas as pd

from lexurn.base.files import write
from lexurn.runs.tracking import Tracker
from lexurn.runs.tracking.keys import find_key

RECORDER = Path(__file__).with_name("recorder.py")

SECONDS_TO_BEGIN = 15
"""How long wandb may take to reach its server; then the run is recorded offline."""

SECONDS_TO_FINISH = 30.0
"""How long `finish` waits for uploads; they then go on in the background."""

SECONDS_TO_UPLOAD = 600
"""How long they may go on there."""


class Wandb(Tracker):
    """The run in `folder`, as one W&B run with an id of its own, which it keeps when its training goes on.

    `key` is where the search for one begins (see `find_key`). `WANDB_MODE`, `WANDB_PROJECT`, `WANDB_ENTITY` and
    `WANDB_BASE_URL` count. What went wrong is said in a line on stderr, once, and never raised.
    """

    def __init__(self, folder: Path, *, config: dict[str, Any], key: str | None = None):
        self.folder, self.config = folder.resolve(), config
        self.mode = {"dryrun": "offline"}.get(
            asked := os.environ.get("WANDB_MODE") or "online", asked
        )
        self.key = find_key(key) if self.mode not in ("offline", "disabled") else None
        self.at: str | None = None  # wandb's folder, once it records
        self.failed = False
        self.told: SimpleQueue[str | None] = SimpleQueue()
        self.thread = threading.Thread(target=self._work, daemon=True)
        if self.mode != "disabled":
            self.thread.start()

    def go_on(self, past: list[dict[str, Any]]) -> None:
        for metrics in past:
            self.log(
                {name: value for name, value in metrics.items() if name != "step"}, metrics["step"]
            )

    def log(self, metrics: dict[str, float], step: int) -> None:
        self._tell("log", metrics, step)

    def log_table(self, name: str, table: pd.DataFrame) -> None:
        self._tell(
            "log_table",
            name,
            json.loads(table.to_json(orient="split", index=False, double_precision=15)),
        )

    def log_weights(self, path: Path) -> None:
        self._tell("log_weights", str(path.resolve()))

    def finish(self) -> None:
        """Wait for uploads, but not for long. Says where the run was recorded if it was not uploaded."""
        if self.mode == "disabled":
            return
        self.told.put(None)
        self.thread.join(SECONDS_TO_FINISH)
        late = self.thread.is_alive()
        waited = f"after {SECONDS_TO_FINISH:.0f} s"
        if self.failed:
            return  # and that is said
        if self.at and self.mode == "offline" and not late:
            self._say(f"recorded offline; upload it at any time with: wandb sync {self.at}")
        elif self.at and late and self.mode != "offline":
            again = f"wandb sync --no-skip-online {self.at}"
            self._say(
                f"uploads are not done {waited} and go on in the background; should they fail: {again}"
            )
        elif late:
            self._say(f"recording is not done {waited}; the metrics are in {self.folder}")

    def _tell(self, *message: Any) -> None:
        self.told.put(json.dumps(message))

    def _say(self, text: str) -> None:
        text = " ".join(text.split())
        print(
            "W&B: " + (text.replace(self.key, "***") if self.key else text),
            file=sys.stderr,
            flush=True,
        )

    def _work(self) -> None:
        try:
            child = self._begin()
            for line in iter(self.told.get, None):
                print(line, file=child.stdin, flush=True)
            child.stdin.close()
            for line in child.stdout:  # until it ends
                self._say(json.loads(line)["error"])
        except Exception as error:
            self.failed = True
            self._say(
                f"recording ended ({type(error).__name__}: {error}); the metrics are in {self.folder}"
            )

    def _begin(self) -> subprocess.Popen:
        """A child that records: online if there is a key and the server answers, else offline."""
        if self.mode == "offline" or not self.key:
            self.mode = "offline"
        else:
            child, answer = self._start(self.mode)
            if "at" in answer:
                self.at = answer["at"]
                self._say(f"this run is at {answer['url']}")
                return child
            child.kill()
            child.wait()
            self._say(f"not online ({answer['error']}); recording offline")
            self.mode = "offline"
        child, answer = self._start("offline")
        if "at" not in answer:
            child.kill()
            raise RuntimeError(answer["error"])
        self.at = answer["at"]
        return child

    def _start(self, mode: str) -> tuple[subprocess.Popen, dict[str, str]]:
        """A child and its first answer."""
        own = self.folder / "wandb"
        dropped = ("WANDB_API_KEY", "WANDB_SERVICE", "WANDB_RUN_ID")
        environment = {name: value for name, value in os.environ.items() if name not in dropped} | {
            "WANDB_ARTIFACT_DIR": str(own / "artifacts"),
            "WANDB_CACHE_DIR": str(own / "cache"),
            "WANDB_DATA_DIR": str(own / "data"),
            "WANDB_ERROR_REPORTING": "false",
        }
        child = subprocess.Popen(
            [sys.executable, "-P", str(RECORDER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env=environment,
            start_new_session=True,  # a Ctrl-C meant for the training does not reach it
            text=True,
        )
        print(
            json.dumps({"settings": self._settings(mode), "config": self.config}),
            file=child.stdin,
            flush=True,
        )
        patience = (
            SECONDS_TO_BEGIN + 10 if mode != "offline" else 120
        )  # on a busy machine imports alone take long
        if not select.select([child.stdout], [], [], patience)[0]:
            return child, {"error": "no answer in time"}
        return child, json.loads(
            child.stdout.readline() or '{"error": "the recording process ended"}'
        )

    def _settings(self, mode: str) -> dict[str, Any]:
        """What `wandb.Settings` takes; anything that would look at the machine, the code or the console is off."""
        return {
            "mode": mode,
            "api_key": self.key if mode != "offline" else None,
            "project": os.environ.get("WANDB_PROJECT") or "lexurn",
            "entity": os.environ.get("WANDB_ENTITY") or None,
            "run_id": self._id(),
            "run_name": self.folder.name,
            "resume": "allow",
            "allow_val_change": True,  # of settings of the machine, when a training goes on elsewhere
            "host": "",
            "root_dir": str(self.folder),
            "use_dot_wandb": False,
            "init_timeout": SECONDS_TO_BEGIN,
            "finish_timeout": SECONDS_TO_UPLOAD,
            "console": "off",
            "silent": True,
            "quiet": True,
            "save_code": False,
            "disable_code": True,
            "disable_git": True,
            "symlink": False,
            "x_disable_stats": True,
            "x_disable_meta": True,
            "x_disable_machine_info": True,
            "x_save_requirements": False,
        }

    def _id(self) -> str:
        path = self.folder / "wandb.json"
        if not path.exists():
            write(
                path,
                json.dumps({"id": f"{self.folder.name.rpartition('-')[2]}-{secrets.token_hex(3)}"}),
            )
        return json.loads(path.read_text())["id"]
