"""Claims that the book tests: `params/claims.yaml`.

A claim belongs to one of three `FAMILIES`, which are never counted together: a result that somebody
else published, a forecast of our own, or a check of our code against exact values. It gives the
band from `low` to `high` in which our number must lie at the claim's scale. Claims are committed
before the runs that measure them. A band is worth less if the result was known when the band was
written, so such a claim says `known_before`. A check is `reproduced` if our number lies in the
band. Any other claim is `reproduced` if the 90 % t interval of our number lies in the band,
`refuted` if the 95 % interval lies outside, and `undecided` between the two.

A band never moves to where a result came out: a claim that failed gets `verdict: refuted` and a
sentence `why`, and the build of the book fails if another verdict comes out than the claim's
(`unexpected_verdicts`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from math import isnan
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from lexurn.base import errors, paths, session, yaml_files
from lexurn.base.wording import format_with_error

NOT_AT_THIS_SCALE = "not at this scale"
FAMILIES = {"published": "published results", "forecast": "forecasts", "check": "checks"}


class Claim(BaseModel):
    """One claim: its number and source, its band, and the scale and n that the band applies to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(pattern=r"^[a-z0-9_]+(/[a-zA-Z0-9_]+)*$")
    family: Literal["published", "forecast", "check"]
    chapter: str = Field(pattern=r"^[\w-]+$")
    figure: str = Field(pattern=r"^[\w-]+$")
    quantity: str
    source: str
    published: float | None
    spread: float | None = None
    kind: Literal[
        "mean ± std over sequences", "mean ± s.e. over pools", "mean", "closed form", "none"
    ]
    low: float
    high: float
    scale: Literal["defaults", "book"]
    n: int = Field(ge=1)
    known_before: bool
    verdict: Literal["reproduced", "refuted", "undecided"] = "reproduced"
    why: str = ""

    @model_validator(mode="after")
    def _check(self) -> "Claim":
        if not self.low < self.high:
            raise ValueError(f"low must be below high, got {self.low} and {self.high}")
        if bool(self.why) != (self.verdict == "refuted"):
            raise ValueError(
                "a refuted claim has a sentence `why`, and no other claim has one, got "
                f"verdict {self.verdict} and why {self.why!r}"
            )
        return self

    @property
    def band(self) -> str:
        return f"{self.low:g} … {self.high:g}"

    @property
    def published_text(self) -> str:
        """The published number with its spread; empty if nothing was published."""
        spread = f" ± {self.spread:g}" if self.spread else ""
        return "" if self.published is None else f"{self.published:g}{spread}"

    def contains(self, value: float) -> bool:
        """Return whether a value lies in the band."""
        return bool(self.low <= value <= self.high)

    def judge(self, ours: "Measurement", *, at_scale: bool = True) -> str:
        """Return the verdict on our number; it needs the claim's scale (`at_scale`) and its n."""
        from lexurn.measures import intervals  # not above: it imports torch, pages do not need it

        if not at_scale or ours.n != self.n:
            return NOT_AT_THIS_SCALE
        if self.family == "check":
            return "reproduced" if self.contains(ours.value) else "refuted"
        inner, outer = (
            intervals.t_interval_of_mean(ours.value, ours.error, ours.n, level=level)
            for level in (0.90, 0.95)
        )
        if self.contains(inner.low) and self.contains(inner.high):
            return "reproduced"
        is_disjoint = outer.high < self.low or outer.low > self.high
        return "refuted" if is_disjoint else "undecided"


@dataclass(frozen=True)
class Measurement:
    """Our number, its standard error over `n` urns, pools or sets, and its exact value."""

    value: float
    error: float
    n: int
    exact: float | None = None

    def __str__(self) -> str:
        if isnan(self.error):
            return f"{self.value:.3g}".replace("nan", "undetermined")
        return format_with_error(self.value, self.error)

    @property
    def exact_text(self) -> str:
        return "" if self.exact is None else f"{self.exact:.3g}"


def read() -> dict[str, Claim]:
    """Return all claims by key, in the order of the file; no claims if there is no file.

    Raises ParameterError, with the line, if something in the file is wrong.
    """
    return _read(paths.root() / "params" / "claims.yaml")


@cache
def _read(path: Path) -> dict[str, Claim]:
    entries = yaml_files.read_yaml(path) if path.exists() else []
    try:
        claims = TypeAdapter(list[Claim]).validate_python(entries)
    except ValidationError as error:
        fields = Claim.model_fields
        form = f"the file is a list of claims, each with {', '.join(fields)}"
        raise errors.ParameterError(yaml_files.explain(path, error, fields, form)) from None
    by_key: dict[str, Claim] = {}
    for number, claim in enumerate(claims):
        if claim.key in by_key:
            raise errors.ParameterError(
                f"{yaml_files.place(path, number)}: the key {claim.key} stands twice; give each "
                "claim its own key"
            )
        by_key[claim.key] = claim
    return by_key


def get(key: str) -> Claim:
    """Return the claim with this key; raise ParameterError, naming the nearest key, if unknown."""
    claims = read()
    if key not in claims:
        raise errors.ParameterError(
            f"no claim {key}; {errors.suggestion(key, claims)}see params/claims.yaml"
        )
    return claims[key]


def record(measured: Mapping[str, Measurement], *, at_scale: bool = True) -> dict[str, str]:
    """Return the verdicts on our numbers, and record both for the page of all claims.

    A verdict needs the scale of the bands (`at_scale`) and the claim's n.
    """
    verdicts = {key: get(key).judge(ours, at_scale=at_scale) for key, ours in measured.items()}
    session.current().claims.update(
        {key: {**asdict(ours), "verdict": verdicts[key]} for key, ours in measured.items()}
    )
    return verdicts


def table(measured: Mapping[str, Measurement], *, at_scale: bool = True) -> Any:
    """Return a DataFrame of our numbers, published numbers, bands and verdicts; see `record`."""
    import pandas as pd  # not above: only chapters show tables

    verdicts = record(measured, at_scale=at_scale)
    known = [get(key) for key in measured]
    return pd.DataFrame(
        {
            "published": [claim.published_text for claim in known],
            "exact": [ours.exact_text for ours in measured.values()],
            "ours": [str(ours) for ours in measured.values()],
            "n": [ours.n for ours in measured.values()],
            "band": [claim.band for claim in known],
            "for n": [claim.n for claim in known],
            "known before": [claim.known_before for claim in known],
            "verdict": list(verdicts.values()),
        },
        index=pd.Index([claim.quantity for claim in known], name="quantity"),
    )


def unexpected_verdicts(recorded: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return an error message for each recorded verdict that differs from its claim's verdict."""
    messages = []
    for key, ours in recorded.items():
        claim = get(key)
        if ours["verdict"] not in (claim.verdict, NOT_AT_THIS_SCALE):
            messages.append(
                f"{claim.chapter}: {key} is {ours['verdict']}, not {claim.verdict}: "
                f"{ours['value']:.4g} ± {ours['error']:.2g} (n = {ours['n']}), band {claim.band}"
            )
    return messages
