"""Coins in the page: the numbers of a tiny model at work are those of its contexts in Python."""

import numpy as np
import pandas as pd
import pytest
from browsers import AXE, needs_chromium, press

from lexurn.chapters.coins import by_hand, contexts, grids, live, tiny
from lexurn.figures import explorables, figure_card, plots
from lexurn.settings.resolver import check

pytestmark = [pytest.mark.book, needs_chromium]

FLAT = {"n_colors": 2, "n_tasks": 0, "context_length": 8, "n_steps": 40, "eval_every": 40}
FLIPS = [1, 1, 0]


@pytest.fixture
def weights():
    point = check(FLAT | grids.TINY)
    return contexts.read_weights(tiny.train_all([point])[0], point)


@pytest.fixture
def output(weights):
    models = {
        "trained": ("A trained model.", weights),
        "by hand": ("A head by hand.", by_hand.build(8, context_length=8)),
    }
    data = live.live_coins(models, flips=FLIPS, seed=0)
    table = pd.DataFrame({"formula": [0.0, 1.0], "model": [0.0, 1.0]})
    picture = figure_card.card(plots.agreement, table, alt="A line.", n="1", name="coins")
    return explorables.build("coins", data, fallback=picture, alt="Flip coins.")


def numbers(page):
    found = page.locator(".number").evaluate_all("all => all.map(one => +one.dataset.exact)")
    return np.array(found).reshape(2, 2)


def expected(weights, flips):
    """The log odds and probabilities of the model and of the rule."""
    *_, row = contexts.rows(weights, max_flips=len(flips))
    place = sum(flip << i for i, flip in enumerate(flips))
    log_odds = np.array([row.log_odds[place], row.exact[place]])
    return np.stack([log_odds, 1 / (1 + np.exp(-log_odds))], -1)


def test_the_page_computes_what_python_does(open_page, output, weights):
    page = open_page(output)
    flips = list(FLIPS)
    assert np.abs(numbers(page) - expected(weights, flips)).max() < 1e-5
    for name, side in (("Tails", 0), ("Heads", 1), ("Tails", 0)):
        press(page, name)
        flips.append(side)
        assert np.abs(numbers(page) - expected(weights, flips)).max() < 1e-5
    page.get_by_role("combobox", name="Model").select_option("by hand")
    by_hand_numbers = numbers(page)
    head = by_hand.build(8, context_length=8)
    assert np.abs(by_hand_numbers - expected(head, flips)).max() < 1e-4
    assert abs(by_hand_numbers[0] - by_hand_numbers[1]).max() < 0.1
    assert np.abs(by_hand_numbers - expected(weights, flips)).max() > 0.05  # models differ
    press(page, "Take back")
    assert np.abs(numbers(page) - expected(head, flips[:-1])).max() < 1e-4
    press(page, "Flip the coin", 5)
    assert "reads at most 8 flips" in page.get_by_role("status").inner_text()
    press(page, "New coin")
    assert page.locator(".number:visible").count() == 0


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
