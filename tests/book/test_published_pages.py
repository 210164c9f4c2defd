"""The published chapters that share numbers, and the landing page that quotes them."""

import asyncio
import re
from collections import ChainMap

import nbformat
import pytest

from lexurn.base import paths
from lexurn.base.errors import SiteError
from lexurn.publish import dependencies, execution, pages

SHARED = ("01_data", "03_evaluate", "04_analysis", "05_names")
"""The chapters whose numbers the landing page quotes."""

pytestmark = pytest.mark.book


@pytest.fixture(scope="module")
def chapters(tmp_path_factory):
    """The chapters as they are published: executed from frozen runs and tables."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("LEXURN_RUNS", "LEXURN_BUILD"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        wanted = dependencies.select_chapters(SHARED, paths.root() / "params" / "book.yaml")
        progress = execution.Progress(
            dict.fromkeys((chapter.name for chapter in wanted), None),
            lambda text, last: None,
            every=60.0,
        )
        execution.import_ahead(wanted)
        asyncio.run(execution.execute_all(wanted, progress, jobs=2, timeout=600))
        assert [chapter.record["failed"] for chapter in wanted] == [""] * len(SHARED)
        records = {chapter.name: dict(chapter.record) for chapter in wanted}
        executed = {chapter.name: chapter.executed for chapter in wanted}
        patch.setattr(dependencies.Chapter, "record", property(lambda one: records[one.name]))
        patch.setattr(dependencies.Chapter, "executed", property(lambda one: executed[one.name]))
        yield wanted


def test_published_chapters_compute_nothing_that_is_frozen(chapters):
    assert {chapter.name: chapter.record["computed"] for chapter in chapters} == {
        name: [] for name in SHARED
    }


def count_words(box):
    """Return how many words and numbers a box has, without its headings."""
    text = re.sub(r"<[^>]*>", " ", re.sub(r"<strong>.*?</strong>|<p class.*?</p>", "", box))
    return sum(any(sign.isalnum() for sign in word) for word in text.split())


def test_the_boxes_in_brief_are_brief(chapters):
    n_words = {}
    for chapter in chapters:
        outputs = [
            each for cell in nbformat.read(chapter.executed, 4).cells for each in outputs_in(cell)
        ]
        (box,) = [page for page in outputs if 'class="brief' in page]
        n_words[chapter.name] = count_words(box)
    assert all(60 < n <= 120 for n in n_words.values()), n_words


def outputs_in(cell):
    return [output.get("data", {}).get("text/html", "") for output in cell.get("outputs", ())]


def chapter_sources():
    return "".join(path.read_text() for path in (paths.root() / "book").glob("[0-9]*.py"))


def test_every_number_of_the_conclusion_is_recorded_by_a_chapter():
    quoted = {*re.findall(pages.NUMBER, (paths.root() / "book" / "conclusion.md").read_text())}
    sources = chapter_sources()
    named = {name for name in quoted if f'"{name}"' in sources or name.startswith("captured_")}
    assert len(quoted) > 5 and named == quoted


def test_every_number_of_the_landing_page_is_computed_and_chapters_agree(chapters):
    text = (paths.root() / "book" / "index.md").read_text()
    quoted = {*re.findall(pages.NUMBER, text)} - {"verdicts", "version"}
    numbers = {chapter.name: chapter.record["numbers"] for chapter in chapters}
    later = quoted - {*ChainMap(*numbers.values())}  # of chapters not executed here
    sources = chapter_sources()
    assert len(quoted) > 10 > 4 > len(later) and all(f'"{name}":' in sources for name in later)
    third, fourth = numbers["03_evaluate"], numbers["04_analysis"]
    shared = third.keys() & fourth.keys()
    assert len(shared) >= 3 and all(third[name] == fourth[name] for name in shared)
    page = pages.insert_numbers(text, chapters)
    assert "{number}" not in page and page.count("not at this scale") == len(later)
    name = next(iter(shared))  # the fault: chapters that differ
    chapters[1].record["numbers"] = third | {name: "7 %"}
    with pytest.raises(SiteError, match=f"{name} is .*, in an earlier chapter 7 %"):
        pages.insert_numbers(text, chapters)
