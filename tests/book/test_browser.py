"""The book at its smoke scale, opened in a browser: as files, and from a server of its own."""

import contextlib
import functools
import http.server
import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import nbformat
import pytest
import yaml
from browsers import AXE, SERIOUS, needs_chromium, watch
from notebooks import count_pictures, outputs_of, read_cards

from lexurn.base import files, paths
from lexurn.publish import address, claims
from lexurn.publish import site as site_module

pytestmark = [pytest.mark.book, needs_chromium]


def pages():
    contents = yaml.safe_load((paths.root() / "book" / "_toc.yml").read_text())
    return [
        "index",
        *(chapter["file"] for part in contents["parts"] for chapter in part["chapters"]),
        "search",
    ]


def look(browser, address, *, scheme="light"):
    """Open a page; returns it with the addresses it asked for and the errors it had."""
    page = browser.new_page(viewport={"width": 1300, "height": 900}, color_scheme=scheme)
    asked, errors = watch(page)
    page.goto(address)
    page.wait_for_timeout(400)
    return page, asked, errors


@contextlib.contextmanager
def served(site):
    """The address of a server of the site."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_pages_ask_nobody_have_no_errors_and_axe_finds_nothing_serious_or_critical(
    site, browser, scheme, width
):
    """Opened as files in the light on a screen, and from a server in the dark on a phone.

    One visit serves all these laws, because a visit takes a second or two.
    """
    with served(site) as server:
        home = site.as_uri() if scheme == "light" else server
        own = (home, "data:", "blob:")
        page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})
        asked, errors = watch(page)
        for name in pages():
            page.goto(f"{home}/{name}.html")
            if (site / f"{name}.html").read_text().count("widget-view"):
                page.wait_for_selector(".noUi-handle")
            page.wait_for_function("[...document.images].every(image => image.complete)")
            images = "[...document.images].map(image => [image.alt, image.naturalWidth])"
            texts = page.evaluate(images)
            assert all(text and "_images" not in text and width for text, width in texts), name
            page.add_script_tag(path=AXE)
            assert page.evaluate(SERIOUS) == [], name
            page.set_viewport_size({"width": 390, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
            page.set_viewport_size({"width": width, "height": 900})
            assert asked and [url for url in asked if not url.startswith(own)] == [], name
            assert errors == [], name
            asked.clear()
        page.evaluate("document.querySelector('a').append(document.createElement('button'))")
        assert "button-name" in "".join(page.evaluate(SERIOUS))  # it sees a button without a name
        page.close()


def test_the_data_are_drawn_and_the_predictors_scored(site):
    n_pictures, text = outputs_of(site / "_sources" / "01_data.ipynb")
    assert n_pictures == 7
    assert "So a low score does not show that a model counts." in text


def test_the_analysis_says_in_words_what_its_figures_show(site):
    n_pictures, text = outputs_of(site / "_sources" / "04_analysis.ipynb")
    assert n_pictures == 9 and "21 runs trained in" in text
    for sentence in (
        "a score below the score of M does not show that a model counts",
        "their missing share is",
        "is smaller on fresh urns than on the training urn",
        "So lexical models do memorize",
        "after 23437 steps: too few to conclude from",
    ):
        assert sentence in text, sentence
    assert "too few for an interval" in text and text.count("not at this scale") == 6


def test_strategies_are_fitted_and_compared_with_what_was_published(site):
    n_cards, text = outputs_of(site / "_sources" / "06_strategies.ipynb")
    assert (
        n_cards == 13
        and "22 trainings, most of 30 steps (half of n_steps); D = 1, 32, 128." in text
    )
    assert "So one seed does not tell the slope." in text
    assert "So one seed does not tell where generalizing was transient." in text
    assert "Fits that failed: β = 1: none of 12 starts led to a minimum" in text
    assert "So one seed does not test the two readings." in text
    assert "So one seed does not tell how names enter." in text
    assert "0.7778" in text and text.count("not at this scale") == 15


def test_the_coins_are_compared_with_what_can_be_attained(site):
    n_cards, text = outputs_of(site / "_sources" / "07_coins.ipynb")
    assert n_cards == 12 and "20 tiny models, 60 steps of 32 sequences each." in text
    for sentence in (
        "the loss of this predictor is 0.549 nats a flip",
        "So the head takes the last flip out",
        "without the offset it is off by exactly 0",
        "Patched and donor predictions are equal",
        "With so few shapes, we do not rank the widths.",
    ):
        assert sentence in text, sentence
    assert "forgetting" in text and text.count("not at this scale") >= 12


def test_rules_are_asked_for_and_compared_with_what_was_published(site):
    n_cards, text = outputs_of(site / "_sources" / "08_rules.ipynb")
    assert n_cards == 15 and "We train 83 networks." in text
    assert "4 of the 251 prompts have more b's than a's" in text
    assert "Of 22 forecasts on these seeds, 0 are reproduced, 0 refuted, and 0 undecided." in text
    assert "not at this scale" in text


def test_architectures_are_set_side_by_side(site):
    n_cards, text = outputs_of(site / "_sources" / "09_architectures.ipynb")
    assert n_cards == 9 and "40 trainings. The main comparison evaluates 20 of them" in text
    assert text.count("not at this scale") == 13 and "a model of 976,871 weights" in text
    assert "the share that *ending at once* keeps (0.2749)" in text
    assert "lose at least 0.00155 nats per flip on coins" in text


def test_vectors_are_measured_and_the_instruments_tried(site):
    n_cards, text = outputs_of(site / "_sources" / "10_geometry.ipynb")
    assert n_cards == 13 and text.count("not at this scale") == 22
    assert "The whole test text, 116,149 characters" in text
    assert re.search(r"5-gram \(Kneser–Ney\)\s+1\.74", text)
    assert "spread evenly" in text and "too few seeds" in text


def test_the_originals_are_audited_and_what_is_not_trained_has_no_number(site):
    n_cards, text = outputs_of(site / "_sources" / "11_originals.ipynb")
    assert n_cards == 11 and "34 are run on this page" in text
    assert "All of the 6 models of the published recipe have been trained." in text
    assert "So the missing reference matters most" in text
    assert text.count("*Verdict: ") == 10 and "12 leave the claim standing" in text
    page = (site / "11_originals.html").read_text()
    assert '<a href="09_architectures.html">chapter 9</a>' in page and "Filter rows" in page


SHOWN = (
    "[...document.querySelectorAll('.widget-vbox img')]"
    ".filter(image => image.offsetParent).map(image => image.alt)"
)
"""JavaScript for the descriptions of the pictures that widgets show."""


def test_training_is_scrubbed_in_the_page_of_vectors(site, browser):
    page, _, errors = look(browser, (site / "10_geometry.html").as_uri())
    page.wait_for_selector(".widget-slider")
    (first,) = page.evaluate(SHOWN)
    assert first.startswith("Step 0. Mean cosine in the last layer: pre SwiGLU 0.")
    page.locator(".widget-slider .noUi-handle").focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(f"/^Step [1-9]/.test({SHOWN}[0])", timeout=10_000)
    said = page.evaluate(f"{SHOWN}[0].match(/^Step ([0-9]+)/)[1]")
    assert page.locator(".widget-readout").first.inner_text() == said  # the step, not the page
    page.locator(".widget-play button").first.click()
    page.wait_for_function(f"!{SHOWN}[0].startsWith('Step {said}.')", timeout=10_000)
    assert errors == []
    page.close()


def test_mathematics_is_set_and_search_finds_a_word(site, browser):
    page, *_ = look(browser, (site / "notation.html").as_uri())
    assert page.locator("mjx-container").count() > 10
    glossary = (paths.root() / "book" / "notation.md").read_text().partition("{glossary}\n")[2]
    n_words = len(re.findall(r"^(?! |```).+$", glossary, re.MULTILINE))
    assert page.locator("dl.glossary dd").count() == n_words > 20
    page.goto((site / "search.html").as_uri() + "?q=evaluate")
    page.wait_for_function("/found/.test(document.querySelector('.search-summary').innerText)")
    links = page.evaluate(
        "[...document.querySelectorAll('ul.search li')].map(item => ["
        "item.querySelector('a').getAttribute('href'), item.querySelector('p')?.innerText || ''])"
    )
    of_chapters = [bool(re.match(r"\d\d_", link)) for link, _ in links]
    of_library = [link.startswith("api_") for link, _ in links]
    assert of_chapters == sorted(of_chapters, reverse=True) and of_library == sorted(of_library)
    assert sum(of_chapters) > 3 < sum(of_library)
    excerpts = [text for link, text in links[: sum(of_chapters)]]
    assert all(len(text) > 40 for text in excerpts) and "evaluat" in excerpts[0].lower()
    assert (site / "_static" / "texts.js").stat().st_size <= 500_000
    page.close()


def test_a_page_is_printed_whole(site, monkeypatch, tmp_path):
    monkeypatch.setenv("LEXURN_BUILD", str(site.parents[1]))
    monkeypatch.setattr(site_module, "PAGE", "file: (notation)")
    folder = site_module.print_pages(lambda text: None)
    (pdf,) = folder.iterdir()
    assert pdf.name == "00-notation.pdf" and pdf.read_bytes().startswith(b"%PDF")
    assert pdf.stat().st_size > 30_000  # with the fonts of its formulas


def test_terms_and_sources_of_chapters_are_links(site):
    for name in sorted(path.stem for path in (paths.root() / "book").glob("0*.py")):
        text = (site / f"{name}.html").read_text()
        assert 'href="notation.html#term-' in text and 'href="references.html#id' in text, name
    assert "Qian Huang, Eric Zelikman" in (site / "references.html").read_text()
    assert "[Huang et al., 2023]" in re.sub("<[^>]*>", "", (site / "01_data.html").read_text())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_explorables_are_loaded_when_they_come_into_view_and_run(site, browser, scheme):
    """From files in the light on a screen, and from a server in the dark on a phone."""
    with served(site) as server:
        home = site.as_uri() if scheme == "light" else server
        for name, kinds in EXPLORABLES.items():
            page, asked, errors = look(browser, f"{home}/{name}.html", scheme=scheme)
            if scheme == "dark":
                page.set_viewport_size({"width": 390, "height": 844})
            if name != "index":  # where it stands near the top
                scripts = [url for url in asked if "_static/explorables/" in url]
                assert {Path(url).name.partition("?")[0] for url in scripts} == {"load.js"}, name
            for kind in kinds:
                shown = page.locator(f'.explorable[data-name="{kind}"]')
                shown.scroll_into_view_if_needed()
                shown.locator(".live").wait_for()
                assert not shown.locator("img").is_visible(), name
                shown.get_by_role("button", name=BUTTONS[kind]).click()
                said = shown.locator("p[role=status]").inner_text()
                assert SAID[kind] in said, name
            loaded = [Path(url).name for url in asked if "_static/explorables/" in url]
            assert len(loaded) == len({*loaded}) and errors == [], name
            assert page.evaluate("document.documentElement.scrollWidth") <= 1300
            page.emulate_media(media="print")
            assert page.locator(".explorable img").first.is_visible()
            assert not page.locator(".explorable button").first.is_visible()
            page.close()


EXPLORABLES = {
    "index": ["urn"],
    "01_data": ["urn"],
    "02_train": ["training", "urn"],
    "04_analysis": ["training", "urn"],
    "05_names": ["names"],
    "06_strategies": ["strategies"],
    "07_coins": ["coins"],
    "08_rules": ["prompt"],
}
BUTTONS = {
    "urn": "Rename colours",
    "training": "One step back",
    "names": "Draw from the urn",
    "strategies": "lexical models",
    "coins": "Heads",
    "prompt": "abaab",
}
SAID = {
    "urn": "moved with the names: G; S; B",
    "training": "Step ",
    "names": "Ball 9 is ",
    "strategies": "(0 is G, 1 is S); nearest mixture U ",
    "coins": "Flip 9 is heads.",
    "prompt": "in greedy completions of abaab: ",
}


def test_claims_are_filtered_and_all_are_shown_without_scripts(site, browser):
    address = (site / "claims.html").as_uri()
    without = browser.new_page(java_script_enabled=False)
    without.goto(address)
    rows = "table.claims tbody tr"
    assert without.locator(f"{rows}:visible").count() == len(claims.read())
    without.close()
    page, _, errors = look(browser, address)
    assert page.locator(f"{rows}:visible").count() == len(claims.read())
    page.get_by_label("Family").select_option("Forecasts")
    forecasts = [claim for claim in claims.read().values() if claim.family == "forecast"]
    assert page.locator(f"{rows}:visible").count() == len(forecasts)
    page.get_by_label("Containing").fill("coins/")
    n_coins = sum(claim.key.startswith("coins/") for claim in forecasts)
    assert page.locator(f"{rows}:visible").count() == n_coins > 0
    said = f"{n_coins} of {len(claims.read())} claims shown"
    assert page.locator(".claims-filter output").inner_text() == said
    assert "Checks" not in "".join(page.locator("h2:visible").all_inner_texts())
    assert errors == []
    page.close()


def test_no_page_shows_a_warning_or_where_it_was_made(site):
    for page in site.glob("*.html"):
        text = page.read_text()
        assert (
            "Warning:" not in text
            and str(paths.root()) not in text
            and str(site.parent) not in text
        ), page.name


def test_a_chapter_offers_colab_and_its_executed_notebook(site):
    text = (site / "02_train.html").read_text()
    url = yaml.safe_load((paths.root() / "_config.yml").read_text())["repository"]["url"]
    place = f"colab.research.google.com/github/{'/'.join(url.split('/')[-2:])}/blob/"
    has_owner = address.has_owner(url)
    assert (place in text) == has_owner and ("fa-rocket" in text) == has_owner
    runs = (site / "run.html").read_text()
    assert ("rocket above every chapter opens" in runs) == has_owner
    assert ("no address that Colab could open" in runs) != has_owner
    assert 'href="_sources/02_train.ipynb"' in text
    assert "lexurn-card" in (site / "_sources" / "02_train.ipynb").read_text()  # the executed one


REDRAW = """
import sys
from pathlib import Path
from lexurn.figures import drawing
for card in map(Path, sys.argv[1:]):  # as `lexurn redraw` does, which draws an SVG too
    for path in drawing.write(card.parent, card.stem, drawing.draw(*drawing.read(card))):
        print(path)
"""


def test_every_picture_is_drawn_again_from_its_card_by_another_process(site, tmp_path):
    n_pictures, wanted = 0, {}
    for path in sorted((site / "_sources").glob("0*.ipynb")):
        notebook = nbformat.read(path, 4)
        for card in read_cards(notebook):
            stem = f"{path.stem}-{card['about']['name']}"
            (tmp_path / f"{stem}.json").write_text(json.dumps(card["about"]))
            (tmp_path / f"{stem}.csv").write_text(card["table"])
            wanted[stem] = card["about"]["pictures"]
        n_pictures += count_pictures(notebook)
    assert n_pictures == sum(map(len, wanted.values())) > 60
    stem = "04_analysis-scores"
    about, table = ((tmp_path / f"{stem}.{ending}").read_text() for ending in ("json", "csv"))
    (tmp_path / "control.json").write_text(about)
    (tmp_path / "control.csv").write_text(
        re.sub(r"(\d\.\d)\d", r"\g<1>9", table, count=1)
    )  # one digit in one number
    command = [sys.executable, "-c", REDRAW, *map(str, sorted(tmp_path.glob("*.json")))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = {stem: [] for stem in [*wanted, "control"]}
    for path in map(Path, done.stdout.split()):
        stem = path.stem if path.stem in found else path.stem.rpartition("-")[0]
        found[stem].append(files.hash_bytes(path.read_bytes()))
    assert found.pop("control") != wanted["04_analysis-scores"] == found["04_analysis-scores"]
    assert found == wanted


def test_every_claim_links_to_the_figure_that_shows_it(site):
    text = (site / "claims.html").read_text()
    links = re.findall(r'href="(\w+\.html)#(figure-[\w-]+)"', text)
    n_not_drawn = text.count("), not drawn")  # claims that no chapter has measured yet
    assert len(links) + n_not_drawn == len(claims.read()) and n_not_drawn < 10
    for page, figure in set(links):
        assert f'id="{figure}"' in (site / page).read_text()
