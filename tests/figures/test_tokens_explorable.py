"""The map of a text's tokens shows the cosines that were measured, at every layer and step."""

import base64

import numpy as np
import pandas as pd
import pytest
from browsers import AXE, needs_chromium

from lexurn.chapters.geometry import live
from lexurn.chapters.geometry import plots as geometry_plots
from lexurn.figures import explorables, figure_card

NAMES = [["t", "o", "·", "b", "e"], ["n", "o", "<b>"]]
STEPS = (0, 10, 40)
N_LAYERS = 3


def table(seed):
    """Random cosines in the form of `live.pack_prompts`, and the same as matrices."""
    dice = np.random.default_rng(seed)
    rows, matrices = [], {}
    for prompt, names in enumerate(NAMES):
        n = len(names)
        for step in STEPS:
            for layer in range(N_LAYERS):
                packed = dice.integers(-live.SCALE, live.SCALE + 1, n * (n - 1) // 2, np.int8)
                row = {"prompt": prompt, "step": step, "layer": layer, "n": n}
                rows.append(row | {"cosines": base64.b64encode(packed.tobytes()).decode()})
                matrix = np.eye(n)
                matrix[np.tril_indices(n, -1)] = packed / live.SCALE
                matrices[prompt, step, layer] = matrix + np.tril(matrix, -1).T
    return pd.DataFrame(rows), matrices


FIRST, SECOND = table(0), table(1)


def output(**changed):
    tables = {"pre": FIRST[0], "post": SECOND[0]}
    drawn = live.unpack_cosines(FIRST[0].query("prompt == 0 and layer == 1 and step == 40"))
    words = {"alt": "A map.", "caption": "Vectors are alike in places.", "n": "1"}
    picture = figure_card.card(geometry_plots.similarities, drawn, name="prompt", **words)
    data = live.similarity_data(tables, NAMES) | changed
    return explorables.build("tokens", data, fallback=picture, alt="Choose a layer and a step.")


def test_cosines_are_packed_and_unpacked():
    tidy = live.unpack_cosines(FIRST[0])
    for (prompt, step, layer), matrix in FIRST[1].items():  # noqa: B007  the query reads them
        part = tidy.query("prompt == @prompt and step == @step and layer == @layer")
        wide = part.pivot(index="first", columns="second", values="value").to_numpy()
        np.testing.assert_allclose(wide, matrix)


def shown(page):
    """The cosines of the chosen token with all tokens, as the page has them."""
    return page.locator(".letters button").evaluate_all("all => all.map(one => +one.dataset.value)")


def move(page, label, value):
    page.get_by_role("slider", name=label).evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }", value
    )


@pytest.mark.book
@needs_chromium
def test_every_layer_step_model_and_token_shows_its_cosines(open_page):
    page = open_page(output())
    minus = {key: SECOND[1][key] - FIRST[1][key] for key in FIRST[1]}
    for prompt, names in enumerate(NAMES):
        page.get_by_role("combobox", name="Text").select_option(str(prompt))
        for title, matrices in {"pre": FIRST[1], "post minus pre": minus}.items():
            page.get_by_role("combobox", name="Model").select_option(title)
            for place, step in enumerate(STEPS):
                move(page, "Step", place)
                for layer in range(N_LAYERS):
                    move(page, "Layer", layer)
                    page.locator(".letters button").nth(1).focus()
                    expected = matrices[prompt, step, layer][1]
                    np.testing.assert_allclose(shown(page), expected, atol=1e-9)
        assert page.locator(".pairs rect").count() == len(names) ** 2 + 1
    other = FIRST[1][1, STEPS[-1], N_LAYERS - 1][1]
    assert np.abs(np.array(shown(page)) - other).max() > 0.01  # the control: another model


@pytest.mark.book
@needs_chromium
def test_tokens_are_reached_by_keyboard_and_pointer(open_page):
    page = open_page(output())
    first = page.locator(".letters button").first
    first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    status = page.get_by_role("status")
    assert status.inner_text().startswith("Token · (3), block 2, step 40, pre.")
    page.keyboard.press("End")
    assert "Token e (5)" in status.inner_text()
    page.keyboard.press("ArrowRight")  # the last token has none behind it
    assert "Token e (5)" in status.inner_text()
    page.keyboard.press("Home")
    assert "Token t (1)" in status.inner_text()
    page.locator(".pairs rect").nth(5 + 3).hover()  # the second token's row, the fourth column
    value = FIRST[1][0, 40, 2][1, 3]
    assert f"Pointed at: b (4): {value:.2f}" in status.inner_text()
    tabs = page.locator(".letters button").evaluate_all("all => all.map(one => one.tabIndex)")
    assert tabs == [-1, 0, -1, -1, -1]
    page.get_by_role("slider", name="Layer").focus()
    page.keyboard.press("ArrowLeft")
    assert "block 1" in status.inner_text()


@pytest.mark.book
@needs_chromium
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_map_is_accessible_and_texts_are_no_markup(open_page, theme):
    page = open_page(output(), theme)
    page.get_by_role("combobox", name="Text").select_option("1")
    assert page.locator(".letters button").all_inner_texts() == NAMES[1]
    page.add_script_tag(path=AXE)
    violations = page.evaluate(
        "axe.run('.explorable').then(found => found.violations.flatMap("
        "one => one.nodes.map(node => one.id + ': ' + node.any.map(check => check.message))))"
    )
    assert violations == []
    assert "mean cosine of all pairs" in page.locator("svg.pairs").get_attribute("aria-label")


@pytest.mark.book
@needs_chromium
def test_without_scripts_and_with_broken_data_the_picture_stays(open_page):
    page = open_page(output(), java_script_enabled=False)
    assert page.locator(".fallback img").first.is_visible()
    page = open_page(output(cosines=[["!"], ["!"]]))
    assert page.locator(".fallback img").first.is_visible()
    assert "cannot be used here" in page.locator(".failure").inner_text()
