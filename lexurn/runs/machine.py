"""Where a run is computed: the device, and how many threads."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lexurn.base.errors import ParameterError


def resolve_device(asked: str) -> torch.device:
    """`auto` is cuda, else mps, else cpu; a device asked for by name must be there, else ParameterError."""
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if asked == "auto":
        return torch.device(next(name for name, is_there in there.items() if is_there))
    if not there[asked]:
        names = ", ".join(name for name, is_there in there.items() if is_there)
        raise ParameterError(
            f"device {asked} is not available here; available: {names}; use device auto"
        )
    return torch.device(asked)


@contextmanager
def threads(n: int) -> Iterator[None]:
    """So many CPU threads for the time of a block."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
