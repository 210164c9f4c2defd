"""Hints for common abbreviations of parameters."""

import pytest

from lexurn.settings import flat_names
from lexurn.settings.names import ABBREVIATIONS
from lexurn.settings.resolver import ParameterError, check


def test_abbreviations_lead_to_parameters_that_exist():
    assert set(ABBREVIATIONS.values()) <= flat_names().keys()
    assert not ABBREVIATIONS.keys() & flat_names().keys()


@pytest.mark.parametrize(
    ("name", "meant"), [*ABBREVIATIONS.items(), ("learning_rat", "learning_rate")]
)
def test_common_abbreviations_get_the_right_hint(name, meant):
    with pytest.raises(ParameterError, match=f"did you mean {meant}\\?"):
        check({name: 1})
