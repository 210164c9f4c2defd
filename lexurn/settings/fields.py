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


def _positive(value: float | tuple[float, ...]) -> float | tuple[float, ...]:
    if min(value if isinstance(value, tuple) else (value,), default=0) <= 0:
        raise ValueError("must be positive")
    return value


Whole = Annotated[int, BeforeValidator(_no_boolean)]
Real = Annotated[float, BeforeValidator(_no_boolean), Field(allow_inf_nan=False)]
Concentration = Annotated[Real | tuple[Real, ...], BeforeValidator(_list_from_text), AfterValidator(_positive)]


class Section(BaseModel):
    """Settings of one owner: frozen, and with no other names than its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")
