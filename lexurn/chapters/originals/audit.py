"""The list of defects, and the list of features: two files that a page shows as tables.

`defects.yaml` has one entry per defect, in our own words: what the source claims, what is right
about it, the defect, the verdict and its reason, the one test that would have caught it, and where
the correction works. An entry either names a number that the chapter computes (`what`), or says why
it is not reproduced (`not_here`). `features.yaml` lists what the originals can do, and where the
book does it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from lexurn.base import yaml_files
from lexurn.chapters.originals.effects import Effect
from lexurn.figures.tables import Link

VERDICTS = ("stands", "weaker", "reversed", "undecidable", "not reproducible here")
SOURCES = {
    "urns": "alexkstern/Lexurn",
    "rules": "meszarosanna/rule_extrapolation",
    "coins": "afiq-aswadi/balls-and-urns",
    "geometry": "nikitus20/llama-token-geometry",
    "strategies": "DanielWurgaft/rational-icl",
}
"""The repositories, by the name that the chapter uses for each."""

COMMITS = {
    "urns": "f157c87; the headline at 197fae0",
    "rules": "6ab9b70",
    "coins": "1520350",
    "geometry": "5f1ab87d",
    "strategies": "7fcd0a6",
}


class Defect(BaseModel):
    """One defect of one source; texts are ours."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(pattern=r"^[a-z0-9_]+$")
    source: Literal["urns", "rules", "coins", "geometry", "strategies"]
    claim: str
    right: str
    defect: str
    verdict: Literal["stands", "weaker", "reversed", "undecidable", "not reproducible here"]
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

    source: Literal["urns", "rules", "coins", "geometry", "strategies"]
    feature: str
    state: Literal["works", "in part", "lacking"]
    where: str = ""
    how: str


@cache
def defects() -> dict[str, Defect]:
    """Return all defects by key, in the order of the file."""
    entries = TypeAdapter(list[Defect]).validate_python(_read("defects.yaml"))
    return {entry.key: entry for entry in entries}


@cache
def features() -> tuple[Feature, ...]:
    """Return all features in the order of the file."""
    return tuple(TypeAdapter(list[Feature]).validate_python(_read("features.yaml")))


def _read(name: str) -> object:
    return yaml_files.read_yaml(Path(__file__).with_name(name))


@dataclass(frozen=True)
class Audit:
    """The defects with the effects that a chapter has computed; every computed one is needed."""

    effects: Mapping[str, Effect]

    def __post_init__(self) -> None:
        wanted = {key for key, each in defects().items() if each.what}
        if wanted != self.effects.keys():
            raise ValueError(f"effects differ from defects.yaml in {wanted ^ self.effects.keys()}")

    def table(self) -> pd.DataFrame:
        """Return one row per defect: claim, defect, effect, verdict, test, where (a link)."""
        rows = []
        for key, each in defects().items():
            effect = str(self.effects[key]) if each.what else f"not run: {each.not_here}"
            rows.append(
                {
                    "claim": f"{each.source}: {each.claim}",
                    "defect": f"{each.defect} Right is: {each.right}",
                    "effect": effect,
                    "verdict": f"{each.verdict}: {each.because}",
                    "test": each.test,
                    "where": link(each.where),
                }
            )
        return pd.DataFrame(rows)

    def counts(self) -> pd.Series:
        """Return how many defects have each verdict, in the order of `VERDICTS`."""
        verdicts = pd.Series([each.verdict for each in defects().values()])
        return verdicts.value_counts().reindex(VERDICTS, fill_value=0)


def feature_table() -> pd.DataFrame:
    """Return one row per feature: source, feature, state, where (a link), how."""
    rows = [
        {**each.model_dump(), "where": link(each.where) if each.where else ""}
        for each in features()
    ]
    return pd.DataFrame(rows)


def link(page: str) -> Link:
    """Return a link to a page of the book, such as `04_analysis` or `costs`."""
    number = page[:2]
    return Link(f"chapter {int(number)}" if number.isdigit() else page.replace("_", " "), page)
