"""Imports run downward, strings are imported in one place, and what must be light is light."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from jaxtyping import TypeCheckError

from lexurn.base.paths import LIBRARY
from lexurn.predictors import Generalizing


def check_contracts(root: Path) -> subprocess.CompletedProcess:
    """Run import-linter, whose contracts stand in pyproject.toml, on the library below `root`."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(
        command, cwd=root, env={"PYTHONPATH": str(root)}, capture_output=True, text=True
    )


def test_imports_run_downward():
    done = check_contracts(LIBRARY.parent)
    assert done.returncode == 0, done.stdout


def test_an_upward_import_and_one_between_chapters_are_found(tmp_path):
    shutil.copytree(LIBRARY, tmp_path / "lexurn", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(LIBRARY.parent / "pyproject.toml", tmp_path)
    (tmp_path / "lexurn/base/upward.py").write_text("from lexurn import runs\n")
    (tmp_path / "lexurn/chapters/data/sideways.py").write_text(
        "from lexurn.chapters.coins import counts\n"
    )
    (tmp_path / "lexurn/settings/heavy.py").write_text("import torch\n")
    done = check_contracts(tmp_path)
    assert "imports run downward BROKEN" in done.stdout
    assert "no chapter uses another BROKEN" in done.stdout
    assert "settings are light BROKEN" in done.stdout


def imports_by_string(path: Path) -> bool:
    names = {
        node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)
    }
    attributes = {
        node.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
    }
    return bool({"import_module", "__import__"} & (names | attributes))


def test_one_module_imports_by_a_string(tmp_path):
    by_string = [
        path.relative_to(LIBRARY).as_posix()
        for path in LIBRARY.rglob("*.py")
        if imports_by_string(path)
    ]
    assert by_string == ["settings/registry.py"]
    (tmp_path / "another.py").write_text("import importlib\nimportlib.import_module('lexurn')\n")
    assert imports_by_string(tmp_path / "another.py")


def test_every_folder_is_a_package():
    folders = {path.parent for path in LIBRARY.rglob("*.py")}
    assert all((folder / "__init__.py").exists() for folder in folders)


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import lexurn", "torch numpy pandas pydantic"),
        (
            "from lexurn import parameters; parameters.check({'lex': True})",
            "torch numpy pandas matplotlib",
        ),
        ("import lexurn.cli", "torch numpy pandas pydantic"),
        ("from lexurn.runs import get", "wandb papermill matplotlib IPython"),
        ("import lexurn.runs.store", "torch pandas"),
        ("from lexurn.publish import execution", "torch pandas scipy matplotlib IPython papermill"),
        (
            "from lexurn.publish import claims, dependencies, site; "
            "print(claims.Measurement(0.1, 0.01, 3), end=':')",
            "torch numpy pandas jupytext",
        ),
    ],
)
def test_imports_are_light(statement, absent):
    code = f"{statement}; import sys; print([m for m in {absent.split()} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().removeprefix("0.100 ± 0.010:") == "[]"


def test_annotations_are_executed_in_tests():
    with pytest.raises(TypeCheckError, match="tokens"):
        Generalizing(3)(torch.zeros(2, 3))  # no whole numbers
    with pytest.raises(TypeCheckError, match="tokens"):
        Generalizing(3)(torch.zeros(3, dtype=torch.int64))  # no batch
