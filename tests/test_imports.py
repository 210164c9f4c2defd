"""Imports run one way, and what must be light is."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from jaxtyping import TypeCheckError

import lexurn
from lexurn.predictors import Generalizing

LIBRARY = Path(lexurn.__file__).parent
ORDER = [
    "settings",
    "paths",
    "files",
    "store",
    "wording",
    "parameters",
    "shapes",
    "seeding",
    "divergences",
    "tasks",
    "predictors",
    "models",
    "training",
    "checkpoints",
    "series",
    "uncertainty",
    "evaluation",
    "comparison",
    "discrimination",
    "experiment",
    "tracking",
    "claims",
    "provenance",
    "tables",
    "recording",
    "runs",
    "edition",
    "analysis",
    "plotting",
    "drawing",
    "figures",
    "sweeps",
    "workers",
    "kept",
    "strategies",
    "widgets",
    "chapters",
    "notebook_process",
    "cards",
    "execution",
    "faults",
    "authoring",
    "generated",
    "sphinx_pages",
    "site",
    "cli",
    "__main__",
]


def modules():
    return {
        ".".join(path.relative_to(LIBRARY).with_suffix("").parts).removesuffix(".__init__"): path
        for path in LIBRARY.rglob("*.py")
        if path != LIBRARY / "__init__.py"
    }


def imported(path):
    """Names of `lexurn`'s own parts, and of everything else, that a file imports anywhere in it."""
    own, other = set(), set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "lexurn":
            own |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("lexurn."):
            own.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module:
            other.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                (own if parts[0] == "lexurn" and len(parts) > 1 else other).add(
                    parts[parts[0] == "lexurn" and len(parts) > 1]
                )
    return own, other


@pytest.mark.parametrize("name", modules())
def test_a_module_imports_only_what_stands_before_it(name):
    part = name.split(".")[0]
    assert part in ORDER, f"{part} has no place in the order of imports; give it one in this test"
    own, _ = imported(modules()[name])
    later = {each for each in own if ORDER.index(each) > ORDER.index(part)}
    assert not later


def test_every_package_is_installed():
    packages = tomllib.loads((LIBRARY.parent / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = [path.parent.relative_to(LIBRARY.parent) for path in LIBRARY.rglob("__init__.py")]
    assert sorted(packages) == sorted(".".join(folder.parts) for folder in folders)


def test_the_order_can_be_broken(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("from lexurn import runs\nimport lexurn.training\nfrom lexurn.models import build\n")
    assert imported(bad)[0] == {"runs", "training", "models"}


def test_only_tracking_imports_wandb_and_training_needs_neither_it_nor_papermill():
    for name, path in modules().items():
        _, other = imported(path)
        assert "wandb" not in other or name == "tracking.recorder"
        assert "papermill" not in other or name == "notebook_process"


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import lexurn", "torch numpy pandas pydantic"),
        ("import lexurn.parameters; lexurn.parameters.check({'lex': True})", "torch numpy pandas matplotlib"),
        ("import lexurn.cli", "torch numpy pandas pydantic"),
        ("import lexurn.runs", "wandb papermill matplotlib IPython"),
    ],
)
def test_imports_are_light(statement, absent):
    code = f"{statement}; import sys; print([m for m in {absent.split()} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_annotations_are_executed_in_tests():
    with pytest.raises(TypeCheckError, match="tokens"):
        Generalizing(3)(torch.zeros(2, 3))  # no whole numbers
    with pytest.raises(TypeCheckError, match="tokens"):
        Generalizing(3)(torch.zeros(3, dtype=torch.int64))  # no batch
