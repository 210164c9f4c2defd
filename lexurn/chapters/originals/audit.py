"""The list of defects, and the list of features, as tables with the effects that are computed.

The lists are in `urns_defects`, `rules_defects`, `description_defects`, `coins_defects` and
`geometry_defects`, and in `features_urns_rules` and `features_others`; `records` says what an entry
holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from lexurn.chapters.originals import (
    coins_defects,
    description_defects,
    features_others,
    features_urns_rules,
    geometry_defects,
    rules_defects,
    urns_defects,
)
from lexurn.chapters.originals.effects import Effect
from lexurn.chapters.originals.records import Defect, Feature
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


def defects() -> dict[str, Defect]:
    """Return all defects by key, in their order. Raises ValueError if a key stands twice."""
    modules = (
        urns_defects,
        rules_defects,
        description_defects,
        coins_defects,
        geometry_defects,
    )
    entries = [entry for module in modules for entry in module.DEFECTS]
    by_key = {entry.key: entry for entry in entries}
    if len(by_key) < len(entries):
        raise ValueError("two defects have the same key; give each its own")
    return by_key


def features() -> tuple[Feature, ...]:
    """Return all features in their order."""
    return features_urns_rules.FEATURES + features_others.FEATURES


@dataclass(frozen=True)
class Audit:
    """The defects with the effects that a chapter has computed; every computed one is needed."""

    effects: Mapping[str, Effect]

    def __post_init__(self) -> None:
        wanted = {key for key, each in defects().items() if each.what}
        if wanted != self.effects.keys():
            raise ValueError(f"effects differ from the defects in {wanted ^ self.effects.keys()}")

    def table(self) -> pd.DataFrame:
        """Return one row per defect: claim, defect, effect, verdict, test, where (a link)."""
        rows = []
        for key, each in defects().items():
            effect = str(self.effects[key]) if each.what else f"not run: {each.not_here}"
            rows.append(
                {
                    "claim": f"{each.source}: {each.claim}",
                    "defect": f"{each.defect} What is right: {each.right}",
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
