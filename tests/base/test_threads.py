"""The number of threads counts for torch and for numpy's and scipy's linear algebra."""

import torch
from threadpoolctl import threadpool_info

from lexurn.base.threads import threads


def n_threads():
    return {torch.get_num_threads(), *(library["num_threads"] for library in threadpool_info())}


def test_inside_a_block_all_libraries_have_as_many_threads_and_afterwards_as_before():
    assert len(threadpool_info()) > 1 and n_threads() == {1}  # as the tests begin
    with threads(2):
        assert n_threads() == {2}
    assert n_threads() == {1}
    torch.set_num_threads(2)  # the control: alone it leaves linear algebra as it was
    assert n_threads() == {1, 2}
    torch.set_num_threads(1)
