"""Parameters under their former names, and hints for common abbreviations."""

import pytest

from lexurn.settings import flat_names
from lexurn.settings.names import ABBREVIATIONS, RENAMED
from lexurn.settings.resolver import ParameterError, check, read


def test_former_names_are_taken_with_a_notice(capsys, tmp_path):
    old = {"initial": "0123456789ab", "trained": "vocabulary"}
    new = {"init_from": "0123456789ab", "trainable": "vocabulary"}
    assert check(old) == check(new)
    notices = capsys.readouterr().err
    assert "initial is now called init_from" in notices
    assert "trained is now called trainable" in notices
    path = tmp_path / "params.yaml"
    path.write_text("trained_on: valid\ntask: text\n")
    assert read(path, "train") == {"train_split": "valid", "task": "text"}
    assert check(new) and "is now called" not in capsys.readouterr().err.partition("task")[2]


def test_a_parameter_under_both_names_is_refused():
    with pytest.raises(ParameterError, match="initial is now called init_from; keep one"):
        check({"initial": "0123456789ab", "init_from": "0123456789ab"})


def test_former_names_and_abbreviations_lead_to_parameters_that_exist():
    assert set(RENAMED.values()) <= flat_names().keys()
    assert set(ABBREVIATIONS.values()) <= flat_names().keys()
    assert not (RENAMED.keys() | ABBREVIATIONS.keys()) & flat_names().keys()


@pytest.mark.parametrize(
    ("name", "meant"), [*ABBREVIATIONS.items(), ("learning_rat", "learning_rate")]
)
def test_common_abbreviations_get_the_right_hint(name, meant):
    with pytest.raises(ParameterError, match=f"did you mean {meant}\\?"):
        check({name: 1})
