"""Kinds of values that settings have, and what every section of settings is."""

import json
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value


def _list_from_text(value: Any) -> Any:
    """`-p alpha '[1, 2, 1, 1]'` arrives as text."""
    if isinstance(value, str) and value.startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _texts(value: Any) -> Any:
    """One text is a list of one."""
    value = _list_from_text(value)
    return (value,) if isinstance(value, str) else value


def _positive(value: float | tuple[float, ...]) -> float | tuple[float, ...]:
    if min(value if isinstance(value, tuple) else (value,), default=0) <= 0:
        raise ValueError("must be positive")
    return value


def _positive_or_none(values: tuple[float, ...]) -> tuple[float, ...]:
    return _positive(values) if values else values


def _probabilities(values: tuple[float, ...]) -> tuple[float, ...]:
    if not all(0 <= value <= 1 for value in values):
        raise ValueError("must lie between 0 and 1")
    return values


Whole = Annotated[int, BeforeValidator(_no_boolean)]
Real = Annotated[float, BeforeValidator(_no_boolean), Field(allow_inf_nan=False)]
Concentration = Annotated[
    Real | tuple[Real, ...], BeforeValidator(_list_from_text), AfterValidator(_positive)
]

Positives = Annotated[
    tuple[Real, ...], BeforeValidator(_list_from_text), AfterValidator(_positive_or_none)
]
"""A list of positive numbers, possibly none."""
Wholes = Annotated[tuple[Whole, ...], BeforeValidator(_list_from_text)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
"""Texts, or one."""
Probabilities = Annotated[
    tuple[Real, ...], BeforeValidator(_list_from_text), AfterValidator(_probabilities)
]


class Section(BaseModel):
    """Settings of one owner: frozen, and with no other names than its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")
