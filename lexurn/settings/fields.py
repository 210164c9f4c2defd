"""Kinds of values that settings have, and what every section of settings is."""

import json
from contextlib import suppress
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo


def _refuse_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value


def _parse_list(value: Any) -> Any:
    """Return the list that a text holds: `-p alpha '[1, 2, 1, 1]'` arrives as text."""
    if isinstance(value, str) and value.startswith("["):
        with suppress(ValueError):
            return json.loads(value)
    return value


def _parse_texts(value: Any) -> Any:
    """Return a list of texts; a single text is a list of one."""
    value = _parse_list(value)
    return (value,) if isinstance(value, str) else value


Whole = Annotated[int, BeforeValidator(_refuse_boolean)]
Real = Annotated[float, BeforeValidator(_refuse_boolean), Field(allow_inf_nan=False)]
Positive = Annotated[Real, Field(gt=0)]
Concentration = Annotated[
    Positive | Annotated[tuple[Positive, ...], Field(min_length=1)], BeforeValidator(_parse_list)
]
Positives = Annotated[tuple[Positive, ...], BeforeValidator(_parse_list)]
Probabilities = Annotated[
    tuple[Annotated[Real, Field(ge=0, le=1)], ...], BeforeValidator(_parse_list)
]
Wholes = Annotated[tuple[Whole, ...], BeforeValidator(_parse_list)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_parse_texts)]


class Section(BaseModel):
    """Settings of one owner: frozen, and with no other names than its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def conflicts(self) -> list[tuple[bool, str]]:
        """Return which values do not go together: conditions, each with its error message."""
        return []

    @model_validator(mode="after")
    def _refuse_conflicts(self) -> "Section":
        for is_conflict, message in self.conflicts():
            if is_conflict:
                raise ValueError(message)
        return self


def default_of(field: FieldInfo) -> Any:
    """Return a field's default as JSON has it, also where the default follows from other fields."""
    default = field.get_default(call_default_factory=True, validated_data={})
    return list(default) if isinstance(default, tuple) else default


def key_default_of(field: FieldInfo) -> Any:
    """Return the value of a field that a key leaves out: its default when it was introduced.

    A field whose default is changed later names the old default as JSON has it, so that the keys of
    stored runs stay: `Field(3e-3, json_schema_extra={"key_default": 1e-2}, description=...)`.
    """
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "key_default" in extra:
        return extra["key_default"]
    return default_of(field)
