"""Every forecast on names has a label of its own, and no label has lost its forecast."""

from lexurn.chapters.names import labels
from lexurn.publish import claims


def test_labels_are_those_of_the_forecasts():
    keys = [key.partition("/")[2] for key in claims.read() if key.startswith("names/")]
    assert set(labels.FORECASTS) == set(keys) and {*labels.OTHER_UNITS} <= set(keys)
    assert len({*labels.FORECASTS.values()}) == len(keys)
    assert labels.is_deficit("names/width") and not labels.is_deficit("names/tables_4")
