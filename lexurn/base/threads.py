"""CPU threads: of torch, and of the linear algebra behind numpy and scipy.

numpy and scipy start one thread per core for linear algebra. On small problems, such as fits of a
few numbers, these threads mostly wait for each other, above all while other processes are busy.
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
