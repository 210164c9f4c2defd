"""Flat names that people type: former and short ones, the schema of each, and error messages.

An error message says what came, what is allowed, and the fix.
"""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from lexurn.base.errors import ParameterError, suggestion
from lexurn.settings.fields import default_of
from lexurn.settings.registry import CHOICES, HELP, UNAVAILABLE, entries, flat_names, owners

RENAMED = {"initial": "init_from", "trained": "trainable", "trained_on": "train_split"}
"""Former flat names of settings, with the names of today."""

ABBREVIATIONS = {
    "lr": "learning_rate",
    "bs": "batch_size",
    "wd": "weight_decay",
    "steps": "n_steps",
    "epochs": "n_epochs",
    "layers": "n_layers",
    "heads": "n_heads",
    "hidden_size": "d_model",
    "width": "d_model",
    "context": "context_length",
    "vocab_size": "n_colors",
    "model": "backbone",
    "clip": "grad_clip",
    "lexical": "lex",
    "permuted": "label_permuted",
}
"""Common names of parameters, with the names that they have here."""


def check_names(
    values: Mapping[str, Any], where: str = "", also: Iterable[str] = ()
) -> dict[str, Any]:
    """Return the values under the names of today. Raises ParameterError for an unknown name.

    Messages begin with `where` and list the names in `also` as known ones.
    """
    checked = {}
    for name, value in values.items():
        new = RENAMED.get(name, name)
        if new != name:
            if new in values:
                raise ParameterError(f"{where}{name} is now called {new}; keep one of the two")
            print(f"{where}{name} is now called {new}", file=sys.stderr)
        if new not in flat_names():
            known = sorted([*flat_names(), *also])
            raise ParameterError(
                f"{where}{name} is no parameter of any chapter; "
                f"{suggestion(ABBREVIATIONS.get(name, name), known)}known: "
                + "; ".join([", ".join(known), *UNAVAILABLE.values()])
            )
        checked[new] = value
    return checked


def schema_of(name: str) -> dict[str, Any]:
    """Return the JSON schema of one flat name: its `default`, `description`, and allowed values."""
    if name in CHOICES:
        names = list(entries(name))
        return {"type": "string", "enum": names, "default": names[0], "description": HELP[name]}
    settings = owners(name)[0]
    schema = settings.model_json_schema()["properties"][name]
    return schema | {"default": default_of(settings.model_fields[name])}


def explain(error: ValidationError, values: Mapping[str, Any]) -> str:
    """Return one line that says what is wanted, what came, and what to do."""
    first = error.errors()[0]
    name = next((part for part in first["loc"] if part in values), None)
    if name is None:  # a check over several fields words its whole message
        return first["msg"].removeprefix("Value error, ")
    return error_message(name, values[name])


def error_message(name: str, value: Any) -> str:
    """Return what is wrong with the value of one flat name, and what is allowed."""
    schema = schema_of(name)
    remedy = f"use for example {schema['default']} (the default)"
    if name == "alpha":
        remedy += " or [1, 2, 1, 1]"
    if "enum" in schema and (hint := suggestion(value, schema["enum"])):
        remedy = hint.rstrip()
    wanted = f"{name} ({schema['description']}) must be {allowed_values(schema)}"
    unavailable = UNAVAILABLE.values() if name in CHOICES else ()
    return "; ".join([f"{wanted}, got {value!r}", remedy, *unavailable])


def allowed_values(schema: Mapping[str, Any]) -> str:
    """Return which values a schema allows, as a text that follows "must be"."""
    if "enum" in schema:
        return "one of " + ", ".join(schema["enum"])
    kinds = {
        "boolean": "True or False",
        "integer": "a whole number",
        "number": "a finite number",
        "string": "a text in quotes",
        "list of string": "a list of texts, or [] for none",
        "list of number": "a list of numbers such as [0.2, 0.7], or [] for none",
        "list of integer": "a list of whole numbers, or [] for none",
        "": "a positive number or a list of them, one per colour",
    }
    kind = schema.get("type", "")
    kind = f"list of {schema.get('items', {}).get('type')}" if kind == "array" else kind
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "greater than",
        "maximum": "at most",
        "exclusiveMaximum": "less than",
    }
    bounds = [f"{word} {schema[bound]:,}" for bound, word in words.items() if bound in schema]
    return f"{kinds.get(kind, 'a value of this type')} {' and '.join(bounds)}".strip()


def parameters(*, task: str = "") -> list[dict[str, str]]:
    """Return all parameters in the order of the settings, or those that apply to one task.

    Each has the keys name, type, default, allowed, applies to, and meaning. Raises ParameterError
    for a task that does not exist.
    """
    if task and task not in entries("task"):
        raise ParameterError(error_message("task", task))
    rows = []
    for name, section in flat_names().items():
        choices = entries(section) if section in CHOICES else {}
        users = [
            each for each in choices if name in (section, *choices[each].settings.model_fields)
        ]
        if task and section == "task" and task not in users:
            continue
        schema = schema_of(name)
        applies_to = "chapters that average" if section == "study" else "every run"
        if len(users) < len(choices):
            applies_to = f"{section} {', '.join(sorted(users))}"
        rows.append(
            {
                "name": name,
                "type": type(schema["default"]).__name__,
                "default": repr(schema["default"]),
                "allowed": allowed_values(schema).removeprefix("one of "),
                "applies to": applies_to,
                "meaning": schema["description"],
            }
        )
    return rows
