"""Keys of runs: what moves them, what does not, and how runs of older versions are found."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lexurn import runs
from lexurn.base import paths
from lexurn.base.paths import LIBRARY
from lexurn.runs import contents, store
from lexurn.settings import Settings
from lexurn.settings.fields import key_default_of
from lexurn.settings.registry import CHOICES, settings_classes
from lexurn.settings.resolver import check
from lexurn.settings.training import TrainingSettings

PUBLISHED = paths.root() / "book" / "results"
TINY = {"n_steps": 4, "eval_every": 2, "n_test_samples": 10, "context_length": 4}


def published_settings():
    return {
        folder.name: Settings.from_stored(contents.read(folder, "settings"))
        for folder in store.folders(PUBLISHED)
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
from lexurn.runs import contents, store
from lexurn.settings import Settings
assert Settings().training.learning_rate == 3e-3 and Settings().training.added_training == 7
moved = 0
for folder in store.folders(pathlib.Path(sys.argv[1])):
    settings = Settings.from_stored(contents.read(folder, "settings"))
    assert settings.task.added_tasks == settings.backbone.added_backbones == 7
    moved += settings.name != folder.name
print(moved)
"""


def changed_library(folder, *, keep_old_default):
    """A copy with one more field in every settings class, and with another learning rate."""
    library = folder / "lexurn"
    shutil.copytree(LIBRARY, library, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("tasks", "backbones", "transformer", "vocabulary", "training"):
        path = library / "settings" / f"{name}.py"
        added = "backbones" if name == "transformer" else name
        field = f'    added_{added}: Whole = Field(7, ge=0, description="added")\n'
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


def as_an_older_version_stored_it(run):
    """The run's folder with a key and with names of settings of former times."""
    old = run.path.with_name(run.path.name[:-12] + "0123456789ab")
    run.path.rename(old)
    path = old / "settings.json"
    values = json.loads(path.read_text())
    values["vocabulary"]["vocabulary"] = values["vocabulary"].pop("name")
    values["training"]["initial"] = values["training"].pop("init_from")
    values["training"]["trained"] = values["training"].pop("trainable")
    path.write_text(json.dumps(values))
    without_checksums(old)
    return old


def without_checksums(folder):
    """Remove what former versions did not write."""
    (folder / "SHA256SUMS").unlink()
    results = json.loads((folder / "results.json").read_text())
    del results["has_checksums"]
    (folder / "results.json").write_text(json.dumps(results))


def test_runs_of_an_older_version_are_found(monkeypatch, tiny_run):
    first = as_an_older_version_stored_it(tiny_run(TINY))
    monkeypatch.setattr(runs.run.recording, "train", None)  # nothing may be trained again
    again = runs.get(TINY)
    assert again.path == first and again.settings == check(TINY)
    assert runs.load(again.settings.key).path == runs.load("0123456789ab").path == first
    assert runs.load(again.settings.name).path == first


def test_a_run_that_starts_from_an_older_one_is_found_too(tiny_run):
    source = tiny_run(TINY)
    second = runs.get(TINY | {"init_from": source.settings.key, "seed": 1})
    values = json.loads((second.path / "settings.json").read_text())
    values["training"]["init_from"] = "0123456789ab"
    (second.path / "settings.json").write_text(json.dumps(values))
    without_checksums(second.path)
    as_an_older_version_stored_it(source)
    renamed = second.path.with_name(second.path.name[:-12] + "ba9876543210")
    second.path.rename(renamed)
    assert store.settings_of(renamed).training.init_from == check(TINY).key
    assert runs.get(TINY | {"init_from": check(TINY).key, "seed": 1}).path == renamed


def test_a_run_of_another_training_version_is_not_taken(tiny_run):
    old = as_an_older_version_stored_it(tiny_run(TINY))
    provenance = json.loads((old / "provenance.json").read_text())
    (old / "provenance.json").write_text(json.dumps(provenance | {"training_version": 0}))
    assert not runs.is_stored(check(TINY))
