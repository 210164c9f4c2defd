"""Files of grids and of parameters: what is wrong in them is reported before any work."""

import pytest
import tried
import yaml

from lexurn.base import paths
from lexurn.base.errors import ParameterError
from lexurn.base.yaml_files import place, read_yaml
from lexurn.publish.dependencies import select_chapters
from lexurn.runs import sweeps
from lexurn.settings import resolver


def count_refusal(error):
    assert "\n" not in str(error.value)
    tried.count("YAML files with an error, refused in one line", 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"fixed: {n_steps: 2}\nseeds: 1\nseeds: 2\n", "seeds stands twice .* line 3"),
        (b"fixed:\n  n_steps: 2\n  n_steps: 3\n", "n_steps stands twice .* line 3"),
        (b"fixed: {'seed': 2, seed: 3}\n", "seed stands twice .* line 1, column 20"),
        (b"fixed: {task: caf\xe9}\n", "is not YAML in UTF-8: .* at line 1, column 18; save it as"),
        (b"#" + 90_000 * b"x" + b"\n\n# caf\xe9", "is not YAML in UTF-8: .* at line 3, column 6;"),
        (b"fixed: {task: '\0'}\n", "is not YAML in UTF-8: .* at line 1, column 16;"),
        (b"fixed: [\n", "is not YAML in UTF-8: .* line 2"),
        (b"fixed: " + 5000 * b"[" + 5000 * b"]", "is not YAML in UTF-8: maximum recursion depth"),
        (b"seeds: 1\nfixed: !!python/object/apply:os.system [ls]\n", "tags .* line 2, column 8"),
        (b"seeds: !!int many\n", "tags .* not allowed; .* line 1, column 8"),
        (b"seeds: 1\nfixed: {task: &a urns, corpus: *a}\n", "anchors .* line 2, column 15"),
        (b"fixed: {corpus: *}\n", "aliases .* put a text that begins so in quotes at line 1"),
    ],
)
def test_equal_names_and_unreadable_files_are_refused(tmp_path, content, message):
    path = tmp_path / "grid.yaml"
    path.write_bytes(content)
    with pytest.raises(ParameterError, match=message):
        sweeps.read(path)
    with pytest.raises(ParameterError, match=message) as error:
        resolver.read_parts(path, "train")
    count_refusal(error)
    path.write_bytes("fixed: {'seed': 2, n_steps: 3}  # café\n".encode())
    assert read_yaml(path) == {"fixed": {"seed": 2, "n_steps": 3}}


PARAMETERS = {
    "lex: true\nn_stepz: 3\n": "line 2: n_stepz is no parameter of any chapter",
    "lex: true\ntrain:\n  n_stepz: 3\n": "line 3: train: n_stepz is no parameter of any chapter",
    "lex: true\ntrain:\n  lex: false\n": "line 1: lex stands at the top level and under train",
    "lex: true\ntrain: 3\n": "line 2: train is a chapter and must hold",
    "lex: true\ntrain:\n  n_steps: 12:30\n": "line 3: n_steps .* a whole number .*, got '12:30'",
    "train:\n  lex: true\nn_steps: 0\n": "line 3: n_steps .* at least 1 .*, got 0",
    f"seed: 1\nn_steps: {5000 * '9'}\n": "line 2: n_steps .* a whole number .*, got inf",
    "seed: 1\ntrain:\n  prompts: [a]\n": "line 3: prompts is no parameter of 02_train",
}


@pytest.mark.parametrize("content", PARAMETERS)
def test_what_is_wrong_in_parameters_is_told_with_its_line(tmp_path, content):
    path = tmp_path / "params.yaml"
    path.write_text(content)
    with pytest.raises(ParameterError, match=f"params.yaml, {PARAMETERS[content]}") as error:
        select_chapters(("train",), path)
    count_refusal(error)
    path.write_text("lex: true\ntrain:\n  n_steps: 30\n")
    assert len(select_chapters(("train",), path)) == 1


GRIDS = {
    "seeds: 1\nfixd: {n_steps: 4}\n": "line 2: fixd: Extra .*; did you mean fixed\\? a grid holds",
    "axes:\n  kind: [normal]\n  lex: true\n": "line 3: axes: ",
    "axes:\n  kind: []\n": "line 2: axes: Value should have at least 1 item",
    "seeds: 12:30\n": "line 1: seeds: .*, got '12:30'",
    "fixed:\n  n_steps: 4\n  n_layer: 2\n": "line 3, at seed=0: n_layer is no parameter",
    "axes:\n  kind: [normal]\n  n_steps: [4, 0]\n": "line 3, at .*=0, seed=0: n_steps .* got 0",
    "axes:\n  model:\n    one: {n_steps: 4}\n    two:\n      n_steps: x\n": "line 5, at model=two",
    "seeds: [-1]\n": "at seed=-1: seed .* at least 0",
    "": " a grid holds fixed",
}


@pytest.mark.parametrize("content", GRIDS)
def test_what_is_wrong_in_a_grid_is_told_with_its_line(tmp_path, content):
    path = tmp_path / "grid.yaml"
    path.write_text(content)
    with pytest.raises(ParameterError, match=f"grid.yaml\\b.* ?{GRIDS[content]}") as error:
        sweeps.read(path)
    count_refusal(error)


def test_a_place_is_that_of_the_last_step_that_is_there(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_text("- a: 1\n- b:\n    c: 3\n")
    assert place(path) == place(path, 2) == place(path, "a") == str(path)
    assert place(path, 1, "b", "c", "d") == place(path, 1, "b", "c", 0) == f"{path}, line 3"
    assert place(path, 0) == f"{path}, line 1" != place(path, 1)


@pytest.mark.parametrize("n_seeds", [10**10, 10**30])
def test_too_many_seeds_are_refused_before_they_are_listed(tmp_path, n_seeds):
    path = tmp_path / "grid.yaml"
    path.write_text(f"seeds: {n_seeds}\n")
    with pytest.raises(ParameterError, match=f"has {n_seeds} points, more than 1000") as error:
        sweeps.read(path)
    count_refusal(error)


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
