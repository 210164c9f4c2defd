"""The table of how models were trained: every set's values, and nothing that differs unnoticed."""

import pytest

from lexurn import parameters
from lexurn.chapters.analysis import methods


def test_a_set_shows_every_value_and_shared_settings_must_be_equal():
    slow, fast = (parameters.check({"n_steps": 7, "learning_rate": rate}) for rate in (0.003, 0.01))
    constant = parameters.check({"n_steps": 70, "schedule": "constant", "eval_every": 5})
    table = methods.training_table({"two rates": [fast, slow], "long": [constant]})
    assert table.loc["two rates", ["trainings", "steps", "rate"]].tolist() == [
        2,
        "7",
        "0.003 or 0.01",
    ]
    assert table.loc["long", ["schedule", "evaluated"]].tolist() == ["constant", "5"]
    shared = methods.shared_settings([slow, fast, constant], ("d_model", "optimizer"))
    assert shared == {name: slow.flat()[name] for name in ("d_model", "optimizer")}
    with pytest.raises(ValueError, match="learning_rate must be the same .*, got 0.003, 0.01"):
        methods.shared_settings([slow, fast], ("d_model", "learning_rate"))
