"""The key of a run: twelve hexadecimal digits of everything that changes the mathematics."""

import hashlib
import json
from collections.abc import Mapping

from lexurn.settings.fields import Section, key_default_of
from lexurn.settings.registry import CHOICES

TRAINING_VERSION = 1
"""Raised when equal settings no longer give equal numbers; the golden test watches over it."""


def key_of(parts: Mapping[str, Section]) -> str:
    """Return the key of a run whose `parts` are its task, vocabulary, backbone and training.

    It hashes TRAINING_VERSION, the names of task, vocabulary and backbone, and the settings that
    differ from their key defaults. So neither a new setting nor a new user-facing default moves the
    key of a stored run. Where a run is computed and what a chapter averages over is not in it.
    """
    content = {"version": TRAINING_VERSION}
    content |= {section: parts[section].name for section in CHOICES}
    for section, part in parts.items():
        values = part.model_dump(mode="json")
        for name, field in type(part).model_fields.items():
            if name != "name" and values[name] != key_default_of(field):
                content[f"{section}.{name}"] = values[name]
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
