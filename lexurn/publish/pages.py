"""The generated pages: what every chapter was executed with, all claims, and the badge.

They are generated from the records of the chapters' executions (see `lexurn.publish.dependencies`)
alone, so a page cannot claim more than was computed.
"""

import re
from collections import ChainMap, Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from lexurn.base import paths
from lexurn.base.errors import SiteError
from lexurn.base.version import __version__
from lexurn.base.wording import counted
from lexurn.publish import claims
from lexurn.publish.cards import as_code, as_text
from lexurn.publish.dependencies import Chapter
from lexurn.runs import contents, integrity, store

EXECUTION = """# Execution

This table says with which parameters, on which device and when each chapter of this site was
executed. If a chapter failed, its page shows the results up to the failure. *Used* counts all
models and tables that a chapter has read, also those of controls and of other chapters. *Computed
now* counts those that it computed itself. The others were stored, and match their checksums.

| chapter | result | parameters | device | seconds | finished | commit | used | computed now |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""

CLAIMS = """# Claims

The book tests three families of claims and never counts them together: results that others have
*published*, *forecasts* of our own, and *checks* of our code against exact values.

Each claim has a *band* for our number, with a scale and an n. The band was written down before we
measured the number, and it does not move. There are two exceptions: the band of the causal linear
model was written when its result was known, and the bands of the published rates of rule 1 were
replaced, by one rule for all, when our results were known. If we knew a result roughly when we
wrote its band, or other measures of the same models, the last column says *yes*, and the band is
worth less. *No* says that no result of the judged models was known. Where other seeds had shown a
rough value, the claim is a replication. `params/claims.yaml` says what was known, in its comments.

- *Reproduced*: the 90 % interval of our number lies in the band.
- *Refuted*: the 95 % interval of our number lies outside the band.
- *Undecided*: neither.
- *Not at this scale*: this copy was executed with other settings than the band applies to, or with
  another n, for example because too few models have learned their language.

The intervals are t intervals, computed from ± and n. A check is judged by its number alone. ± is
one standard error over n seeds, urns or pools, unless the claim names other cases. For a published
number, ± is what its source states. The column *exact* has the value of M or S for the same urns.
Refuted claims come first, each with a sentence on what we saw instead.

For a published result, *refuted* is a statement about our models only. Most are smaller than the
published ones and were measured under other conditions, which the sentence names. A few bands are
also narrower than our 90 % interval; from these we draw no conclusion.
{first_edition}
"""
FIRST_EDITION = """What the first edition of this book claimed, and what has become of it, stands
[at the end](#first-edition).
"""
CLAIMS_OF_FAMILY = """## {title}

{about} {counts}

```{{table}}
:class: claims

| verdict | claim | published | exact | ours | band | known before |
| --- | --- | --- | --- | --- | --- | --- |
{rows}```

"""
ABOUT_FAMILY = {
    "published": "A result of another study, beside ours. Where the source gives a direction and "
    "no number, the table says *a sign only*. A number of ours that lies in its band is compatible "
    "with the publication, no more.",
    "forecast": "What we expected of our own models. Nothing was published about these numbers.",
    "check": "Values that can be computed exactly, or that other code has computed. They test the "
    "library and no idea: a refuted check would be a bug.",
}
NUMBER = r"\{number\}`(\w+)`"
VERDICTS = ("refuted", "undecided", "reproduced")  # of a claim that was tested, in this order
OTHER_VERDICTS = (claims.NOT_AT_THIS_SCALE, "not measured")


def execution_page(chapters: Sequence[Chapter]) -> str:
    """Return the page on what each chapter was executed with."""
    rows = [
        [f"[{chapter.name}]({chapter.name})", *_execution_cells(chapter.record)]
        for chapter in chapters
    ]
    return EXECUTION + table_rows(rows)


def claims_page(chapters: Sequence[Chapter]) -> str:
    """Return the page of all claims, family by family, the refuted ones first."""
    recorded = _recorded_claims(chapters)
    history = paths.root() / "params" / "first_edition.md"
    changed = history.read_text() if history.exists() else ""
    page = CLAIMS.format(first_edition=FIRST_EDITION if changed else "")
    for family, title in claims.FAMILIES.items():
        own = [key for key, claim in claims.read().items() if claim.family == family]
        own.sort(key=lambda key: (*VERDICTS, *OTHER_VERDICTS).index(recorded[key]["verdict"]))
        page += CLAIMS_OF_FAMILY.format(
            title=title.capitalize(),
            about=ABOUT_FAMILY[family],
            counts=_count_verdicts(family, recorded) + _count_unknown(family, recorded),
            rows=table_rows(_claim_cells(claims.get(key), recorded[key]) for key in own),
        )
    for key, ours in recorded.items():
        changed = changed.replace(f"{{{key}}}", ours["verdict"])
    return page + changed


def insert_numbers(text: str, chapters: Sequence[Chapter]) -> str:
    """Return a page with every {number}`name` replaced by the number of that name.

    Chapters record these numbers as they compute them (see `lexurn.brief`). {number}`verdicts`
    counts the verdicts on all claims, and {number}`version` is that of the library. Raises
    SiteError if two chapters differ in a number.
    """
    recorded = _recorded_claims(chapters)
    verdicts = " ".join(_count_verdicts(family, recorded) for family in claims.FAMILIES)
    numbers = {"verdicts": verdicts, "version": __version__}
    for chapter in chapters:
        own = chapter.record.get("numbers", {})
        for name in own.keys() & numbers.keys():
            if own[name] != numbers[name]:
                raise SiteError(
                    f"{chapter.name}: {name} is {own[name]}, "
                    f"in an earlier chapter {numbers[name]}; both must use the same runs"
                )
        numbers |= own
    return re.sub(NUMBER, lambda found: numbers.get(found[1], "(not at this scale)"), text)


def _recorded_claims(chapters: Sequence[Chapter]) -> Mapping[str, Any]:
    unmeasured = {key: {"verdict": "not measured"} for key in claims.read()}
    return ChainMap(*(chapter.record.get("claims", {}) for chapter in chapters), unmeasured)


def _count_verdicts(family: str, recorded: Mapping[str, Any]) -> str:
    """Return a sentence on how many claims of a family were tested, and with which results."""
    own = [claim for claim in claims.read().values() if claim.family == family]
    numbers = Counter(recorded[claim.key]["verdict"] for claim in own)
    results = [f"{numbers[name]} {name}" for name in VERDICTS if numbers[name]]
    n_tested = sum(numbers[name] for name in VERDICTS)
    title = claims.FAMILIES[family]
    if not n_tested:
        return f"None of {len(own)} {title} was tested at this scale."
    of_all = f" of {len(own)}" * (n_tested < len(own))
    return f"{n_tested}{of_all} {title} were tested: {', '.join(results)}."


def _count_unknown(family: str, recorded: Mapping[str, Any]) -> str:
    """Return a sentence on how many tested claims had a band before the models were known."""
    own = [claim for claim in claims.read().values() if claim.family == family]
    tested = [claim for claim in own if recorded[claim.key]["verdict"] in VERDICTS]
    n_unknown = sum(not claim.known_before for claim in tested)
    if family == "check" or not tested:
        return ""
    return f" For {n_unknown} of them, the last column says *no*."


def badge(chapters: Sequence[Chapter], *, scale: str) -> str:
    """Return the text at the top of every page: published edition or not, scale, device and dates.

    The edition is the published one only if all chapters were executed without failure, and
    everything that they used is published for this scale.
    """
    records = [chapter.record for chapter in chapters]
    executed = [record for record in records if record]
    last_date = max((record["finished"][:10] for record in executed), default="not yet")
    edition = integrity.edition()
    used = {name for record in executed for name in record["used"]}
    is_complete = all(record and not record["failed"] for record in records)
    is_at_scale = edition is not None and edition["scale"] == scale
    is_published = used and all(store.is_published(store.stored(name)) for name in used)
    if is_complete and is_at_scale and is_published:
        return (
            f"Published edition · scale {scale} · "
            f"models trained on {', '.join(edition['machines'])}, "
            f"frozen {datetime.fromisoformat(edition['frozen']).date()} · shown {last_date}"
        )
    devices = ", ".join(sorted({record["device"] for record in executed} - {""}))
    return (
        f"Not the published edition · scale {scale} · "
        f"computed on {devices or 'no device'} · {last_date}"
    )


def table_rows(rows: Iterable[Sequence[str]]) -> str:
    """Return the lines of a Markdown table, one per row of cells."""
    escaped = ([cell.replace("|", "\\|") for cell in cells] for cells in rows)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in escaped)


def _execution_cells(record: Mapping[str, Any]) -> list[str]:
    if not record:
        return ["not executed", *[""] * 7]
    parameters = ", ".join(f"{name} {value}" for name, value in record["parameters"].items())
    return [
        "**failed**" if record["failed"] else "done",
        as_code(parameters) if parameters else "the defaults",
        as_text(record["device"]),
        f"{record['seconds']:.0f}",
        record["finished"],
        as_text(record["commit"]),
        _counts(record["used"]),
        _counts(record["computed"]),
    ]


def _counts(names: Iterable[str]) -> str:
    """Return how many models and tables some names of stored files stand for."""
    numbers = Counter(
        "table" if name.startswith("tables/") else "model"
        for name in names
        if not name.endswith((store.WEIGHTS, contents.ROWS))
    )
    return ", ".join(counted(numbers[what], what) for what in sorted(numbers)) or "nothing"


def _claim_cells(claim: claims.Claim, recorded: Mapping[str, Any]) -> list[str]:
    ours = _measurement(recorded)
    verdict = recorded["verdict"]
    if claim.published is None:
        published = ["a sign only", as_text(claim.source)] * (claim.family == "published")
    else:
        published = [claim.published_text, claim.kind, as_text(claim.source)]
    figure = f'<a href="{claim.chapter}.html#figure-{claim.figure}">figure</a>'
    return [
        verdict.replace("refuted", "**refuted**"),
        f"{as_text(claim.quantity)} (`{claim.key}`), {figure if ours else 'not drawn'}"
        + f". *{as_text(claim.why.strip())}*" * (verdict == "refuted"),
        ", ".join(published) or "nothing",
        ours.exact_text if ours else "",
        f"{ours}, n = {ours.n}" if ours else "",
        f"{claim.band}, {claim.scale}, n = {claim.n}",
        "yes" if claim.known_before else "no",
    ]


def _measurement(recorded: Mapping[str, Any]) -> claims.Measurement | None:
    fields = {name: value for name, value in recorded.items() if name != "verdict"}
    return claims.Measurement(**fields) if fields else None
