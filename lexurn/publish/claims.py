"""Published figures beside which the book sets its own: `params/claims.yaml`, written before the runs that fill it.

A claim says where a figure comes from and, in `low` and `high`, where ours must lie at the scale at which they apply.
What a band is worth depends on whether the result was known when it was written: then it carries `known_before`. Where
only the `sign` is claimed, a figure that is not told from zero is `undecided`. A band is never moved to where a result
came out: a claim that was found to fail gets `verdict: refuted`, and a book in which another verdict comes out than the
one that is written there is not in order (`unexpected`).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from math import isnan
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from lexurn.base import paths, session
from lexurn.base.errors import ParameterError, suggestion
from lexurn.measures import intervals


class Claim(BaseModel):
    """One published figure, its band, and the scale and n that the band is for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(pattern=r"^[a-z0-9_]+(/[a-zA-Z0-9_]+)*$")
    chapter: str
    figure: str
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
    sign: bool = False
    verdict: Literal["reproduced", "refuted", "undecided"] = "reproduced"

    @model_validator(mode="after")
    def _a_band_has_a_width(self) -> "Claim":
        if not self.low < self.high:
            raise ValueError(f"low must be below high, got {self.low} and {self.high}")
        return self

    @property
    def band(self) -> str:
        return f"{self.low:g} … {self.high:g}"

    @property
    def shown(self) -> str:
        """The published figure with its spread; empty where nothing was published."""
        spread = f" ± {self.spread:g}" if self.spread else ""
        return "" if self.published is None else f"{self.published:g}{spread}"

    def holds(self, value: float) -> bool:
        """Whether a value that was measured at the claim's scale lies in the band."""
        return bool(self.low <= value <= self.high)

    def judged(self, ours: "Measured") -> str:
        """The verdict on a figure that was measured at the claim's scale."""
        if self.sign and intervals.t_test_sign(ours.value, ours.error, ours.n) == 0:
            return "undecided"
        return "reproduced" if self.holds(ours.value) else "refuted"


@dataclass(frozen=True)
class Measured:
    """A figure of ours: its value, its standard error over `n` urns, pools or sets, and the exact value beside it."""

    value: float
    error: float
    n: int
    exact: float | None = None


def read() -> dict[str, Claim]:
    """All claims by their keys, in the order of the file; none where there is no such file."""
    return _read(paths.root() / "params" / "claims.yaml")


@cache
def _read(path: Path) -> dict[str, Claim]:
    written = yaml.safe_load(path.read_text()) if path.exists() else []
    claims = [Claim.model_validate(each) for each in written]
    keys = [claim.key for claim in claims]
    if twice := {key for key in keys if keys.count(key) > 1}:
        raise ValueError(
            f"params/claims.yaml has {min(twice)} twice; give each claim a key of its own"
        )
    return dict(zip(keys, claims, strict=True))


def state(measured: Mapping[str, Measured], *, at_scale: bool = True) -> dict[str, str]:
    """The verdict on each of our figures, which the page of all claims will show.

    `reproduced`, `refuted` or `undecided` only where a figure was measured `at_scale`, that of the bands, and with as
    many units.
    """
    verdicts = {}
    for key, ours in measured.items():
        claim = get(key)
        at_it = at_scale and ours.n == claim.n
        verdicts[key] = claim.judged(ours) if at_it else "not at this scale"
        session.current().claims[key] = {**asdict(ours), "verdict": verdicts[key]}
    return verdicts


def table(measured: Mapping[str, Measured], *, at_scale: bool = True) -> pd.DataFrame:
    """Our figures beside what was published: quantity, published, ours, band, known before, verdict; see `state`."""
    lines = []
    for key, verdict in state(measured, at_scale=at_scale).items():
        claim, ours = get(key), measured[key]
        line = {
            "quantity": claim.quantity,
            "published": claim.shown,
            "exact": "",
            "ours": f"{ours.value:.3g}",
        }
        if ours.exact is not None:
            line["exact"] = f"{ours.exact:.3g}"
        if not isnan(ours.error):
            line["ours"] = intervals.format_with_error(ours.value, ours.error)
        line |= {
            "n": ours.n,
            "band": claim.band,
            "for n": claim.n,
            "known before": claim.known_before,
        }
        lines.append({**line, "verdict": verdict})
    return pd.DataFrame(lines).set_index("quantity")


def numbers(measured: Mapping[str, Measured]) -> pd.DataFrame:
    """Our figures beside what was published, for a picture: claim, published, spread, low, high, ours, error, n."""
    lines = []
    for key, ours in measured.items():
        claim = get(key)
        line = {
            "claim": key,
            "published": claim.published,
            "spread": claim.spread,
            "low": claim.low,
            "high": claim.high,
        }
        lines.append(line | {"ours": ours.value, "error": ours.error, "n": ours.n})
    return pd.DataFrame(lines).astype({"published": float, "spread": float})


def summary(measured: Mapping[str, Measured], *, at_scale: bool = True) -> str:
    """In words: how many of our figures are in their bands, and which are not; see `state`."""
    verdicts = state(measured, at_scale=at_scale)
    counts = ", ".join(f"{number} {said}" for said, number in Counter(verdicts.values()).items())
    outside = [key for key, verdict in verdicts.items() if verdict == "refuted"]
    return f"Of {len(verdicts)} claims, {counts}{': ' * bool(outside)}{', '.join(outside)}."


def unexpected(said: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Of what chapters have `stated`: a line for each verdict that is not the one that is written with its claim."""
    lines = []
    for key, ours in said.items():
        claim = get(key)
        if ours["verdict"] not in (claim.verdict, "not at this scale"):
            lines.append(
                f"{claim.chapter}: {key} is {ours['verdict']}, not {claim.verdict}: {ours['value']:.4g} is "
                f"{'' if claim.holds(ours['value']) else 'not '}in its band {claim.band}"
            )
    return lines


def get(key: str) -> Claim:
    """The claim with this key. Raises ParameterError, with the nearest key."""
    claims = read()
    if key not in claims:
        raise ParameterError(f"no claim {key}; {suggestion(key, claims)}in params/claims.yaml")
    return claims[key]
