"""What a training writes while it runs: the state that it is resumed from, and snapshots.

A state is one file of tensors, written whole or not at all. The name of a file holds its step and
the hash of its content, as in `state-00000500-1f0d8b602e4c.safetensors`; its metadata holds the key
of the run. Truncated or altered files, and files of another run, are therefore refused. The last
two states are stored.

Snapshots are the weights at some steps, evenly spaced in the square root of the step. During the
training each snapshot is a file of its own, so that an interrupted training loses none. At its end
they become one file, `series.safetensors`, which stacks each weight over the steps.
"""

import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor
from torch.utils.data import default_collate

from lexurn.base.files import hash_bytes, write
from lexurn.base.shapes import State

SECONDS = 30.0
"""Time between two saves."""

N_STATES = 2

SNAPSHOTS = "series.safetensors"

FIRST_STEP = 20
"""The step of the first snapshot."""


def save_state(folder: Path, state: State, *, key: str) -> Path:
    """Write a state, remove all but the last `N_STATES`, and return the path."""
    content = save(state, metadata={"key": key})
    path = folder / f"state-{int(state['step']):08d}-{hash_bytes(content, 12)}.safetensors"
    write(path, content, durable=True)
    for old in _states(folder)[:-N_STATES]:
        old.unlink()
    return path


def load_state(folder: Path, *, key: str) -> State | None:
    """Return the newest state that is whole and belongs to this run; None if there is none.

    Files that are refused are named on stderr.
    """
    for path in reversed(_states(folder)):
        try:
            if hash_bytes(path.read_bytes(), 12) != path.stem.rpartition("-")[2]:
                raise ValueError("its content does not match the hash in its name")
            with safe_open(path, framework="pt") as file:
                if (file.metadata() or {}).get("key") != key:
                    raise ValueError("it belongs to another run")
                if "metrics" not in file.keys():  # noqa: SIM118
                    raise ValueError("an older version has written it, without the metrics")
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, ValueError, SafetensorError) as error:
            print(f"{path.name} is refused: {error}", file=sys.stderr)
    return None


def to_tensor(text: str) -> Tensor:
    """Return a text as bytes (length), to save it with the state."""
    return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)


def to_text(content: Tensor) -> str:
    """Return the text that `to_tensor` was given."""
    return content.numpy().tobytes().decode()


def remove_states(folder: Path) -> None:
    """Remove what only a training that is resumed needs: states and single snapshots.

    What cannot be removed, for example from the store of another user, is left there.
    """
    with suppress(OSError):
        for path in _states(folder):
            path.unlink(missing_ok=True)
    shutil.rmtree(folder / "series", ignore_errors=True)


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


def choose_steps(n_steps: int, n: int) -> list[int]:
    """Return the steps of `n` snapshots, from `FIRST_STEP`, or a sooner last step, to the last.

    The list is shorter where several of them are equal.
    """
    if n == 0:
        return []
    roots = torch.linspace(min(FIRST_STEP, n_steps) ** 0.5, n_steps**0.5, n, dtype=torch.float64)
    return sorted({int(root**2 + 0.5) for root in roots.tolist()} | {n_steps})[-n:]


def write_snapshot(folder: Path, step: int, weights: Callable[[], State]) -> None:
    """Write the weights before a step, if they are not written yet."""
    path = folder / "series" / f"{step:08d}.safetensors"
    if not path.exists():
        write(path, save(weights()), durable=True)  # a state that is saved later relies on it


def join_snapshots(folder: Path) -> None:
    """Write all snapshots of a training into one file; one that ended early has fewer of them."""
    paths = sorted((folder / "series").glob("*.safetensors"))
    parts = {int(path.stem): load_file(path) for path in paths}
    if parts:
        stacked = default_collate(list(parts.values()))
        write(folder / SNAPSHOTS, save(stacked | {"step": torch.tensor(list(parts))}))


def read_snapshots(folder: Path) -> Iterator[tuple[int, State]]:
    """Yield each snapshot's step and weights, in order.

    Raises FileNotFoundError for a run without snapshots.
    """
    path = folder / SNAPSHOTS
    if not path.exists():
        raise FileNotFoundError(
            f"{folder.name} has no snapshots of its training; set n_checkpoints, for example 100"
        )
    stacked = load_file(path)
    for number, step in enumerate(stacked.pop("step").tolist()):
        yield step, {name: weight[number] for name, weight in stacked.items()}


def _states(folder: Path) -> list[Path]:
    return sorted(folder.glob("state-*.safetensors"))
