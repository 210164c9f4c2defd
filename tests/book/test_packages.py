"""What is installed and what is vendored is known: versions, hashes, licences."""

import re
import shutil
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement

from lexurn.base import paths

ROOT = paths.root()
LOCK = (ROOT / ".ci" / "requirements.lock").read_text()
WORKFLOWS = {path.name: path.read_text() for path in (ROOT / ".github" / "workflows").glob("*")}
LICENCES = ROOT / "book" / "assets" / "vendor" / "LICENCES.md"
OWN = tuple(f"book/assets/{name}" for name in ("costs", "explorables", "vendor"))
"""Folders of book/assets that nobody else made."""


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def faults_of_lock(lock):
    """What requirements.txt and pyproject.toml ask for and a lock does not hold with its hash."""
    lines = [line for line in lock.splitlines() if not line.startswith("#")]
    pattern = re.compile(r"([a-z0-9-]+)==(\S+) --hash=sha256:[0-9a-f]{64}")
    matches = [pattern.fullmatch(line) for line in lines]
    versions = {match[1]: match[2] for match in matches if match}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    *named, own = re.findall(r"^[^#\n]+", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    wanted = named + project["dependencies"]
    for extra in re.search(r"\[(.*)\]", own)[1].split(","):
        wanted += project["optional-dependencies"][extra]
    for requirement in map(Requirement, wanted):
        version = versions.get(canonical(requirement.name))
        if version is None or version not in requirement.specifier:
            yield str(requirement)
    yield from (line for line, match in zip(lines, matches, strict=True) if not match)


def test_the_lock_holds_everything_that_is_asked_for():
    assert list(faults_of_lock(LOCK)) == []
    without = re.sub("^papermill==.*\n", "", LOCK, flags=re.MULTILINE)
    assert list(faults_of_lock(without)) == ["papermill==2.7.0", "papermill>=2.6"]
    other = re.sub("^torch==2.*? ", "torch==2.15 ", LOCK, flags=re.MULTILINE)
    assert list(faults_of_lock(other)) == ["torch<2.14,>=2.4"]
    assert list(faults_of_lock(LOCK + "zzz==1\n")) == ["zzz==1"]


def test_a_version_that_is_not_in_the_lock_is_told(tmp_path):
    code = re.search(r"<< 'END' .*?\n(.*?)^END", (ROOT / ".ci" / "run").read_text(), re.M | re.S)[1]
    (tmp_path / ".ci").mkdir()

    def warnings(lock):
        (tmp_path / ".ci" / "requirements.lock").write_text(lock)
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.splitlines()

    before = warnings(LOCK)
    planted = re.sub("^click==", "click==9", LOCK, flags=re.MULTILINE) + "zzz==1 --hash=sha256:0\n"
    told = [line for line in warnings(planted) if line not in before]
    assert [re.sub(r"[\d.]+", "?", line) for line in told] == [
        "::warning::click is ?, in ?ci/requirements?lock it is ?",
        "::warning::zzz is missing, in ?ci/requirements?lock it is ?",
    ]


def floating_actions(workflow):
    """The actions of a workflow that are not named by a commit, with their version beside it."""
    uses = re.findall(r"uses: *(.*)", workflow)
    return [use for use in uses if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", use)]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_actions_are_named_by_a_commit(name):
    assert floating_actions(WORKFLOWS[name]) == []
    planted = re.sub(r"checkout@\w+", "checkout@v4", WORKFLOWS[name])
    assert floating_actions(planted) == ["actions/checkout@v4  # v4.4.0"]


def test_the_edition_is_made_with_what_the_lock_names():
    installs = re.sub(r"\\\n *", "", WORKFLOWS["book.yml"])
    installs = re.findall(r"pip install (.*)", installs)
    assert len(installs) == 2 and "--require-hashes" in installs[0]
    assert installs[0].endswith("-r .ci/requirements.lock")
    assert installs[1] == "--no-deps --no-build-isolation -e ."


def faults_of_licences(root):
    """Folders without a row in the list of licences, and rows without what they name."""
    rows = re.findall(r"^\| (\w+/.*) \|$", LICENCES.read_text(), re.MULTILINE)
    listed = [row.split(" | ") for row in rows]
    places = ("book/assets", "book/assets/vendor", "tests/vendor")
    folders = {path for place in places for path in (root / place).iterdir() if path.is_dir()}
    folders = {path.relative_to(root).as_posix() for path in folders} - {*OWN}
    yield from sorted(folders ^ {folder for folder, *_ in listed})
    for folder, _, version, licence, names, source in listed:
        files = [root / folder / name for name in names.split(", ")]
        if not (version and licence and source.startswith("https://")):
            yield f"{folder}: version, licence or source is missing"
        yield from (f"{path}: missing" for path in files if not path.is_file())


def test_every_vendored_folder_is_on_the_list_with_its_licence(tmp_path):
    assert list(faults_of_licences(ROOT)) == []
    for place in ("book/assets", "tests/vendor"):
        ignored = shutil.ignore_patterns("*.js", "*.woff*", "t*.txt")
        shutil.copytree(ROOT / place, tmp_path / place, ignore=ignored)
    assert list(faults_of_licences(tmp_path)) == []
    (tmp_path / "book/assets/vendor/jquery").mkdir()
    (tmp_path / "tests/vendor/axe-core/LICENSE").unlink()
    assert list(faults_of_licences(tmp_path)) == [
        "book/assets/vendor/jquery",
        f"{tmp_path / 'tests/vendor/axe-core/LICENSE'}: missing",
    ]
