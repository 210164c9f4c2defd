"""Matched loss: runs are compared where their losses are equal; a difference can vanish there."""

import numpy as np
import pandas as pd
import pytest

from lexurn.chapters.geometry import matched, trajectories


def trajectory(system, seed, speed, shift):
    """A run whose measure is its loss plus a shift; losses fall at a speed."""
    rows = []
    for step in (0, 10, 20, 40, 80):
        loss = 4 - np.log1p(speed * step)
        rows += [(step, 0, "loss", loss), (step, 1, "spread", loss + shift)]
    table = pd.DataFrame(rows, columns=["step", "layer", "measure", "value"])
    return table.assign(system=system, seed=seed)


def runs(shift):
    noise = (0.0, 0.01, -0.01)
    parts = [trajectory("slow", s, 0.1 + 0.001 * s, noise[s]) for s in range(3)]
    parts += [trajectory("fast", s, 0.3, shift + noise[s] / 2) for s in range(3)]
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize(("shift", "holds"), [(0, "at equal steps only"), (-0.3, "at both")])
def test_what_loss_explains_vanishes_at_matched_loss_and_the_rest_stays(shift, holds):
    along = runs(shift)
    loss = matched.matched_loss(along)
    assert loss == pytest.approx(4 - np.log1p(8))
    at_loss = matched.at_loss(along, loss)
    reached = at_loss[at_loss["measure"] == "loss"]["value"]
    assert reached.tolist() == pytest.approx([loss] * 6)
    steps = at_loss.groupby("system")["step"].max()
    assert steps["fast"] < 30 < steps["slow"] <= 80
    pairs = {"fast minus slow": (["fast"], ["slow"])}
    tables = [matched.differences(t, pairs, 1) for t in (matched.at_end(along), at_loss)]
    (row,) = matched.verdicts(*tables, {"spread": "spread"}).to_dict("records")
    assert row["holds"] == holds
    assert row["matched"][0] == pytest.approx(shift, abs=0.02)
    assert row["steps"][0] < shift - 0.5


def test_layer_minus_one_is_the_last_one_of_each_system():
    rows = [("a", 4, 1.0), ("a", 5, 7.0), ("b", 4, 2.0)]
    table = pd.DataFrame(rows, columns=["system", "layer", "value"]).assign(measure="m", seed=0)
    pairs = {"a minus b": (["a"], ["b"])}
    found = [matched.differences(table, pairs, layer)["value"].item() for layer in (4, -1)]
    assert found == [-1.0, 5.0]


def test_a_loss_that_a_run_never_has_is_an_error():
    with pytest.raises(ValueError, match="slow, seed 0: its loss does not pass 0.5"):
        matched.at_loss(runs(0), 0.5)


def test_turning_points_are_the_extremes_of_each_run():
    steps = np.array([0, 2, 4, 6, 8])
    rows = [(s, 1, "cosine", 1 - abs(s - 4)) for s in steps]
    rows += [(s, 0, "cosine", s) for s in steps]  # of another layer
    rows += [(s, 0, "from unigram", (s - 6) ** 2) for s in steps]
    early = pd.DataFrame(rows, columns=["step", "layer", "measure", "value"])
    found = trajectories.turning_points(early.assign(seed=4, warmup=50))
    assert found.to_dict("records") == [{"seed": 4, "warmup": 50, "collapse": 4, "unigram": 6}]
