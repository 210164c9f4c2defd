"""One seed, many independent random streams, each told by its name.

A stream is a function of (seed, name) alone, so drawing more from one never moves another, and a position inside a
stream can be named (`generator(seed, "training", block)`) instead of reached.
"""

import hashlib

import numpy as np
import torch


def generator(seed: int, *name: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator for the stream `name` under `seed`."""
    digest = hashlib.sha256("/".join(map(str, (seed, *name))).encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def numpy_generator(generator: torch.Generator) -> np.random.Generator:
    """A numpy generator seeded by the next draw of a torch one, for laws that torch samples only globally."""
    seed = torch.randint(2**63 - 1, (), generator=generator, device=generator.device)
    return np.random.default_rng(int(seed))
