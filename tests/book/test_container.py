"""The Dockerfile of the page `run.md`: its files and commands exist, and its command runs."""

import ast
import json
import re
import shutil
import tomllib

import pytest
from notebooks import papermill
from packaging.specifiers import SpecifierSet

from lexurn import runs
from lexurn.base import paths

ROOT = paths.root()
PAGE = (ROOT / "book" / "run.md").read_text()
TINY = {"n_steps": 6, "eval_every": 3, "n_test_samples": 20, "context_length": 8}


def blocks(language):
    """Return the code blocks of the page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def instructions(dockerfile):
    """Return each instruction of a Dockerfile with its arguments, one line each."""
    return dict(line.split(" ", 1) for line in dockerfile.splitlines() if "apt-get" not in line)


(DOCKERFILE,) = map(instructions, blocks("dockerfile"))
ENVIRONMENT = dict(pair.split("=") for pair in DOCKERFILE["ENV"].split())
COMMAND = json.loads(DOCKERFILE["CMD"])


def test_the_image_has_a_python_that_the_library_takes_and_installs_what_is_here():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    version = re.fullmatch(r"python:([\d.]+)-slim", DOCKERFILE["FROM"])[1]
    assert version in SpecifierSet(project["requires-python"])
    assert "3.10" not in SpecifierSet(project["requires-python"])  # the control
    (requirements,) = re.findall(r"pip install .*-r (\S+)$", DOCKERFILE["RUN"])
    assert (ROOT / requirements).is_file()
    assert ENVIRONMENT.keys() == {"HOME", "LEXURN_RUNS", "LEXURN_BUILD"}
    assert all(name.startswith(DOCKERFILE["VOLUME"]) for name in list(ENVIRONMENT.values())[1:])


def test_workers_of_a_cluster_have_one_thread_and_the_shared_store():
    slurm, kubernetes = (block for block in blocks("python") if "cluster" in block)
    for block in (slurm, kubernetes):
        ast.parse(block)
        assert "LEXURN_RUNS" in block
    assert "cores=1," in slurm and "--nthreads 1" in kubernetes  # others are refused


def modified_times(folder):
    """Return when every file of a folder was written, and its subfolders, but for caches."""
    return {
        path: path.is_file() and path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts
    }


@pytest.mark.book
def test_the_command_of_the_image_writes_nothing_into_the_repository(tmp_path, monkeypatch):
    clone, volume = tmp_path / "clone", tmp_path / "volume"
    volume.mkdir()
    ignored = shutil.ignore_patterns("results", "__pycache__")
    for name in ("book", "lexurn"):
        shutil.copytree(ROOT / name, clone / name, ignore=ignored)
    shutil.copy(ROOT / "_config.yml", clone)
    before = modified_times(clone)

    def inside(text):
        return text.replace(DOCKERFILE["VOLUME"], str(volume))

    environment = {name: inside(value) for name, value in ENVIRONMENT.items()}
    environment["HOME"] = "/dev/null"  # no folder can be made in it, even by root
    settings = [word for name, value in TINY.items() for word in ("-p", name, str(value))]
    program, *arguments = map(inside, COMMAND)
    assert program == "papermill"
    process = papermill(*arguments, *settings, folder=clone, **environment)
    assert process.returncode == 0, process.stderr[-3000:]
    assert (volume / "out.ipynb").exists() and list(volume.glob("runs/*/results.json"))
    assert modified_times(clone) == before
    monkeypatch.delenv("LEXURN_RUNS")  # the control: the store is not elsewhere
    monkeypatch.setattr(paths, "LIBRARY", clone / "lexurn")
    runs.get(TINY)
    assert modified_times(clone) != before
