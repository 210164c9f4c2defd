"""The pages that are made, not written: what every chapter was made with, every claim's verdict, and the badge.

They come from the records of the chapters' executions (see `lexurn.publish.dependencies`) alone, so that a page cannot say more
than was computed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import isnan
from pathlib import Path
from typing import Any

from lexurn.base import paths
from lexurn.measures import intervals
from lexurn.publish import claims
from lexurn.publish.dependencies import Chapter
from lexurn.runs import store

EXECUTION = """# Execution

What each chapter on this site was made with. A chapter that failed is on its page as far as it came.

| chapter | result | parameters | device | seconds | finished | commit | runs |
|---|---|---|---|---|---|---|---|
"""

CLAIMS = """# Claims

Every published figure that this book sets its own beside. The *band* is where ours must lie at the scale and with the
n that are named with it. It was written down, and committed, before the runs that fill it; where the result was known
already, at least roughly, the table says so, and the band is worth less. *Exact*, beside a model's figure, is that of
the predictor that it would be if it had memorized perfectly, for the same urns. ± is one standard error over n urns,
pools or sets of urns; that of a published figure is what stands with it.

*Reproduced*: ours lies in the band. *Refuted*: it does not, and the band stays where it was. *Not at this scale*: the
chapters here were executed with other settings than those the band is for.

"""

COLUMNS = ("figure", "published", "exact", "ours", "band", "known before", "verdict")


def execution(chapters: Sequence[Chapter]) -> str:
    """The page on what each chapter was made with."""
    lines = []
    for chapter in chapters:
        past, link = chapter.past, f"[{chapter.name}]({chapter.name})"
        if not past:
            lines.append(f"| {link} | not executed | | | | | | |\n")
            continue
        given = (
            ", ".join(f"{name} {value}" for name, value in past["given"].items()) or "the defaults"
        )
        runs = sorted(
            {store.key(Path(name).parent) for name in past["used"] if not name.startswith("tables")}
        )
        few = ", ".join(key[:6] for key in runs[:6])
        said = few if len(runs) <= 6 else f"{len(runs)}, among them {few}"
        about = [link, "**failed**" if past["failed"] else "done", given]
        about += [past["device"], f"{past['seconds']:.0f}", past["finished"], past["commit"]]
        lines.append(f"| {' | '.join([*about, said or 'none'])} |\n")
    return EXECUTION + "".join(lines)


def all_claims(chapters: Sequence[Chapter]) -> str:
    """The page of all claims: what was published, the exact value, ours, and the verdict, chapter by chapter."""
    parts = [CLAIMS]
    for chapter in chapters:
        said = chapter.past.get("claims", {})
        lines = [
            _line(claim, said.get(key))
            for key, claim in claims.read().items()
            if claim.chapter == chapter.name
        ]
        if lines:
            rows = "\n".join(
                [
                    "| " + " | ".join(cells) + " |"
                    for cells in (COLUMNS, ["---"] * len(COLUMNS), *lines)
                ]
            )
            parts.append(
                f"## From [{chapter.name}]({chapter.name})\n\n```{{table}}\n:class: claims\n\n{rows}\n```\n\n"
            )
    return "".join(parts)


def headline(chapters: Sequence[Chapter]) -> str:
    """For the landing page: where the models of this edition stand, and how many claims hold."""
    said = {
        key: ours for chapter in chapters for key, ours in chapter.past.get("claims", {}).items()
    }
    stand = []
    for kind in ("normal", "permuted", "lexical"):
        ours = said.get(f"headline/relative_distance_{kind}")
        if ours and ours["error"] is not None and not isnan(ours["error"]):
            stand.append(
                f"{kind} {intervals.format_with_error(ours['value'], ours['error'])} (n = {ours['n']})"
            )
    verdicts = Counter(
        said[key]["verdict"] if key in said else "not measured" for key in claims.read()
    )
    counts = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.most_common())
    where = (
        f"mean relative distance over training urns, ± its standard error: {', '.join(stand)}. "
        if stand
        else ""
    )
    return f"**In this edition**: {where}Of {verdicts.total()} [claims](claims): {counts}.\n"


def _line(claim: claims.Claim, ours: Mapping[str, Any] | None) -> list[str]:
    shown, exact, verdict = "", "", "not measured"
    if ours:
        unknown = ours["error"] is None or isnan(ours["error"])
        value = (
            f"{ours['value']:.3g}"
            if unknown
            else intervals.format_with_error(ours["value"], ours["error"])
        )
        exact = "" if ours["exact"] is None else f"{ours['exact']:.3g}"
        shown, verdict = f"{value}, n = {ours['n']}", ours["verdict"]
    published = [claim.shown or "nothing"] + (
        [] if claim.published is None else [claim.kind, claim.source]
    )
    band = f"{claim.band}, {claim.scale}, n = {claim.n}"
    verdict = f"**{verdict}**" if verdict == "refuted" else verdict
    known = "yes" if claim.known_before else "no"
    shown_in = (
        f'<a href="{claim.chapter}.html#figure-{claim.figure}">figure</a>' if ours else "not drawn"
    )
    return [
        f"{claim.quantity} (`{claim.key}`), {shown_in}",
        ", ".join(published),
        exact,
        shown,
        band,
        known,
        verdict,
    ]


def badge(chapters: Sequence[Chapter], *, scale: str) -> str:
    """What stands at the top of every page: whether this is the published edition, its scale, device and dates.

    It is that only if every chapter was executed, none failed, and all that they used is published for that scale.
    """
    pasts = [chapter.past for chapter in chapters]
    done = [past for past in pasts if past]
    executed = max((past["finished"][:10] for past in done), default="not yet")
    edition = store.edition()
    used = {name for past in done for name in past["used"]}
    whole = len(done) == len(pasts) and not any(past["failed"] for past in done)
    if (
        edition
        and whole
        and edition["scale"] == scale
        and used
        and all(_is_published(name) for name in used)
    ):
        frozen = datetime.fromisoformat(edition["frozen"]).date()
        machines = ", ".join(edition["machines"])
        return f"Published edition · scale {scale} · models trained on {machines}, frozen {frozen} · shown {executed}"
    devices = ", ".join(sorted({past["device"] for past in done if past["device"]})) or "no device"
    return f"Not the published edition · scale {scale} · computed on {devices} · {executed}"


def _is_published(name: str) -> bool:
    root = paths.published_results()
    return root is not None and store.stored(name).resolve().is_relative_to(root.resolve())
