"""One seed, many independent random streams, each identified by a name.

A stream is a function of (seed, name) alone, so that drawing more from one stream never changes
another. A name may contain a position, as in `generator(seed, "training", block)`: the stream at
that position is available without drawing everything before it.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def generator(seed: int, *name: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a torch generator for the stream `name` under `seed`."""
    digest = hashlib.sha256("/".join(map(str, (seed, *name))).encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def numpy_generator(generator: torch.Generator) -> np.random.Generator:
    """Return a numpy generator that is seeded by the next draw of a torch generator.

    It serves distributions that torch samples only from its global generator.
    """
    seed = torch.randint(2**63 - 1, (), generator=generator, device=generator.device)
    return np.random.default_rng(int(seed))


def default_generator(device: torch.device) -> torch.Generator:
    """Return the global generator of `device`, from which dropout draws."""
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        return torch.cuda.default_generators[index]
    if device.type == "mps":
        return torch.mps._get_default_mps_generator()
    return torch.default_generator


@contextmanager
def global_generator(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the global generator of `device` for a block, and restore its state (and the CPU's).

    Dropout and the constructors of modules can draw from nothing else.
    """
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        default_generator(device).manual_seed(seed)
        yield
