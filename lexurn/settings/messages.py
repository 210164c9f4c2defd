"""What is said of a value that settings refuse: what came, what is allowed, the nearest name, the fix. One line."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from lexurn.base.errors import suggestion
from lexurn.settings import CHOICES, FLAT, SECTIONS, owners


def schema_of(name: str) -> dict[str, Any]:
    """What the settings say about one flat name: its `default`, its `description`, and what is allowed."""
    if name in CHOICES:
        choices = names(name)
        return {
            "type": "string",
            "enum": list(choices),
            "default": choices[0],
            "description": CHOICES[name],
        }
    return owners(name)[0].model_json_schema()["properties"][name]


def names(section: str) -> tuple[str, ...]:
    """The names of the classes that a section may be of."""
    return tuple(each.model_fields["name"].default for each in SECTIONS[section])


def explain(error: ValidationError, values: Mapping[str, Any]) -> str:
    """One line: what is wanted, what came, what to do."""
    first = error.errors()[0]
    section, *rest = first["loc"] or ("",)
    if first["type"] == "union_tag_invalid":
        return refusal(section, values[section])
    name = next((part for part in (rest[1:] if section in CHOICES else rest) if part in FLAT), None)
    if name is None:  # a check over several fields, which words its message whole
        return first["msg"].removeprefix("Value error, ")
    return refusal(name, values[name])


def refusal(name: str, got: Any) -> str:
    schema = schema_of(name)
    remedy = f"use for example {schema['default']} (the default)" + (
        " or [1, 2, 1, 1]" if name == "alpha" else ""
    )
    if "enum" in schema and (near := suggestion(got, schema["enum"])):
        remedy = near.rstrip()
    return f"{name} ({schema['description']}) must be {_allowed(schema)}, got {got!r}; {remedy}"


def _allowed(schema: Mapping[str, Any]) -> str:
    if schema.get("type") in ("array", "string") and "enum" not in schema and "const" not in schema:
        if schema["type"] == "string":
            return "a text in quotes"
        holds_texts = schema.get("items", {}).get("type") == "string"
        return (
            f"a list of {'texts' if holds_texts else 'numbers such as [0.2, 0.7]'}, or [] for none"
        )
    if "anyOf" in schema:
        return "a positive number or a list of them, one per colour"
    if "enum" in schema:
        return "one of " + ", ".join(schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    kind = {"boolean": "True or False", "integer": "a whole number", "number": "a finite number"}[
        schema["type"]
    ]
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "greater than",
        "maximum": "at most",
        "exclusiveMaximum": "less than",
    }
    bounds = " and ".join(
        f"{word} {schema[bound]:g}" for bound, word in words.items() if bound in schema
    )
    return f"{kind} {bounds}".strip()
