"""Error messages for values that settings do not allow: what came, what is allowed, the fix."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from lexurn.base.errors import suggestion
from lexurn.settings.fields import default_of
from lexurn.settings.registry import CHOICES, HELP, entries, flat_names, owners

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


def suggest_parameter(name: str, known: list[str]) -> str:
    """Return `did you mean learning_rate? ` for a common abbreviation or a near name, else ``."""
    return suggestion(ABBREVIATIONS.get(name, name), known)


def schema_of(name: str) -> dict[str, Any]:
    """Return the JSON schema of one flat name: its `default`, `description`, and allowed values."""
    if name in CHOICES:
        names = list(entries(name))
        return {"type": "string", "enum": names, "default": names[0], "description": HELP[name]}
    settings = owners(name)[0]
    default = default_of(settings.model_fields[name])
    schema = settings.model_json_schema()["properties"][name]
    return schema | {"default": list(default) if isinstance(default, tuple) else default}


def explain(error: ValidationError, values: Mapping[str, Any]) -> str:
    """Return one line that says what is wanted, what came, and what to do."""
    first = error.errors()[0]
    name = next((part for part in first["loc"] if part in flat_names()), None)
    if name is None or name not in values:  # a check over several fields words its whole message
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
    return f"{name} ({schema['description']}) must be {_allowed(schema)}, got {value!r}; {remedy}"


def _allowed(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return "one of " + ", ".join(schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        return "a positive number or a list of them, one per colour"
    if schema["type"] == "string":
        return "a text in quotes"
    if schema["type"] == "array":
        items = "texts" if schema["items"].get("type") == "string" else "numbers such as [0.2, 0.7]"
        return f"a list of {items}, or [] for none"
    kinds = {"boolean": "True or False", "integer": "a whole number", "number": "a finite number"}
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "greater than",
        "maximum": "at most",
        "exclusiveMaximum": "less than",
    }
    bounds = [f"{word} {schema[bound]:g}" for bound, word in words.items() if bound in schema]
    return f"{kinds[schema['type']]} {' and '.join(bounds)}".strip()
