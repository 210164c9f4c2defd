"""One defect and one feature of the originals, as records; all texts are our own words.

A defect says what the source claims, what is right about it, what is wrong, our verdict on the
claim and its reason, the one test that catches defects of this kind, and where the corrected form
works in the book. It either names the number that the chapter computes with and without the defect
(`what`), or says why it is not reproduced (`not_here`).
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Source = Literal["urns", "rules", "coins", "geometry", "strategies"]
Verdict = Literal["stands", "weaker", "reversed", "undecidable", "not reproducible here"]


class Defect(BaseModel):
    """A defect of one source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(pattern=r"^[a-z0-9_]+$")
    source: Source
    claim: str
    right: str
    defect: str
    verdict: Verdict
    because: str
    test: str
    where: str = Field(pattern=r"^[0-9]{2}_[a-z]+$|^[a-z_]+$")
    what: str = ""
    not_here: str = ""

    @property
    def lesson(self) -> str:
        """The verdict with its reason, and the test, as Markdown."""
        return f"*Verdict: {self.verdict}*, because {self.because}. *The test:* {self.test}"

    @model_validator(mode="after")
    def _check(self) -> "Defect":
        if bool(self.what) == bool(self.not_here):
            raise ValueError(f"{self.key} needs either `what` is computed or `not_here`, why not")
        if bool(self.not_here) != (self.verdict == "not reproducible here"):
            raise ValueError(f"{self.key}: `not_here` belongs to `not reproducible here`")
        return self


class Feature(BaseModel):
    """What an original can do, and where the book does it; `where` is empty if nowhere yet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Source
    feature: str
    state: Literal["works", "in part", "lacking"]
    where: str = ""
    how: str
