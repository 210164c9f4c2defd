"""Helpers of the chapter on data."""

import numpy as np
import pytest

from lexurn.chapters.data import students


def test_the_error_of_a_ratio_of_means_is_what_draws_show():
    first, second = {"mean": 10.0, "sem": 0.3}, {"mean": 2.0, "sem": 0.1}
    ratio, error = students.ratio_of_means(first, second)
    draws = np.random.default_rng(0)
    ratios = draws.normal(10, 0.3, 100_000) / draws.normal(2, 0.1, 100_000)
    assert ratio == 5 and error == pytest.approx(ratios.std(), rel=0.02)
