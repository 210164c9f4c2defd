"""What cannot be registered is refused with the reason, and leaves everything else as it was."""

import os
import subprocess
import sys
from typing import Literal

import pytest
from click.testing import CliRunner
from pydantic import Field

from lexurn import cli
from lexurn.base import paths
from lexurn.base.errors import ParameterError
from lexurn.settings import (
    BackboneSettings,
    PositionFreeSettings,
    Settings,
    TaskSettings,
    Whole,
    names,
    registry,
    resolver,
)


class Mine(PositionFreeSettings):
    name: Literal["mine"] = "mine"
    reach: Whole = Field(3, ge=1, description="rows that are seen")


class OwnTask(TaskSettings):
    name: Literal["own"] = "own"

    @property
    def vocab_size(self):
        return 4


class Nameless(PositionFreeSettings):
    reach: Whole = Field(3, description="rows that are seen")


class NameWithoutDefault(PositionFreeSettings):
    name: Literal["mine"]


class Undescribed(Mine):
    more: Whole = 3


class WithoutDefault(Mine):
    more: Whole = Field(description="more rows")


class Sizeless(TaskSettings):
    name: Literal["own"] = "own"


class Positionless(BackboneSettings):
    name: Literal["mine"] = "mine"


class OtherLSTM(PositionFreeSettings):
    name: Literal["lstm"] = "lstm"


class Clash(Mine):
    n_colors: Whole = Field(3, description="colours")


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """What is registered and unavailable, to be forgotten after a test."""
    entries = {section: dict(each) for section, each in registry._ENTRIES.items()}
    monkeypatch.setattr(registry, "_ENTRIES", entries)
    monkeypatch.setattr(registry, "UNAVAILABLE", {})
    monkeypatch.setattr(names, "UNAVAILABLE", registry.UNAVAILABLE)
    registry.flat_names.cache_clear()
    yield entries
    registry.flat_names.cache_clear()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("backbones", Mine, "a:B"), "a section: task or vocabulary or backbone; got 'backbones'"),
        (("backbone", OwnTask, "a:B"), "a settings class derived from BackboneSettings"),
        (("backbone", Nameless, "a:B"), "a field `name: Literal"),
        (("backbone", NameWithoutDefault, "a:B"), "a field `name: Literal"),
        (("backbone", Undescribed, "a:B"), "a default and a description .* `more: Whole = Field"),
        (("backbone", WithoutDefault, "a:B"), "a default and a description .* `more: Whole ="),
        (("task", Sizeless, "a:B"), "a property vocab_size"),
        (("backbone", Positionless, "a:B"), "derived from PositionFreeSettings"),
        (("backbone", Mine, "a.B"), "a target as text, `module:attribute`"),
        (("backbone", OtherLSTM, "a:B"), "backbone lstm is registered already, as lexurn.models"),
        (("backbone", Clash, "a:B"), "backbone mine: n_colors is a setting of task already"),
    ],
)
def test_what_cannot_be_registered_is_refused_and_changes_nothing(registered, arguments, message):
    before = {section: dict(entries) for section, entries in registered.items()}
    with pytest.raises(ParameterError, match=message):
        registry.register(*arguments)
    assert registered == before
    assert resolver.check({"n_colors": 3}).task.n_colors == 3


def test_a_complete_registration_is_accepted_also_twice():
    for _ in range(2):  # a cell that is run again
        registry.register("backbone", Mine, "a:B")
    registry.register("task", OwnTask, "a:T")
    settings = resolver.check({"backbone": "mine", "reach": 5, "task": "own"})
    assert settings.backbone.reach == 5 and settings.task.vocab_size == 4
    assert "reach" in {row["name"] for row in names.parameters()}


@pytest.mark.parametrize("target", ["nowhere.at_all:B", "lexurn.models.lstm:Nothing"])
def test_a_target_that_does_not_exist_is_named(target):
    registry.register("backbone", Mine, target)
    with pytest.raises(ParameterError, match=f"backbone mine was registered with .* {target}"):
        registry.load_target("backbone", "mine")


def test_a_setting_of_any_type_is_listed_with_the_others():
    class Odd(Mine):
        pair: tuple[int, int] = Field((1, 2), description="two numbers")
        table: dict[str, int] = Field({}, description="numbers by name")

    registry.register("backbone", Odd, "a:B")
    assert {"pair", "table", "reach"} <= {row["name"] for row in names.parameters()}


def test_a_class_that_a_worker_cannot_import_matters_only_to_runs_that_need_it():
    registry.register_again([("backbone", "nowhere.at_all:Mine", "nowhere.at_all:B")])
    assert resolver.check({"n_steps": 7}).training.n_steps == 7
    with pytest.raises(ParameterError, match="got 'mine'.*nowhere.at_all:Mine is not available"):
        resolver.check({"backbone": "mine"})


def test_settings_of_a_run_whose_parts_are_not_here_say_which_are_missing():
    registry.register("backbone", Mine, "a:B")
    stored = resolver.check({"backbone": "mine"}).model_dump(mode="json")
    assert Settings.from_stored(stored).backbone.name == "mine"
    other = stored | {"backbone": stored["backbone"] | {"older": 1}}
    with pytest.raises(ParameterError, match="stored settings: backbone.older: Extra inputs"):
        Settings.from_stored(other)
    del registry._ENTRIES["backbone"]["mine"]
    with pytest.raises(ParameterError, match="no backbone 'mine' here; install the package"):
        Settings.from_stored(stored)


def test_a_package_that_cannot_be_loaded_is_named_and_everything_else_works(tmp_path):
    info = tmp_path / "broken_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[lexurn]\nbroken = broken_package\n")
    (tmp_path / "broken_package.py").write_text("raise RuntimeError('half written')\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(paths.root())])}

    def run(*arguments):
        command = [sys.executable, "-m", "lexurn", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    listed = run("parameters")
    assert listed.returncode == 0 and "n_colors" in listed.stdout
    assert listed.stderr.count("warning: package broken-package 1.0: the entry point broken") == 1
    assert "RuntimeError: half written" in listed.stderr
    assert run("--help").stderr == ""
    unknown = run("parameters", "--task", "broken")
    assert unknown.returncode == 2
    assert "must be one of" in unknown.stderr and unknown.stderr.count("broken-package 1.0") == 2


def test_without_broken_packages_no_package_is_named():
    done = CliRunner().invoke(cli.main, ["parameters", "--task", "broken"])
    assert done.exit_code == 2 and "package" not in done.output
