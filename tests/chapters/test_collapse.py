"""The step of the largest mean cosine against the step nearest to the unigram."""

import numpy as np
import pandas as pd
import pytest

from lexurn.chapters.geometry import collapse


def test_an_early_and_a_late_collapse_are_not_averaged():
    rows = [
        {"norm_placement": place, "warmup": warmup, "seed": seed, "unigram": unigram}
        | {"collapse": unigram * factor}
        for place, factor in (("pre", 0.8), ("post", 1.25))
        for warmup, unigram in ((50, 20), (200, 40))
        for seed in range(3)
    ]
    turning = pd.DataFrame(rows)
    factors = {
        place: collapse.factors_of(part) for place, part in turning.groupby("norm_placement")
    }
    assert factors["pre"]["ratio"].value == pytest.approx(0.8)
    assert factors["post"]["ratio"].high == pytest.approx(1.25)  # no spread over seeds
    for each in factors.values():
        assert each["collapse"].value == each["unigram"].value == pytest.approx(2.0)
        assert each["follows"].value == pytest.approx(1.0)


def test_a_factor_has_an_interval_from_three_seeds_on():
    each = collapse.factor(np.log(pd.Series([1.0, 2.0, 4.0])))
    assert each.value == pytest.approx(2.0) and each.n == 3
    assert each.low * each.high == pytest.approx(4.0) and each.low < 1
    assert np.isnan(collapse.factor(np.log(pd.Series([1.0, 2.0]))).low)
