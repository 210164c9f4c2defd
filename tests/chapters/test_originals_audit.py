"""The lists of defects and features are complete, linked, and counted; effects are paired."""

import re

import pandas as pd
import pytest

from lexurn.base import paths
from lexurn.chapters.originals import audit, records
from lexurn.chapters.originals.effects import Effect, both_versions, effect_of
from lexurn.figures.tables import Link, build

BOOK = paths.root() / "book"
GENERATED = {"parameters"}
"""Pages that are made when the book is built."""


def effects():
    pairs = pd.DataFrame({"unit": [0], "published": [1.0], "corrected": [0.5]})
    return {key: effect_of(pairs, each.what) for key, each in audit.defects().items() if each.what}


def test_at_least_thirty_defects_of_all_sources_and_at_least_25_run():
    defects = audit.defects()
    assert len(defects) >= 30 and sum(bool(each.what) for each in defects.values()) >= 25
    assert (
        {each.source for each in defects.values()} == audit.SOURCES.keys() == audit.COMMITS.keys()
    )
    assert all(each.right and each.test and each.because for each in defects.values())


def test_each_link_leads_to_a_page_of_the_book():
    pages = {path.stem for path in BOOK.iterdir()} | GENERATED
    wanted = {each.where for each in (*audit.defects().values(), *audit.features()) if each.where}
    assert wanted <= pages and "11_nowhere" not in pages
    assert audit.link("04_analysis") == Link("chapter 4", "04_analysis")
    assert audit.link("how_to").text == "how to"


def test_features_are_where_they_say_or_lacking():
    for each in audit.features():
        assert bool(each.where) == (each.state != "lacking"), each.feature
    assert {each.source for each in audit.features()} == audit.SOURCES.keys()


def test_each_computed_effect_is_needed_and_no_other():
    complete = effects()
    assert len(audit.Audit(complete).table()) == len(audit.defects())
    assert audit.Audit(complete).counts().sum() == len(audit.defects())
    missing = {key: each for key, each in complete.items() if key != "pseudo_kl"}
    for wrong in (missing, complete | {"another": complete["pseudo_kl"]}):
        with pytest.raises(ValueError, match="pseudo_kl|another"):
            audit.Audit(wrong)


def test_an_entry_runs_or_says_why_not():
    entry = audit.defects()["pseudo_kl"].model_dump()
    for changes in ({"what": ""}, {"not_here": "a reason"}, {"verdict": "not reproducible here"}):
        with pytest.raises(ValueError, match="pseudo_kl"):
            records.Defect.model_validate(entry | changes)


def test_texts_of_defects_are_short_and_have_a_chapter_that_computes_them():
    source = (BOOK / "11_originals.py").read_text()
    for key, each in audit.defects().items():
        assert (
            max(map(len, (each.claim, each.defect, each.right, each.because, each.test))) < 160
        ), key
        assert not each.what or re.search(rf'"{key}"', source), key


def test_the_table_links_and_escapes():
    table = pd.DataFrame({"what": ["a <b>"], "where": [Link("chapter 4 & more", "04_analysis")]})
    page = build(table, caption="Links lead to chapters.")._repr_html_()
    assert '<a href="04_analysis.html">chapter 4 &amp; more</a>' in page and "a &lt;b&gt;" in page
    assert "chapter 4 &amp; more" not in build(table[["what"]], caption="No link is.")._repr_html_()


def test_effects_are_paired_and_single_numbers_have_no_interval():
    pairs = pd.DataFrame(
        {"unit": range(4), "published": [1.0, 2, 3, 4], "corrected": [0.5, 1.6, 2.4, 3.5]}
    )
    effect = effect_of(pairs, "score")
    assert effect.change.high < 0 and effect.n == 4  # though the two columns overlap
    assert str(effect) == "score: 2.5 → 2 (change [−0.63, −0.37], n = 4)"
    unpaired = effect_of(pairs.assign(corrected=pairs["corrected"].to_numpy()[::-1]), "score")
    assert unpaired.change.low < 0 < unpaired.change.high
    assert "(no interval)" in str(effect_of(pairs[:1], "score"))
    assert str(effect_of(pairs[:2], "score")).endswith("(n = 2)")
    fixed = effect_of(pairs, "score", is_sample=False)
    assert str(fixed) == "score: 2.5 → 2 (mean of 4, no interval)"
    assert both_versions(pairs)["value"].tolist() == [2.5, 2.0]
    with pytest.raises(ValueError, match="corrected"):
        effect_of(pairs[["unit", "published"]], "score")
    assert isinstance(effect, Effect)
