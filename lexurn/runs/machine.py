"""What a run is computed on: the device and the number of threads."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lexurn.base.errors import ParameterError


def resolve_device(name: str) -> torch.device:
    """Return the device with this name; `auto` is cuda, else mps, else cpu.

    Raises ParameterError if this machine has no such device.
    """
    is_available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    available = [device for device in is_available if is_available[device]]
    if name != "auto" and name not in available:
        raise ParameterError(
            f"device {name} is not available here; available: {', '.join(available)}; use device "
            "auto"
        )
    return torch.device(available[0] if name == "auto" else name)


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Compute with `n` CPU threads inside a block."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
