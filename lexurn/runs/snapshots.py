"""Snapshots: the weights at some steps of a training, evenly spaced in the square root of the step.

During the training each snapshot is a file of its own, so that an interrupted training loses none.
At its end they become one file, `series.safetensors`, which stacks each weight over the steps.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save

from lexurn.base import files
from lexurn.base.shapes import State

SNAPSHOTS = "series.safetensors"

FIRST_STEP = 20
"""The step of the first snapshot."""


def choose_steps(n_steps: int, n: int) -> list[int]:
    """Return `n` steps from `FIRST_STEP`, or from the last step if it comes sooner, to the last.

    The list is shorter where several of them are equal.
    """
    if n == 0:
        return []
    first = min(FIRST_STEP, n_steps)
    roots = torch.linspace(first**0.5, n_steps**0.5, n, dtype=torch.float64)
    return sorted({int(root**2 + 0.5) for root in roots.tolist()} | {n_steps})[-n:]


class SnapshotWriter:
    """Write the weights at some steps into a run's folder."""

    def __init__(self, folder: Path, steps: Sequence[int]):
        self.folder = folder
        self.parts = folder / "series"
        self.steps = steps

    def __call__(self, step: int, weights: Callable[[], State]) -> None:
        """Write the weights before this step, if it is one of the steps and not written yet."""
        path = self.parts / f"{step:08d}.safetensors"
        if step in self.steps and not path.exists():
            self.parts.mkdir(exist_ok=True)
            files.write(path, save(weights()))

    def finish(self) -> None:
        """Make the snapshots one file; a training that ended early has fewer of them."""
        if not self.steps:
            return
        parts = {
            int(path.stem): load_file(path) for path in sorted(self.parts.glob("*.safetensors"))
        }
        names = next(iter(parts.values()))
        stacked = {name: torch.stack([part[name] for part in parts.values()]) for name in names}
        files.write(self.folder / SNAPSHOTS, save(stacked | {"step": torch.tensor(list(parts))}))
        shutil.rmtree(self.parts)


def read(folder: Path) -> Iterator[tuple[int, State]]:
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
