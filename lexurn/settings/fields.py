"""Kinds of values that settings have, and what every section of settings is."""

import json
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.fields import FieldInfo


def _refuse_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value


def _parse_list(value: Any) -> Any:
    """Return the list that a text holds: `-p alpha '[1, 2, 1, 1]'` arrives as text."""
    if isinstance(value, str) and value.startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _parse_texts(value: Any) -> Any:
    """Return a list of texts; a single text is a list of one."""
    value = _parse_list(value)
    return (value,) if isinstance(value, str) else value


def _require_positive(value: float | tuple[float, ...]) -> float | tuple[float, ...]:
    if min(value if isinstance(value, tuple) else (value,), default=0) <= 0:
        raise ValueError("must be positive")
    return value


def _require_positive_or_none(values: tuple[float, ...]) -> tuple[float, ...]:
    return _require_positive(values) if values else values


def _require_probabilities(values: tuple[float, ...]) -> tuple[float, ...]:
    if not all(0 <= value <= 1 for value in values):
        raise ValueError("must lie between 0 and 1")
    return values


Whole = Annotated[int, BeforeValidator(_refuse_boolean)]
Real = Annotated[float, BeforeValidator(_refuse_boolean), Field(allow_inf_nan=False)]
Concentration = Annotated[
    Real | tuple[Real, ...], BeforeValidator(_parse_list), AfterValidator(_require_positive)
]

Positives = Annotated[
    tuple[Real, ...], BeforeValidator(_parse_list), AfterValidator(_require_positive_or_none)
]
"""A list of positive numbers, possibly empty."""
Wholes = Annotated[tuple[Whole, ...], BeforeValidator(_parse_list)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_parse_texts)]
"""A list of texts, or a single text."""
Probabilities = Annotated[
    tuple[Real, ...], BeforeValidator(_parse_list), AfterValidator(_require_probabilities)
]


class Section(BaseModel):
    """Settings of one owner: frozen, and with no other names than its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def default_of(field: FieldInfo) -> Any:
    """Return the value of a field that nothing is said about, also where it follows from others."""
    return field.get_default(call_default_factory=True, validated_data={})


def key_default(value: Any) -> dict[str, Any]:
    """Return what keeps the keys of stored runs when the default of a field changes.

    A run's key holds the settings that differ from their *key defaults*: the default of each field
    when it was introduced. A field whose default is changed later names the old one:
    `Field(3e-3, json_schema_extra=key_default(1e-2), description=...)`.
    """
    return {"key_default": value}


def key_default_of(field: FieldInfo) -> Any:
    """Return the value of a field that a key leaves out; see `key_default`."""
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "key_default" in extra:
        return extra["key_default"]
    return default_of(field)
