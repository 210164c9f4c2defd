"""The first cell of a chapter as Colab runs it: without a clone, with torch, and without lexurn.

A repository of the test's own, which holds the working tree, stands in for the hosted one. A fresh
environment that sees everything installed here but lexurn stands in for Colab's Python. pip may
look nowhere else.
"""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import jupytext
import pytest
import torch
import yaml
from benchmarks import colab as colab_session
from packaging.requirements import Requirement

from lexurn.base import paths

ROOT = paths.root()
REPOSITORY = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]
CHAPTER = sorted((ROOT / "book").glob("[0-9][0-9]_*.py"))[
    0
]  # another test holds them all equal here

RUN = """
import json, sys, time, types
if {in_colab}:
    sys.modules["google.colab"] = types.ModuleType("google.colab")
seconds = []
for _ in range({times}):
    began = time.monotonic()
    exec(compile(open({path!r}).read(), {path!r}, 'exec'), {{}})  # tracebacks show its lines
    seconds.append(time.monotonic() - began)
import lexurn, torch
print(json.dumps({{"lexurn": lexurn.__file__, "torch": torch.__file__, "seconds": seconds}}))
"""


@pytest.fixture(scope="module")
def hosted(tmp_path_factory):
    """A repository with the files of the working tree, under the tag that the first cell names."""
    folder = tmp_path_factory.mktemp("hosted") / "lexurn.git"
    colab_session.host(folder, REPOSITORY["branch"])
    return folder


class Colab:
    """A machine with torch and without lexurn."""

    def __init__(self, folder, hosted):
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
        (self.own,) = (folder / "venv").glob("lib/python*/site-packages")
        self.preinstalled, self.content = folder / "preinstalled", folder / "content"
        self.preinstalled.mkdir(), self.content.mkdir()
        for place in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
            for path in Path(place).iterdir():
                if "lexurn" not in path.name:
                    (self.preinstalled / path.name).symlink_to(path)
        (self.own / "preinstalled.pth").write_text(f"{self.preinstalled}\n")
        self.python = folder / "venv" / "bin" / "python"
        here = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PIP_", "PYTHON"))
        }
        of_git = colab_session.instead_of(REPOSITORY["url"], hosted)
        of_pip = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
        of_pip["PIP_NO_BUILD_ISOLATION"] = (
            "0"  # as pip spells "none": setuptools is there, torch needs it
        )
        self.environment = here | of_git | of_pip

    def run(self, *, times=1, in_colab=True):
        """The first cell, so many times in one process; then what it makes ready is imported."""
        cell = next(
            each.source for each in jupytext.read(CHAPTER).cells if each.cell_type == "code"
        )
        path = self.own.parent / "cell.py"
        path.write_text(cell.replace("/content", str(self.content)))
        code = RUN.format(path=str(path), times=times, in_colab=in_colab)
        command, where = [self.python, "-c", code], {"cwd": self.content, "env": self.environment}
        return subprocess.run(command, **where, capture_output=True, text=True)

    def found(self, **how):
        done = self.run(**how)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    def installed(self):
        """What lies in the machine's own folder of packages by now."""
        return {path.name for path in self.own.iterdir()} - {"preinstalled.pth", "__pycache__"}


@pytest.fixture
def colab(tmp_path, hosted):
    return Colab(tmp_path, hosted)


@pytest.mark.book
def test_the_first_cell_installs_the_library_and_nothing_that_is_there(colab):
    done = colab.run(times=2)
    assert done.returncode == 0 and "detached HEAD" not in done.stderr, done.stderr[-3000:]
    found = json.loads(done.stdout)
    clone = colab.content / "lexurn"
    assert Path(found["lexurn"]) == clone / "lexurn" / "__init__.py"
    assert Path(found["torch"]).resolve() == Path(torch.__file__).resolve()
    assert colab.installed() and all("lexurn" in name for name in colab.installed())
    assert found["seconds"][1] < 1.0 < found["seconds"][0]
    before = (clone / ".git").stat().st_mtime_ns, colab.installed()
    again = colab.found()  # in a new process, as after a restart of the runtime
    assert again["lexurn"] == found["lexurn"] and again["seconds"][0] < 1.0
    assert before == ((clone / ".git").stat().st_mtime_ns, colab.installed())


@pytest.mark.book
def test_a_first_cell_that_was_cut_off_goes_on_when_it_is_run_again(colab):
    """pip ends for want of a package; with that at hand, running the cell again is all it takes."""
    (package,) = colab.preinstalled.glob("jaxtyping-*.dist-info")
    away = package.rename(colab.own.parent / package.name)
    assert "No matching distribution found for jaxtyping" in colab.run().stderr
    away.rename(package)
    assert Path(colab.found()["lexurn"]) == colab.content / "lexurn" / "lexurn" / "__init__.py"
    assert colab.installed() and all("lexurn" in name for name in colab.installed())


@pytest.mark.book
def test_elsewhere_the_first_cell_installs_nothing_and_says_what_to_do(colab):
    done = colab.run(in_colab=False)
    *_, line, error = [line for line in done.stderr.splitlines() if "^" not in line]
    assert error == "ModuleNotFoundError: No module named 'lexurn'" and done.returncode == 1
    assert line.endswith(f"git clone {REPOSITORY['url']}, and run this inside the clone")
    assert list(colab.content.iterdir()) == [] and colab.installed() == set()


PYPROJECT = (ROOT / "pyproject.toml").read_text()
DEPENDENCIES = tomllib.loads(PYPROJECT)["project"]["dependencies"]
COLAB_HAS = colab_session.published_versions(colab_session.LIST.read_text())


def replaced_in_colab(pyproject, versions=COLAB_HAS):
    """Yield the requirements for which pip would replace a package that Colab has."""
    project = tomllib.loads(pyproject)["project"]
    extras = project["optional-dependencies"]
    wanted = project["dependencies"] + extras["text"] + extras["cluster"]
    found = [
        (each, versions.get(colab_session.canonical(each.name)))
        for each in map(Requirement, wanted)
    ]
    return [str(each) for each, version in found if version and version not in each.specifier]


def test_the_library_takes_every_version_that_colab_has():
    assert list(replaced_in_colab(PYPROJECT)) == []
    newer = PYPROJECT.replace("ipywidgets>=7.7", "ipywidgets>=8.1")
    assert list(replaced_in_colab(newer)) == ["ipywidgets>=8.1"]  # Colab's front end has 7 only
    older = COLAB_HAS | {"numpy": "1.25"}
    assert list(replaced_in_colab(PYPROJECT, older)) == ["numpy>=1.26"]


ONLY_IN_8 = "ColorsInput|DatetimePicker|FloatsInput|IntsInput|NaiveDatetimePicker|Stack|TagsInput"
"""What ipywidgets 8.1 has and Colab's 7.7 lacks, as a pattern."""


def widgets_of_8(code):
    return re.findall(rf"ipywidgets\.({ONLY_IN_8})\b", code)


def test_no_widget_is_used_that_colab_lacks():
    paths_of_code = [*ROOT.glob("lexurn/**/*.py"), *ROOT.glob("book/*.py")]
    code = "\n".join(path.read_text() for path in paths_of_code)
    assert "ipywidgets.Tab(" in code and widgets_of_8(code) == []
    assert widgets_of_8(code.replace("ipywidgets.Tab(", "ipywidgets.Stack(")) == ["Stack"]


def test_colab_lacks_few_packages_and_none_that_is_large():
    names = [colab_session.canonical(Requirement(each).name) for each in DEPENDENCIES]
    assert set(names) - set(COLAB_HAS) == {"papermill", "jaxtyping"}


def test_versions_are_read_from_every_form_of_line():
    freeze = """# a comment
PyYAML==6.0.3
torch==2.11.0+cu128
torchvision @ https://download.pytorch.org/whl/cpu/torchvision-0.26.0%2Bcpu-cp313-cp313-x.whl
google-colab @ file:///colabtools/dist/google_colab-1.0.0.tar.gz
"""
    versions = {"pyyaml": "6.0.3", "torch": "2.11.0", "torchvision": "0.26.0"}
    assert colab_session.published_versions(freeze) == versions


def test_a_list_becomes_what_pip_installs(tmp_path):
    later = colab_session.LIST.read_text().replace("numpy==2.1.3", "numpy==2.2.0") + "keras==3.0\n"
    (tmp_path / "later.txt").write_text(later)
    colab_session.require(tmp_path / "later.txt", tmp_path / "made")
    required, constrained = (
        (tmp_path / "made" / name).read_text().splitlines()
        for name in ("requirements.txt", "constraints.txt")
    )
    assert "numpy==2.2.0" in required and "keras==3.0" in constrained
    assert not any(line.startswith(("keras", "papermill")) for line in required)
    (tmp_path / "later.txt").write_text(later.replace("torch==", "flash=="))
    with pytest.raises(SystemExit, match="has no version of torch; is it whole?"):
        colab_session.require(tmp_path / "later.txt", tmp_path / "made")


def test_the_weekly_workflow_calls_what_there_is():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "colab.yml").read_text())
    events, (job,) = workflow[True], workflow["jobs"].values()  # True: on
    assert set(events) == {"schedule", "workflow_dispatch"}
    assert workflow["permissions"] == {"contents": "read"} and "permissions" not in job
    commands = "\n".join(step.get("run", "") for step in job["steps"])
    calls = re.findall(r"tests/benchmarks/colab\.py (\w+) (.*)", commands)
    assert [name for name, _ in calls] == ["require", "run"]
    _, *chapters = calls[1][1].split()
    assert chapters == [path.stem for path in sorted((ROOT / "book").glob("0[123]_*.ipynb"))]
