"""Published figures beside which the book sets its own: `params/claims.yaml`, written before the runs that fill it.

A claim says where a figure comes from and, in `low` and `high`, where ours must lie at the scale at which they apply.
What a band is worth depends on whether the result was known when it was written: then it carries `known_before`.
"""

from collections.abc import Mapping
from functools import cache
from typing import Literal

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from lexurn import parameters, paths


class Claim(BaseModel):
    """One published figure, its band, and the scale and n that the band is for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(pattern=r"^[a-z0-9_]+(/[a-zA-Z0-9_]+)*$")
    chapter: str
    quantity: str
    source: str
    published: float | None
    spread: float | None = None
    kind: Literal["mean ± std over sequences", "mean ± s.e. over pools", "mean", "closed form", "none"]
    low: float
    high: float
    scale: Literal["defaults", "book"]
    n: int = Field(ge=1)
    known_before: bool

    @model_validator(mode="after")
    def _a_band_has_a_width(self) -> "Claim":
        if not self.low < self.high:
            raise ValueError(f"low must be below high, got {self.low} and {self.high}")
        return self

    def holds(self, value: float) -> bool:
        """Whether a value that was measured at the claim's scale lies in the band."""
        return bool(self.low <= value <= self.high)


@cache
def read() -> dict[str, Claim]:
    """All claims by their keys, in the order of the file."""
    written = yaml.safe_load((paths.root() / "params" / "claims.yaml").read_text())
    claims = [Claim.model_validate(each) for each in written]
    keys = [claim.key for claim in claims]
    if twice := {key for key in keys if keys.count(key) > 1}:
        raise ValueError(f"params/claims.yaml has {min(twice)} twice; give each claim a key of its own")
    return dict(zip(keys, claims, strict=True))


def table(measured: Mapping[str, float], *, n: int | None) -> pd.DataFrame:
    """Our values beside what was published: quantity, published, ours, n, band, known before, in the band.

    Whether a value lies in its band is said only where it was measured at the scale of the bands, with as many urns or
    pools (`n`; None: at another scale).
    """
    lines = []
    for key, value in measured.items():
        claim = get(key)
        held = ("yes" if claim.holds(value) else "NO") if n == claim.n else "not at this scale"
        published = "" if claim.published is None else f"{claim.published:g}"
        spread = f" ± {claim.spread:g}" if claim.spread else ""
        line = {"quantity": claim.quantity, "published": published + spread, "ours": f"{value:.3g}"}
        band = {"band": f"{claim.low:g} … {claim.high:g}", "for n": claim.n, "known before": claim.known_before}
        lines.append({**line, **band, "in the band": held})
    return pd.DataFrame(lines).set_index("quantity")


def summary(measured: Mapping[str, float], *, n: int | None) -> str:
    """In words: how many of our values lie in their bands, and which do not."""
    held = table(measured, n=n)["in the band"]
    counts = ", ".join(f"{number} {said}" for said, number in held.value_counts().items())
    outside = [key for key, said in zip(measured, held, strict=True) if said == "NO"]
    return f"In their bands, of {len(held)} figures: {counts}{': ' * bool(outside)}{', '.join(outside)}."


def get(key: str) -> Claim:
    """The claim with this key. Raises ParameterError, with the nearest key."""
    claims = read()
    if key not in claims:
        raise parameters.ParameterError(f"no claim {key}; {parameters.suggestion(key, claims)}in params/claims.yaml")
    return claims[key]
