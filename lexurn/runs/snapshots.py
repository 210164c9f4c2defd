"""Weights along a training, evenly spaced in the square root of the step: what a model was on its way.

While it is trained a run has a file for each, written once, so that a training that was cut off keeps what it had; at
its end they become one, `series.safetensors`, with each weight of all steps stacked.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from safetensors.torch import load, load_file, save

from lexurn.base import files
from lexurn.base.shapes import State

SERIES = "series.safetensors"

FIRST = 20
"""The first step whose weights are kept."""


def spaced(n_steps: int, n: int) -> list[int]:
    """`n` steps from `FIRST` (or the last, if that is sooner) to the last; fewer where some coincide."""
    if n == 0:
        return []
    first = min(FIRST, n_steps)
    roots = torch.linspace(first**0.5, n_steps**0.5, n, dtype=torch.float64)
    return sorted({int(root**2 + 0.5) for root in roots.tolist()} | {n_steps})[-n:]


class Series:
    """Keeps weights at some steps in a run's folder."""

    def __init__(self, folder: Path, steps: Sequence[int]):
        self.parts, self.whole, self.steps = folder / "series", folder / SERIES, set(steps)

    def __call__(self, step: int, weights: Callable[[], State]) -> None:
        """The weights before this step, if they are to be kept and are not yet."""
        path = self.parts / f"{step:08d}.safetensors"
        if step in self.steps and not path.exists():
            self.parts.mkdir(exist_ok=True)
            files.write(path, save(weights()))

    def finish(self) -> None:
        """Make them one file; those of a training that ended early are fewer."""
        if not self.steps:
            return
        paths = sorted(self.parts.glob("*.safetensors"))
        parts = [load(path.read_bytes()) for path in paths]
        stacked = {name: torch.stack([part[name] for part in parts]) for name in parts[0]}
        files.write(
            self.whole, save(stacked | {"step": torch.tensor([int(path.stem) for path in paths])})
        )
        shutil.rmtree(self.parts)


def read(folder: Path) -> Iterator[tuple[int, State]]:
    """Each step with its weights, in order. Raises FileNotFoundError where none were kept."""
    path = folder / SERIES
    if not path.exists():
        raise FileNotFoundError(
            f"{folder.name} kept no weights along its training; set n_checkpoints, for example 100"
        )
    stacked = load_file(path)
    for number, step in enumerate(stacked.pop("step").tolist()):
        yield step, {name: weight[number] for name, weight in stacked.items()}
