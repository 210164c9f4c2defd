"""Former names of settings, which people type and stored runs hold."""

from collections.abc import Mapping
from typing import Any

RENAMED = {"initial": "init_from", "trained": "trainable", "trained_on": "train_split"}
"""Old flat names with their new ones."""

RENAMED_STORED = {
    "task": {"trained_on": "train_split"},
    "vocabulary": {"vocabulary": "name"},
    "training": {"initial": "init_from", "trained": "trainable"},
}
"""Old names of fields in `settings.json`, section by section, with their new ones."""


def upgrade_stored(nested: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the content of a `settings.json`, of whatever age, with the names of today."""
    upgraded = {}
    for section, values in nested.items():
        renamed = RENAMED_STORED.get(section, {})
        upgraded[section] = {renamed.get(name, name): value for name, value in values.items()}
    return upgraded
