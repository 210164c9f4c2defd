"""Generated pages say what was computed, and only the published edition is called published."""

import json
import os
import re
import time

import pandas as pd
import pytest

from lexurn import runs
from lexurn.base import files, paths, session
from lexurn.base.errors import SiteError
from lexurn.publish import claims, dependencies, edition, pages, parameter_pages, staging
from lexurn.publish.cards import INJECTED_TAG, as_text
from lexurn.runs import contents, store
from lexurn.settings import Settings, flat_names
from lexurn.settings.resolver import RunningChapter

ELSEWHERE = "not at this scale"
RECORD = {
    "failed": "",
    "parameters": {},
    "device": "cpu",
    "seconds": 3.0,
    "finished": "2026-01-02 03:04:05",
    "commit": "abcdef0",
    "used": {"urns-a-0123456789ab/results.json": "1"},
    "computed": [],
    "numbers": {},
    "claims": {
        "headline/lexical": {
            "value": 0.3,
            "error": 0.02,
            "n": 12,
            "exact": 0.137,
            "verdict": "refuted",
        },
        "headline/normal": {
            "value": 0.75,
            "error": float("nan"),
            "n": 2,
            "exact": None,
            "verdict": "not at this scale",
        },
    },
}


@pytest.fixture
def record(monkeypatch):
    """The record of every chapter, to be changed."""
    record = dict(RECORD)
    monkeypatch.setattr(dependencies.Chapter, "record", property(lambda chapter: record))
    return record


@pytest.fixture
def published(tmp_path, monkeypatch):
    root = tmp_path / "published"
    folder = root / "urns-a-0123456789ab"
    folder.mkdir(parents=True)
    (folder / "results.json").write_text("{}")
    edition.seal(root, scale="book", machines=["a processor"])
    monkeypatch.setattr(paths, "published_results", lambda: root)
    return root


N = len(claims.read())
ALL = [
    dependencies.Chapter(name, {})
    for name in (
        "01_data",
        "04_analysis",
        "05_names",
        "06_strategies",
        "07_coins",
        "08_rules",
        "09_architectures",
        "10_geometry",
        "11_originals",
    )
]


def test_only_what_is_published_whole_passes_for_published(record, published, monkeypatch):
    assert pages.badge(ALL, scale="book").startswith(
        "Published edition · scale book · models trained on a processor, frozen 20"
    )
    wrong = "Not the published edition · scale {} · computed on cpu · 2026-01-02"
    assert pages.badge(ALL, scale="smoke") == wrong.format("smoke")
    record["used"] = RECORD["used"] | {
        "urns-b-0123456789ab/results.json": "2"
    }  # a run of one's own
    assert pages.badge(ALL, scale="book") == wrong.format("book")
    record |= {"used": RECORD["used"], "failed": "cell 3"}
    assert pages.badge(ALL, scale="book") == wrong.format("book")
    record["failed"] = ""
    own = (
        paths.runs() / "urns-a-0123456789ab"
    )  # trained by oneself: not what is published, though its name is
    own.mkdir(parents=True)
    (own / "results.json").write_text("{}")
    assert pages.badge(ALL, scale="book") == wrong.format("book")


def test_a_book_that_was_not_executed_is_not_published(record, published):
    record.clear()
    assert (
        pages.badge(ALL, scale="book")
        == "Not the published edition · scale book · computed on no device · not yet"
    )
    assert "| [01_data](01_data) | not executed |" in pages.execution_page(ALL)
    page, _, history = pages.claims_page(ALL).partition("(first-edition)=")
    assert page.count("| not measured |") == N
    assert "| refuted | not measured | " in history


def test_every_claim_is_on_its_page_with_its_verdict(record):
    page = pages.claims_page(ALL)
    assert all(f"`{key}`" in page for key in claims.read())
    lines = page.splitlines()
    line = next(line for line in lines if "`headline/lexical`" in line)
    source = as_text("alexkstern/Lexurn, commit 197fae0")
    assert f"0.14 ± 0.11, mean ± std over sequences, {source}" in line
    assert line.startswith("| **refuted** | ")
    assert line.endswith("| 0.137 | 0.300 ± 0.020, n = 12 | 0.05 … 0.25, book, n = 12 | no |")
    line = next(line for line in lines if "`headline/normal`" in line)
    assert "| 0.75, n = 2 |" in line and line.startswith("| not at this scale |")
    n_rows = [part.count("(`") for part in page.split("\n## ")[1:4]]
    families = [claim.family for claim in claims.read().values()]
    assert n_rows == [families.count(family) for family in claims.FAMILIES]


def test_what_the_first_edition_said_names_claims_and_their_verdicts(record):
    told = (paths.root() / "params" / "first_edition.md").read_text()
    keys = re.findall(r"`([a-z0-9_]+/\w+)`", told)
    assert keys and not set(keys) - set(claims.read())
    page = pages.claims_page(ALL)
    section = page.split("\n## What the first edition said")[1]
    assert "`headline/lexical`: refuted" in section and "(#first-edition)" in page.split("\n## ")[0]
    assert not re.search(r"\{\w+/", section)  # a key that no claim has would stay in braces
    assert section.count("| reproduced | ") > 50 and "| withdrawn |" in section
    assert "{" in told.replace("{headline/lexical}", "")  # and there were others to replace


def test_refuted_claims_stand_first_and_say_why(record):
    key = "geometry/below_five_gram"
    why = claims.get(key).why
    assert as_text(why) not in pages.claims_page(ALL)  # not measured here, so nothing is said of it
    found = {"value": 0.1, "error": 0.01, "n": 12, "exact": None, "verdict": "refuted"}
    first = found | {"value": 0.0, "verdict": "reproduced"}
    record["claims"] = {key: found, "headline/relative_distance_normal": first}
    page = pages.claims_page(ALL)
    assert f"(`{key}`), " in page and f". *{as_text(why)}* |" in page
    published, forecasts = page.split("\n## ")[1:3]
    rows = [line for line in forecasts.splitlines() if "(`" in line]
    assert key in rows[0] and "headline/relative_distance_normal" in rows[1]
    n_forecasts = sum(claim.family == "forecast" for claim in claims.read().values())
    assert f"of {n_forecasts} forecasts were tested: 1 refuted, 1 reproduced." in forecasts
    n_published = sum(claim.family == "published" for claim in claims.read().values())
    assert f"None of {n_published} published results was tested at this scale." in published
    assert "reproduced. For 0 of them, the last column says *no*." in forecasts  # both were known
    (row,) = [line for line in published.splitlines() if "`rules/rule_2_first`" in line]
    assert "| a sign only, arXiv " in row  # published in words
    (row,) = [line for line in page.splitlines() if "`geometry/known_three_noisy`" in line]
    assert "| nothing |" in row


def test_every_row_names_its_whole_quantity_because_rows_are_sorted_by_verdict():
    texts = [claim.quantity for claim in claims.read().values()]
    assert len(set(texts)) == len(texts)
    assert not [text for text in texts if re.search(r"\bthe same\b(?! urn| prompts)|^that ", text)]


def test_the_page_on_execution_counts_runs(record):
    assert (
        "| [01_data](01_data) | done | the defaults | cpu | 3 | 2026-01-02 03:04:05 | abcdef0 | "
        "1 model | nothing |" in (pages.execution_page(ALL))
    )
    record["used"] = {
        f"urns-a-{n}00000000000/{name}": ""
        for n in range(9)
        for name in ("results.json", store.WEIGHTS, contents.ROWS)
    }
    assert "| 9 models | nothing |" in pages.execution_page(ALL)


def test_the_page_on_execution_counts_what_was_computed_and_what_was_kept(record):
    tables = {f"tables/standings-{n}.csv": "" for n in range(3)}
    record["used"] = RECORD["used"] | {f"urns-a-0123456789ab/{store.WEIGHTS}": ""} | tables
    record["computed"] = list(tables)[:2]
    assert "| 1 model, 3 tables | 2 tables |" in pages.execution_page(ALL)


def test_a_record_names_what_was_written_while_the_chapter_ran():
    table = pd.DataFrame({"x": [1]})
    old = runs.write_table("old", table)
    os.utime(old, (0, 0))
    for chapter in (None, RunningChapter("data", Settings(), started=time.time() - 1)):
        session.current().chapter = chapter
        runs.write_table("new", table)
        runs.read_table("old")
        runs.read_table("new")
        record = dependencies.record_of([])
        assert sorted(record["used"]) == ["tables/new.csv", "tables/old.csv"]
        assert record["computed"] == (["tables/new.csv"] if chapter else [])


def test_what_a_chapter_was_executed_with_does_not_break_the_table_that_shows_it(record):
    record["parameters"] = {"corpus": "a|b`<b>", "n_steps": 5}
    record |= {"device": "a|b <i>", "commit": "<b>"}
    page = pages.execution_page(ALL)
    assert "| `corpus a\\|b'<b>, n_steps 5` | a\\|b \\<i\\> | 3 | " in page
    assert "| \\<b\\> |" in page


def test_the_landing_page_tells_what_was_computed(record):
    text = "Of {number}`share` captured, S has {number}`other`. {number}`verdicts`"
    record["numbers"] = {"share": "92 %"}
    first = {"value": 0.11, "error": 0.12, "n": 12, "exact": None, "verdict": "reproduced"}
    record["claims"] = RECORD["claims"] | {"headline/relative_distance_lexical": first}
    page = pages.insert_numbers(text, ALL)
    assert page.startswith("Of 92 % captured, S has (not at this scale). 1 of ")
    n = [claim.family for claim in claims.read().values()].count
    assert f"1 of {n('published')} published results were tested: 1 refuted. " in page
    assert f"1 of {n('forecast')} forecasts were tested: 1 reproduced. " in page
    assert page.endswith(f"None of {n('check')} checks was tested at this scale.")
    record["claims"] = {key: first for key in claims.read()}
    assert f"{n('published')} published results were tested: {n('published')} reproduced. " in (
        pages.insert_numbers(text, ALL)
    )
    record.clear()
    assert "None of " in pages.insert_numbers(text, ALL)


def test_two_chapters_cannot_say_different_numbers(monkeypatch):
    own = {chapter.name: {"numbers": {}} for chapter in ALL}
    monkeypatch.setattr(dependencies.Chapter, "record", property(lambda chapter: own[chapter.name]))
    own["01_data"]["numbers"] = own["04_analysis"]["numbers"] = {"share": "92 %"}
    assert pages.insert_numbers("{number}`share`", ALL) == "92 %"
    own["04_analysis"]["numbers"] = {"share": "91 %"}
    with pytest.raises(SiteError, match="04_analysis: share is 91 %, in an earlier chapter 92 %"):
        pages.insert_numbers("{number}`share`", ALL)


def staged(*cells):
    """Return the cells of a page that is staged from (source, tags, outputs)."""
    notebook = {"metadata": {}, "cells": []}
    for number, (source, tags, outputs) in enumerate(cells):
        cell = {"cell_type": "code", "id": str(number), "source": source, "outputs": outputs}
        notebook["cells"].append(cell | {"metadata": {"tags": tags}})
    return json.loads(staging.stage("page", notebook)["page.ipynb"])["cells"]


def test_a_page_has_one_line_in_place_of_the_injected_cell():
    injected = (
        "# Parameters\nn_steps = 60\nseed = 0\ntokenizer = 'a`b'\n",
        [INJECTED_TAG],
        [],
    )
    own = ("# Parameters of this chapter.\nn_steps: int = 1000", ["parameters"], [])
    first, line = staged(own, injected)
    assert first["source"] == own[0] and line["cell_type"] == "markdown"
    assert line["source"] == (
        "This page was executed with `n_steps = 60` (default `1000`), "
        "`tokenizer = 'a'b'` (default `'bpe'`)."
    )
    assert len(staged(own, ("# Parameters\nseed = 0", [INJECTED_TAG], []))) == 1


def test_progress_lines_are_not_on_a_page_and_other_outputs_are():
    progress = {"output_type": "display_data", "data": {}, "metadata": files.PROGRESS}
    other = {"output_type": "display_data", "data": {}, "metadata": {"image/png": {"width": 3}}}
    stream = {"output_type": "stream", "name": "stdout", "text": "so far"}
    before = ("train()", [], [progress, other, stream])
    (cell,) = staged(before)
    assert cell["outputs"] == [other, stream] and len(before[2]) == 3


def test_the_page_of_parameters_lists_every_one():
    lines = parameter_pages.parameters_page().splitlines()
    rows = [line for line in lines if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == list(flat_names())
    assert all(row.count(" | ") == 5 for row in rows)
    assert "every run" in next(row for row in rows if row.startswith("| `seed`"))
