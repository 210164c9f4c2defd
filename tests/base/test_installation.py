"""`import lexurn` is the library wherever it is said, editable or not.

A clone is a folder `lexurn` whose folder `lexurn` is the package, and whose folder `runs` holds the
stored runs. Where the clone's parent is on Python's path, as in Colab, the clone must not pass for
a package without code (setuptools issue 4668), nor its folder of runs for `lexurn.runs`.
"""

import os
import shutil
import subprocess
import sys
import sysconfig

import pytest

from lexurn.base.paths import LIBRARY

PACKAGE_DIR = 'package-dir = {"" = "."}'
WHERE = "import lexurn, lexurn.runs; print(lexurn.__file__, lexurn.runs.__file__)"
OPTIONS = {"editable": ["-e"], "not editable": []}


class Clone:
    """A clone, a script beside it, and an environment that it is installed in."""

    def __init__(self, parent, *options, drop=""):
        self.parent = parent
        self.folder = parent / "lexurn"
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(LIBRARY, self.folder / "lexurn", ignore=ignored)
        for name in ("README.md", "LICENSE"):
            shutil.copy(LIBRARY.parent / name, self.folder)
        project = (LIBRARY.parent / "pyproject.toml").read_text()
        (self.folder / "pyproject.toml").write_text(project.replace(drop, ""))
        (self.folder / "runs").mkdir()
        (parent / "beside.py").write_text(WHERE)
        venv = parent / "venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
        (site,) = venv.glob("lib/python*/site-packages")
        (site / "preinstalled.pth").write_text(sysconfig.get_path("purelib"))
        self.bin = venv / "bin"
        self.library = (self.folder if options else site) / "lexurn"
        pip = ["-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
        message = self.output("python", *pip, *options, str(self.folder))
        assert list(site.glob("lexurn-*.dist-info")), message

    def output(self, program, *arguments, cwd=None):
        """Return what a program of the environment prints, by default in the clone's parent."""
        variables = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
        command = [self.bin / program, *arguments]
        process = subprocess.run(
            command, cwd=cwd or self.parent, env=variables, capture_output=True, text=True
        )
        return (process.stdout or process.stderr).strip()


@pytest.fixture(scope="module", params=OPTIONS)
def clone(request, tmp_path_factory):
    return Clone(tmp_path_factory.mktemp("parent"), *OPTIONS[request.param])


def test_the_library_is_found_from_beside_its_clone_and_from_elsewhere(clone, tmp_path):
    files = f"{clone.library / '__init__.py'} {clone.library / 'runs' / '__init__.py'}"
    assert clone.output("python", "-c", WHERE) == files
    assert clone.output("python", "beside.py") == files
    assert clone.output("python", "-c", WHERE, cwd=tmp_path) == files
    (tmp_path / "lexurn").symlink_to(clone.folder)  # a second clone, as in another project
    assert clone.output("python", "-c", WHERE, cwd=tmp_path) == files


def test_the_command_is_found_from_beside_the_clone(clone):
    version = clone.output("lexurn", "--version")
    assert version.startswith("lexurn, version ")
    assert clone.output("python", "-m", "lexurn", "--version") == version


def test_a_clone_whose_packages_are_listed_only_is_a_package_without_code(tmp_path):
    clone = Clone(tmp_path, "-e", drop=PACKAGE_DIR)
    assert clone.output("python", "-c", "import lexurn; print(lexurn.__file__)") == "None"
