"""The state that a training is resumed from: one file of tensors, written whole or not at all.

The name of a file holds its step and the hash of its content, as in
`state-00000500-1f0d8b602e4c.safetensors`; its metadata holds the key of the run. Truncated or
altered files, and files of another run, are therefore refused. The last two states are stored.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from lexurn.base.files import hash_bytes, write
from lexurn.base.shapes import State

SECONDS = 30.0
"""Time between two saves."""

N_STATES = 2


def save_state(folder: Path, state: State, *, key: str) -> Path:
    """Write a state, remove all but the last `N_STATES`, and return the path."""
    content = save(state, metadata={"key": key})
    path = folder / f"state-{int(state['step']):08d}-{_hash(content)}.safetensors"
    write(path, content)
    for old in _states(folder)[:-N_STATES]:
        old.unlink()
    return path


def load_state(folder: Path, *, key: str) -> State | None:
    """Return the newest state that is whole and belongs to this run; None if there is none.

    Files that are refused are named on stderr.
    """
    for path in reversed(_states(folder)):
        try:
            if _hash(path.read_bytes()) != path.stem.rpartition("-")[2]:
                raise ValueError("its content does not match the hash in its name")
            with safe_open(path, framework="pt") as file:
                if (file.metadata() or {}).get("key") != key:
                    raise ValueError("it belongs to another run")
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, ValueError, SafetensorError) as error:
            print(f"{path.name} is refused: {error}", file=sys.stderr)
    return None


def remove_states(folder: Path) -> None:
    for path in _states(folder):
        path.unlink()


@dataclass
class Saver:
    """Save the state of a training every `SECONDS`, and when Ctrl-C interrupts it.

    Used as a context manager: inside it, the first Ctrl-C lets the step end and saves; a second one
    stops at once.
    """

    folder: Path
    key: str
    last_saved: float = field(default_factory=time.monotonic)
    is_interrupted: bool = False

    def __call__(self, step: int, state: Callable[[], State]) -> None:
        if not self.is_interrupted and time.monotonic() - self.last_saved < SECONDS:
            return
        save_state(self.folder, state(), key=self.key)
        self.last_saved = time.monotonic()
        if self.is_interrupted:
            raise KeyboardInterrupt(
                f"stopped at step {step}, which is saved; run the same again to go on from there"
            )

    def __enter__(self) -> "Saver":
        is_main = threading.current_thread() is threading.main_thread()  # only it gets signals
        self.previous = signal.signal(signal.SIGINT, self._interrupt) if is_main else None
        return self

    def __exit__(self, *_: object) -> None:
        if self.previous is not None:
            signal.signal(signal.SIGINT, self.previous)

    def _interrupt(self, *_: object) -> None:
        if self.is_interrupted:
            raise KeyboardInterrupt
        self.is_interrupted = True


def _states(folder: Path) -> list[Path]:
    return sorted(folder.glob("state-*.safetensors"))


def _hash(content: bytes) -> str:
    return hash_bytes(content, 12)
