"""Keys of runs: what moves them, and what does not."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lexurn.base import paths
from lexurn.base.paths import LIBRARY
from lexurn.runs import contents
from lexurn.settings import Settings
from lexurn.settings.fields import key_default_of
from lexurn.settings.registry import CHOICES, settings_classes
from lexurn.settings.resolver import check
from lexurn.settings.training import TrainingSettings

PUBLISHED = paths.root() / "book" / "results"


def published_settings():
    folders = sorted(path.parent for path in PUBLISHED.glob(f"*/{contents.PACKED}"))
    return {
        folder.name: Settings.model_validate(contents.read(folder, "settings"))
        for folder in folders
    }


def test_published_runs_are_found_under_their_keys():
    named = published_settings()
    assert len(named) > 600
    assert all(settings.name == name for name, settings in named.items())


def test_key_defaults_never_change():
    """If this fails because a default was changed, give the field its old default by
    `json_schema_extra={"key_default": ...}`; a new field or class adds a line to the file."""
    present = {}
    for settings in [*sum(map(settings_classes, CHOICES), []), TrainingSettings]:
        for name, field in settings.model_fields.items():
            default = key_default_of(field)
            present[f"{settings.__name__}.{name}"] = (
                list(default) if isinstance(default, tuple) else default
            )
    recorded = json.loads(Path(__file__).with_name("key_defaults.json").read_text())
    assert present == recorded


COUNT_MOVED = """
import pathlib, sys
from lexurn.runs import contents
from lexurn.settings import Settings
assert Settings().training.learning_rate == 3e-3 and Settings().training.added_training == 7
moved = 0
for folder in pathlib.Path(sys.argv[1]).glob("*-*/"):
    settings = Settings.model_validate(contents.read(folder, "settings"))
    assert settings.task.added_tasks == settings.backbone.added_backbones == 7
    moved += settings.name != folder.name
print(moved)
"""


def changed_library(folder, *, keep_old_default):
    """A copy with one more field in every settings class, and with another learning rate."""
    library = folder / "lexurn"
    shutil.copytree(LIBRARY, library, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("tasks", "backbones", "vocabulary", "training"):
        path = library / "settings" / f"{name}.py"
        field = f'    added_{name}: Whole = Field(7, ge=0, description="added")\n'
        text = re.sub(
            r"^    (name: Literal|n_train_samples: )",
            field + r"    \1",
            path.read_text(),
            flags=re.M,
        )
        if name == "vocabulary":
            text = text.replace("import Real, Section", "import Real, Section, Whole")
        if name == "training":
            old = ', json_schema_extra={"key_default": 1e-2}' if keep_old_default else ""
            text = text.replace("Field(1e-2, gt=0", f"Field(3e-3{old}, gt=0")
        path.write_text(text)
    return folder


@pytest.mark.parametrize("keep_old_default", [True, False])
def test_a_new_field_in_every_class_and_a_new_default_leave_all_published_keys(
    tmp_path, keep_old_default
):
    environment = {"PYTHONPATH": str(changed_library(tmp_path, keep_old_default=keep_old_default))}
    command = [sys.executable, "-c", COUNT_MOVED, str(PUBLISHED)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (int(done.stdout) == 0) == keep_old_default  # a default without its old value moves keys


@pytest.mark.parametrize(
    "changed",
    [{"lex": True}, {"n_colors": 3}, {"backbone": "lstm"}, {"seed": 1}, {"learning_rate": 0.02}],
)
def test_what_changes_the_mathematics_changes_the_key(changed):
    assert check(changed).key != check({}).key


def test_where_and_how_much_do_not():
    assert check({"threads": 2, "tracker": "wandb", "n_urns": 12}).key == check({}).key
