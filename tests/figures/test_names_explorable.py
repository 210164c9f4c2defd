"""Names and alphabets: models in the page predict as torch does, under trained and new names."""

import numpy as np
import pytest
import torch
from browsers import AXE, needs_chromium, press

from lexurn.chapters.data import plots as data_plots
from lexurn.chapters.names import live
from lexurn.figures import explorables, figure_card
from lexurn.measures import evaluation, plane
from lexurn.predictors import Generalizing, Symmetrized

FLAT = {
    **{"lex": True, "vocabulary": "names", "n_colors": 3, "n_tasks": 1, "context_length": 8},
    **{"n_steps": 20, "eval_every": 10, "n_test_samples": 10},
}
CELLS = {
    "N3": {"n_names": 3},
    "N5 K2": {"n_names": 5, "n_alphabets": 2},
    "N5 all": {"n_names": 5},
}

pytestmark = [pytest.mark.book, needs_chromium]


@pytest.fixture
def runs(tiny_run):
    return {cell: tiny_run(FLAT | flat) for cell, flat in CELLS.items()}


@pytest.fixture
def output(runs):
    texts = {cell: {"captured": f"{cell} captured"} for cell in runs}
    texts["N5 K2"]["captured_new"] = "7 %"
    data = live.live_names(runs, texts, played=("N3", "N5 K2"))
    run = runs["N3"]
    rules = {name: run.references[name] for name in plane.CORNERS}
    table = evaluation.predict_sequence(rules, run.splits[live.SPLIT][:1])
    words = {"alt": "Bars of G, M and S.", "n": "1", "name": "names", "row": 5}
    picture = figure_card.card(data_plots.predictions_after, table, **words)
    return explorables.build("names", data, fallback=picture, alt="Choose names and alphabets.")


def numbers(page):
    found = page.locator(".number").evaluate_all("all => all.map(one => +one.dataset.exact)")
    return np.array(found).reshape(-1, 3)


def drawn(page):
    names = page.locator("ol .ball").evaluate_all("all => all.map(one => one.ariaLabel)")
    return [["red", "blue", "green"].index(name) for name in names]


def expected(run, balls, tables):
    """What G, S and the model under each of these tables expect after some balls."""
    tokens = torch.tensor([[*balls, 0]])
    exact = [Generalizing(3), Symmetrized(run.pool)]
    rows = [rule(tokens)[0, -1].exp().numpy() for rule in exact]
    with torch.no_grad():
        rows += [run.model(tokens, table=table)[0, -1].exp().numpy() for table in tables]
    return np.array(rows)


def test_a_model_reads_trained_and_new_names_as_torch_does(open_page, output, runs):
    page = open_page(output)
    run, vocabulary = runs["N5 K2"], runs["N5 K2"].model.vocabulary
    stream = torch.Generator().manual_seed(0)
    tables = vocabulary.draw(1, generator=stream), vocabulary.draw_new(1, generator=stream)
    press(page, "Draw from the urn", 9)
    assert len(drawn(page)) == 8 and "full" in page.get_by_role("status").inner_text()
    for _ in range(live.N_TABLES):
        said = page.locator(".live > p").all_inner_texts()
        (dealt,) = (text for text in said if text.startswith("In a trained alphabet"))
        dealt = [int(word.strip(",.")) - 1 for word in dealt.split() if word.strip(",.").isdigit()]
        tables = torch.nn.functional.one_hot(torch.tensor(dealt), 5).float().reshape(2, 1, 3, 5)
        wanted = expected(run, drawn(page), tables)
        assert np.abs(numbers(page) - wanted).max() < 2e-3  # weights are rounded
        assert np.abs(numbers(page) - wanted[[0, 1, 3, 2]]).max() > 2e-3  # the tables differ
        alphabets = [tuple(sorted(part)) for part in np.reshape(dealt, (2, 3)).tolist()]
        known = {tuple(sorted(one)) for one in vocabulary.alphabets.tolist()}
        assert alphabets[0] in known and alphabets[1] not in known
        press(page, "Deal other names")
        assert "other names" in page.get_by_role("status").inner_text()


def test_readers_choose_a_cell_and_a_step(open_page, output):
    page = open_page(output)
    assert page.get_by_role("combobox", name="Names").input_value() == "5"
    text = page.locator("main").inner_text
    assert "have captured N5 K2 captured on their own alphabets, and 7 % on new ones" in text()
    page.get_by_role("combobox", name="Alphabets").select_option("all 10 alphabets")
    assert "have captured N5 all captured" in text() and "7 %" not in text()
    assert "No model of this cell runs in the page" in text()
    assert not page.locator(".live table").is_visible()
    assert not page.get_by_role("button", name="Draw from the urn").is_visible()
    page.get_by_role("combobox", name="Names").select_option("3")
    assert numbers(page).shape == (3, 3) and "new alphabet" not in text()
    slider = page.get_by_role("slider", name="Training step")
    shapes = page.locator(".map polyline")
    assert len(shapes.last.get_attribute("points").split()) == 3
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert slider.get_attribute("aria-valuetext") == "10 steps"
    assert len(shapes.last.get_attribute("points").split()) == 2
    assert "After 10 steps" in page.locator(".map").get_attribute("aria-label")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_a_phone_and_paper_shows_the_picture(open_page, output, theme):
    page = open_page(output, theme, viewport={"width": 390, "height": 844})
    page.add_script_tag(path=AXE)
    rules = "({violations}) => violations.map(({id}) => id)"
    assert page.evaluate(f"axe.run('.explorable', {{preload: false}}).then({rules})") == []
    wide = "[...document.querySelectorAll('html, figure')].filter(e => e.scrollWidth > 390).length"
    assert page.evaluate(wide) == 0
    page.emulate_media(media="print")
    assert page.locator("img").is_visible() and not page.locator("select").first.is_visible()
