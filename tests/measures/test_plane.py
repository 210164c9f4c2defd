"""The map of predictors: corners at their distances, models at their relative distances."""

import numpy as np
import pandas as pd
import pytest
import torch

from lexurn.generators.urns import Urns
from lexurn.measures import comparison, plane
from lexurn.predictors import Generalizing, Memorizing, Symmetrized

URN = torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.float64)
REFERENCES = {
    "generalizing": Generalizing(3),
    "memorizing": Memorizing(URN),
    "symmetrized": Symmetrized(URN),
}
TOKENS = Urns(3).out_of_distribution(200, 20, generator=torch.Generator().manual_seed(1))


def d(first, second):
    return comparison.mean_over_rows(comparison.distance(first, second, TOKENS)).mean().item()


def on_map(places, predictor):
    path = pd.DataFrame([plane.distances(predictor, REFERENCES, TOKENS)])
    return plane.draw_map(places, {"model": path}).set_index("who").loc["model", ["x", "y"]]


def test_lengths_between_corners_are_distances():
    places = plane.corners(REFERENCES, TOKENS)
    for first in REFERENCES:
        for second in REFERENCES:
            apart = np.subtract(places[first], places[second])
            expected = d(REFERENCES[first], REFERENCES[second])
            assert apart @ apart == pytest.approx(expected, abs=1e-12)


def test_corners_lie_at_themselves_and_a_blend_at_its_relative_distance():
    places = plane.corners(REFERENCES, TOKENS)
    for name, predictor in REFERENCES.items():
        assert on_map(places, predictor).tolist() == pytest.approx(places[name], abs=1e-9)
    g, m, _ = REFERENCES.values()

    def blend(tokens):
        return (0.5 * g(tokens).exp() + 0.5 * m(tokens).exp()).log()

    x, _ = on_map(places, blend)
    r = (d(blend, g) - d(blend, m)) / d(g, m)
    assert x / places["memorizing"][0] == pytest.approx((1 + r) / 2)
    assert x != pytest.approx(0.5 * places["memorizing"][0], rel=1e-3)  # d is not quite quadratic


@pytest.mark.parametrize("equal", [("memorizing", "symmetrized"), ("generalizing", "memorizing")])
def test_predictors_that_coincide_make_no_triangle(equal):
    first, second = equal
    with pytest.raises(ValueError, match="make no triangle"):
        plane.corners(REFERENCES | {first: REFERENCES[second]}, TOKENS)
