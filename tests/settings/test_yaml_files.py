"""Files of grids and of parameters: what is wrong in them is reported before any work."""

import pytest
import yaml

from lexurn.base import paths
from lexurn.base.errors import ParameterError
from lexurn.base.yaml_files import read_yaml
from lexurn.runs import sweeps
from lexurn.settings import resolver


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"fixed: {n_steps: 2}\nseeds: 1\nseeds: 2\n", "seeds stands twice .* line 3"),
        (b"fixed:\n  n_steps: 2\n  n_steps: 3\n", "n_steps stands twice .* line 3"),
        (b"fixed: {task: caf\xe9}\n", "is not YAML in UTF-8: unacceptable character #x00e9"),
        (b"fixed: [\n", "is not YAML in UTF-8: .* line 2"),
    ],
)
def test_equal_names_and_unreadable_files_are_refused(tmp_path, content, message):
    path = tmp_path / "grid.yaml"
    path.write_bytes(content)
    with pytest.raises(ParameterError, match=message):
        sweeps.read(path)
    with pytest.raises(ParameterError, match=message):
        resolver.read_parts(path, "train")


@pytest.mark.parametrize("n_seeds", [10**10, 10**30])
def test_too_many_seeds_are_refused_before_they_are_listed(tmp_path, n_seeds):
    path = tmp_path / "grid.yaml"
    path.write_text(f"seeds: {n_seeds}\n")
    with pytest.raises(ParameterError, match=f"has {n_seeds} points, more than 1000"):
        sweeps.read(path)


def test_only_lexical_models_of_texts_need_a_width(tmp_path):
    path = tmp_path / "grid.yaml"
    path.write_text("axes: {kind: [normal]}\nfixed: {task: text}\n")
    (point,) = sweeps.read(path).points
    assert point == resolver.check({"task": "text"})
    path.write_text("axes: {kind: [lexical]}\nfixed: {task: text}\n")
    with pytest.raises(ParameterError, match="at kind=lexical, seed=0: d_model must be at least"):
        sweeps.read(path)


VALUES = {
    "12:30": "12:30",
    "010": 10,
    "0o10": 8,
    "0x1F": 31,
    "1e-3": 0.001,
    "-1.5E+2": -150.0,
    ".5": 0.5,
    "-.inf": float("-inf"),
    "1_000": "1_000",
    "no": "no",
    "On": "On",
    "false": False,
    "TRUE": True,
    "~": None,
    "": None,
    "2026-11-29": "2026-11-29",
    "'1'": "1",
    "[1, .5, x]": [1, 0.5, "x"],
    "1.2.3": "1.2.3",
    "<<": "<<",
}


@pytest.mark.parametrize("text", VALUES)
def test_plain_values_are_read_by_yaml_1_2(tmp_path, text):
    path = tmp_path / "values.yaml"
    path.write_text(f"name: {text}\n")
    value = read_yaml(path)["name"]
    assert (value, type(value)) == (VALUES[text], type(VALUES[text]))


def test_the_library_by_itself_would_read_them_otherwise():
    assert yaml.safe_load("[12:30, 010, no, 1e-3]") == [750, 8, False, "1e-3"]


def test_every_file_of_the_repository_reads_the_same_by_either_schema():
    for path in sorted((paths.root() / "params").rglob("*.yaml")):
        assert read_yaml(path) == yaml.safe_load(path.read_bytes()), path


def test_a_tab_is_told_with_its_line_and_column(tmp_path):
    path = tmp_path / "tab.yaml"
    path.write_text("fixed:\n\tn_steps: 2\n")
    with pytest.raises(ParameterError, match="line 2, column 1"):
        read_yaml(path)
