"""Generated pages say what was computed, and only the published edition is called published."""

import json
import os
import time

import pandas as pd
import pytest

from lexurn import runs
from lexurn.base import files, paths, session
from lexurn.publish import claims, dependencies, edition, pages, quiet
from lexurn.runs import store
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
        "05_strategies",
        "06_coins",
        "07_rules",
        "08_architectures",
        "09_geometry",
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
    page = pages.claims_page(ALL)
    assert page.count("not measured") == N


def test_every_claim_is_on_its_page_with_its_verdict(record):
    page = pages.claims_page(ALL)
    assert all(f"`{key}`" in page for key in claims.read())
    line = next(line for line in page.splitlines() if "`headline/lexical`" in line)
    assert "0.14 ± 0.11, mean ± std over sequences, alexkstern/Lexurn, commit 197fae0" in line
    assert line.endswith(
        "| 0.137 | 0.300 ± 0.020, n = 12 | 0.05 … 0.25, book, n = 12 | no | **refuted** |"
    )
    line = next(line for line in page.splitlines() if "`headline/normal`" in line)
    assert "| 0.75, n = 2 |" in line and line.endswith("| not at this scale |")


def test_the_page_on_execution_counts_runs(record):
    assert (
        "| [01_data](01_data) | done | the defaults | cpu | 3 | 2026-01-02 03:04:05 | abcdef0 | "
        "012345 |" in (pages.execution_page(ALL))
    )
    record["used"] = {
        f"urns-a-{n}00000000000/{name}": ""
        for n in range(9)
        for name in ("results.json", store.WEIGHTS)
    }
    assert "| 9, among them 000000, 100000, " in pages.execution_page(ALL)


def test_the_page_on_execution_counts_what_was_computed_and_what_was_kept(record):
    assert "| 012345 | nothing; 1 model(s) used |" in pages.execution_page(ALL)
    tables = {f"tables/standings-{n}.csv": "" for n in range(3)}
    record["used"] = RECORD["used"] | {f"urns-a-0123456789ab/{store.WEIGHTS}": ""} | tables
    assert "| nothing; 1 model(s), 3 table(s) used |" in pages.execution_page(ALL)
    record["computed"] = list(tables)[:2]
    assert "| 2 table(s) |" in pages.execution_page(ALL)


def test_a_record_names_what_was_written_while_the_chapter_ran(tmp_path):
    table = pd.DataFrame({"x": [1]})
    old = runs.write_table("old", table)
    os.utime(old, (0, 0))
    for chapter in (None, RunningChapter("data", Settings(), started=time.time() - 1)):
        session.current().chapter = chapter
        runs.write_table("new", table)
        runs.read_table("old")
        runs.read_table("new")
        dependencies.write_record(str(tmp_path / "record.json"), [])
        record = json.loads((tmp_path / "record.json").read_text())
        assert sorted(record["used"]) == ["tables/new.csv", "tables/old.csv"]
        assert record["computed"] == (["tables/new.csv"] if chapter else [])


def test_parameters_do_not_break_the_table_that_shows_them(record):
    record["parameters"] = {"corpus": "a|b`<b>", "n_steps": 5}
    assert "| `corpus a\\|b'<b>, n_steps 5` |" in pages.execution_page(ALL)


def test_the_landing_page_tells_what_was_computed(record):
    first = {"value": 0.11, "error": 0.12, "n": 12, "exact": None, "verdict": "reproduced"}
    record["claims"] = RECORD["claims"] | {"headline/relative_distance_lexical": first}
    said = pages.headline(ALL)
    assert (
        f"over training urns, ± its standard error: lexical 0.11 ± 0.12 (n = 12). Of {N} "
        f"[claims](claims): " in said
    )
    assert (
        f"{N - 3} not measured" in said
        and "1 refuted" in said
        and "1 reproduced" in said
        and f"1 {ELSEWHERE}" in said
    )
    record.clear()
    assert (
        pages.headline(ALL) == f"**In this edition**: Of {N} [claims](claims): {N} not measured.\n"
    )


def notebook(*cells):
    """Return a notebook of (source, tags, outputs)."""
    return {
        "cells": [
            {"cell_type": "code", "source": source, "metadata": {"tags": tags}, "outputs": outputs}
            for source, tags, outputs in cells
        ]
    }


def test_a_page_has_one_line_in_place_of_the_injected_cell():
    injected = (
        "# Parameters\nn_steps = 60\nseed = 0\ntokenizer = 'a`b'\n",
        [quiet.INJECTED_TAG],
        [],
    )
    own = ("# Parameters of this chapter.\nn_steps: int = 1000", ["parameters"], [])
    first, line = quiet.quieten(notebook(own, injected))["cells"]
    assert first["source"] == own[0] and line["cell_type"] == "markdown"
    assert line["source"] == (
        "This page was executed with `n_steps = 60` (default `1000`), "
        "`tokenizer = 'a'b'` (default `'bpe'`)."
    )
    defaults = notebook(own, ("# Parameters\nseed = 0", [quiet.INJECTED_TAG], []))
    assert len(quiet.quieten(defaults)["cells"]) == 1


def test_progress_lines_are_not_on_a_page_and_other_outputs_are():
    progress = {"output_type": "display_data", "data": {}, "metadata": files.PROGRESS}
    other = {"output_type": "display_data", "data": {}, "metadata": {"image/png": {"width": 3}}}
    stream = {"output_type": "stream", "name": "stdout", "text": "so far"}
    before = notebook(("train()", [], [progress, other, stream]))
    (cell,) = quiet.quieten(before)["cells"]
    assert cell["outputs"] == [other, stream] and len(before["cells"][0]["outputs"]) == 3


def test_the_page_of_parameters_lists_every_one():
    lines = pages.parameters_page().splitlines()
    rows = [line for line in lines if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == list(flat_names())
    assert all(row.count(" | ") == 5 for row in rows)
    assert "every run" in next(row for row in rows if row.startswith("| `seed`"))
