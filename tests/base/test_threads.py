"""The number of threads counts for torch and for numpy's and scipy's linear algebra."""

import torch
from threadpoolctl import threadpool_info

from lexurn.base.threads import threads


def n_threads():
    libraries = {library["filepath"]: library["num_threads"] for library in threadpool_info()}
    return {"torch": torch.get_num_threads(), **libraries}


def test_inside_a_block_all_libraries_have_as_many_threads_and_afterwards_as_before():
    before = n_threads()
    assert sum(library["user_api"] == "blas" for library in threadpool_info()) >= 2
    with threads(3):
        assert set(n_threads().values()) == {3}
    assert n_threads() == before


def test_torch_alone_would_leave_linear_algebra_as_it_was():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    assert set(n_threads().values()) > {3}
    torch.set_num_threads(before)
