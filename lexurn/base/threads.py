"""CPU threads: of torch, and of the linear algebra behind numpy and scipy.

The latter starts as many threads as there are cores. On small problems, such as fits of a few
numbers, they mostly wait for each other, and the more so where processes work side by side.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import scipy.linalg  # noqa: F401 (only what is loaded is limited)
import torch
from threadpoolctl import threadpool_limits


def set_threads(n: int) -> None:
    """Compute with `n` CPU threads from now on."""
    torch.set_num_threads(n)
    threadpool_limits(n)


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Compute with `n` CPU threads inside a block."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        with threadpool_limits(n):
            yield
    finally:
        torch.set_num_threads(before)
