"""The resumable state of a training on disk: tensors alone, one file, whole or not there.

A file is named after its step and the hash of its content, `state-00000500-1f0d8b602e4c.safetensors`, and carries the
key of its run. What was truncated, tampered with, or belongs to another run is refused by name. The last two are kept.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from lexurn.base.files import hash_bytes, write
from lexurn.base.shapes import State

SECONDS = 30.0
"""Time between two saves."""

KEPT = 2


def save_state(folder: Path, state: State, *, key: str) -> Path:
    """Write a state and remove all but the last `KEPT`."""
    content = save(state, metadata={"key": key})
    path = folder / f"state-{int(state['step']):08d}-{_hash(content)}.safetensors"
    write(path, content)
    for old in _states(folder)[:-KEPT]:
        old.unlink()
    return path


def load_state(folder: Path, *, key: str) -> State | None:
    """The newest state that is whole and of this run; each one that is not is named on stderr. None without any."""
    for path in reversed(_states(folder)):
        try:
            if _hash(path.read_bytes()) != path.stem.rpartition("-")[2]:
                raise ValueError("its content does not match the hash in its name")
            with safe_open(path, framework="pt") as file:
                if (file.metadata() or {}).get("key") != key:
                    raise ValueError("it belongs to another run")
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no dict
        except (OSError, ValueError, SafetensorError) as error:
            print(f"{path.name} is refused: {error}", file=sys.stderr)
    return None


def remove_states(folder: Path) -> None:
    for path in _states(folder):
        path.unlink()


class Saver:
    """Saves the state of a training every `SECONDS`, and before it gives way to Ctrl-C.

    A context manager: inside it the first Ctrl-C waits for the end of a step and saves, a second one stops at once.
    """

    def __init__(self, folder: Path, key: str):
        self.folder, self.key = folder, key
        self.saved, self.interrupted = time.monotonic(), False

    def __call__(self, step: int, state: Callable[[], State]) -> None:
        if not self.interrupted and time.monotonic() - self.saved < SECONDS:
            return
        save_state(self.folder, state(), key=self.key)
        self.saved = time.monotonic()
        if self.interrupted:
            raise KeyboardInterrupt(
                f"stopped at step {step}, which is saved; run the same again to go on from there"
            )

    def __enter__(self) -> "Saver":
        self.in_main_thread = (
            threading.current_thread() is threading.main_thread()
        )  # signals reach no other
        if self.in_main_thread:
            self.before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        if self.in_main_thread:
            signal.signal(signal.SIGINT, self.before)

    def _interrupt(self, *_: object) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True


def _states(folder: Path) -> list[Path]:
    return sorted(folder.glob("state-*.safetensors"))


def _hash(content: bytes) -> str:
    return hash_bytes(content, 12)
