"""Files of grids and of parameters: what is wrong in them is reported before any work."""

import pytest

from lexurn.base.errors import ParameterError
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
