"""The map in the page: every cell shows the predictions, distances and mixtures of Python."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from browsers import AXE, needs_chromium, press

from lexurn.chapters import strategies
from lexurn.chapters.strategies import live
from lexurn.figures import explorables, figure_card, plots
from lexurn.predictors import Generalizing, Memorizing, Symmetrized
from lexurn.runs import fit

FLAT = {
    **{"n_colors": 3, "n_steps": 30, "eval_every": 30, "n_checkpoints": 4, "schedule": "constant"},
    **{"context_length": 34, "d_model": 16, "n_test_samples": 10},
}
KINDS = {"normal": {}, "lexical": {"lex": True}}
POOLS = (1, 4)

# The numbers of every cell, as they are shown: probabilities and KL of each predictor.
READ_ALL = """() => [...document.querySelectorAll(".cells button")].map((button) => {
  button.click();
  const exact = (line, name) => [...line.querySelectorAll(name)].map((one) => +one.dataset.exact);
  return {label: button.getAttribute("aria-label"), letter: button.textContent,
    color: getComputedStyle(button).backgroundColor,
    bars: [...document.querySelectorAll(".bar")].map((bar) =>
      bar.getBoundingClientRect().width / bar.parentElement.clientWidth),
    lines: [...document.querySelectorAll(".at-cell tbody tr")].map((line) =>
      [...exact(line, ".number"), ...exact(line, ".distance")])};
})"""


@pytest.fixture
def runs(tiny_run):
    return [tiny_run(FLAT | flat | {"n_tasks": n}) for flat in KINDS.values() for n in POOLS]


@pytest.fixture
def cells(runs):
    return pd.concat([strategies.run_cells(run) for run in runs], ignore_index=True)


def build(runs, cells):
    tables = [live.live_predictions(run) for run in runs]
    return live.live_map(runs, tables, cells, chosen=("normal", 4))


def output(data):
    table = pd.DataFrame({"formula": [0.0, 1.0], "model": [0.0, 1.0]})
    picture = figure_card.card(plots.agreement, table, alt="A line.", n="1", name="live")
    return explorables.build("strategies", data, fallback=picture, alt="Click a cell.")


def expected(run, cells, context):
    """By step: probabilities of model, mixture, G, M and S, and KL from the model to the others.

    Computed from the run, without the tables of the explorable.
    """
    tokens, lengths = live.live_contexts(run)
    balls = tokens[context : context + 1, : lengths[context] + 1]
    exact = [Generalizing(3), Memorizing(run.pool), Symmetrized(run.pool)]
    g, m, s = (each(balls)[0, -1].exp().numpy() for each in exact)
    own = cells[(cells["kind"] == run.settings.kind) & (cells["n_tasks"] == len(run.pool))]
    found = {}
    for step, model in run.checkpoints():
        # A lexical model draws its tables for a whole batch, so it needs all contexts.
        log_probs = fit.as_predictor(model, run.settings)(tokens)[context, lengths[context]]
        p = log_probs.double().exp().numpy()
        weights = own[own["step"] == step][["weight_u", "weight_g", "weight_m"]].to_numpy()[0]
        memorizer = m if run.settings.kind == "normal" else s
        mixed = weights @ np.stack([np.full(3, 1 / 3), g, memorizer])
        distances = [float((p * np.log(p / q)).sum()) for q in (mixed, g, m, s)]
        found[step] = [p, *zip((mixed, g, m, s), distances, strict=True)]
    return found


def compare(page, runs, cells, context):
    """The largest error of a probability and of a KL over all cells of both kinds."""
    errors = {"p": 0.0, "kl": 0.0}
    for kind in KINDS:
        press(page, f"{kind} models")
        press(page, live.CONTEXTS[[*live.CONTEXTS][context]])
        shown = iter(page.evaluate(READ_ALL))
        own = [run for run in runs if run.settings.kind == kind]
        for run in reversed(own):  # more urns stand higher
            for step, (model, *others) in expected(run, cells, context).items():
                cell = next(shown)
                n = len(run.pool)
                assert cell["label"].startswith(f"{n} urn{'s' * (n > 1)}, step {step}: relative ")
                errors["p"] = max(errors["p"], abs(np.array(cell["lines"][0]) - model).max())
                for line, (probs, distance) in zip(cell["lines"][1:], others, strict=True):
                    errors["p"] = max(errors["p"], abs(np.array(line[:3]) - probs).max())
                    errors["kl"] = max(errors["kl"], abs(line[3] - distance))
        assert next(shown, None) is None
    return errors


@pytest.mark.book
@needs_chromium
def test_every_cell_shows_the_numbers_of_python(open_page, runs, cells):
    data = build(runs, cells)
    page = open_page(output(data))
    for context in range(4):
        errors = compare(page, runs, cells, context)
        assert errors["p"] < 2e-5 and errors["kl"] < 2e-4, errors
    fault = copy.deepcopy(data)  # one model predicts otherwise, and one mixture has other weights
    fault["kinds"][1]["rows"][0]["models"][2][1][0] += 0.01
    assert compare(open_page(output(fault)), runs, cells, 1)["p"] > 0.005
    fault = copy.deepcopy(data)
    fault["kinds"][0]["rows"][1]["weights"][1] = [0.0, 1.0, 0.0]
    assert compare(open_page(output(fault)), runs, cells, 1)["p"] > 0.005


@pytest.mark.book
@needs_chromium
def test_cells_have_the_letter_and_the_colour_of_their_numbers(open_page, runs, cells):
    data = build(runs, cells)
    row = data["kinds"][0]["rows"][1]
    row["shares"][:3] = [0.0, None, 1.4]
    row["weights"][:3] = [[0.2, 0.5, 0.3], [0.9, 0.1, 0.0], [0.1, 0.3, 0.6]]
    page = open_page(output(data))
    shown = page.evaluate(READ_ALL)[:3]
    for cell in shown:
        probs = [p for line in cell["lines"] for p in line[:3]]
        widths = np.array(cell["bars"]) / max(cell["bars"])
        np.testing.assert_allclose(widths, np.array(probs) / max(probs), atol=0.03)
    assert [cell["letter"] for cell in shown] == ["G", "U", "M"]
    assert shown[0]["color"] == "rgb(0, 34, 78)" and shown[2]["color"] == "rgb(254, 232, 56)"
    assert shown[1]["color"] == "rgba(0, 0, 0, 0)" and "distance undetermined" in shown[1]["label"]
    assert "relative distance 1.40" in shown[2]["label"]
    assert "mixture U 10 %, G 30 %, M 60 %." in shown[2]["label"]
    press(page, "lexical models")
    assert "is S); nearest mixture U" in page.evaluate(READ_ALL)[0]["label"]


@pytest.mark.book
@needs_chromium
def test_arrow_keys_walk_over_the_map_and_a_live_region_says_it(open_page, runs, cells):
    page = open_page(output(build(runs, cells)))
    status = page.get_by_role("status")
    page.locator(".cells button[tabindex='0']").focus()
    assert page.locator(".cells button[tabindex='0']").count() == 1
    assert status.inner_text().startswith("4 urns, step 30:")
    for key, place in (
        ("ArrowDown", "1 urn, step 30:"),
        ("Home", "1 urn, step 20:"),
        ("ArrowLeft", "1 urn, step 20:"),
        ("ArrowUp", "4 urns, step 20:"),
        ("End", "4 urns, step 30:"),
    ):
        page.keyboard.press(key)
        assert status.inner_text().startswith(place), key
        focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert focused.startswith(place) and status.inner_text().startswith(focused)
    page.keyboard.press("Tab")  # one stop for the whole map
    first = live.CONTEXTS["first"]
    assert page.evaluate("document.activeElement.textContent") == first
    page.keyboard.press("Enter")
    assert f"after {first}" in page.locator(".at-cell caption").inner_text()
    assert page.get_by_role("button", name=first).get_attribute("aria-pressed") == "true"


@pytest.mark.book
@needs_chromium
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_a_phone_and_paper_shows_the_picture(open_page, runs, cells, theme):
    data = build(runs, cells)
    for row in data["kinds"][0]["rows"]:  # as wide as the book's map, in all shades
        n = len(row["steps"])
        pick = [i % n for i in range(live.MAX_STEPS)]
        for name in ("weights", "left_over", "models"):
            row[name] = [row[name][i] for i in pick]
        row["shares"] = [None, *np.linspace(0, 1, live.MAX_STEPS - 1).tolist()]
        row["steps"] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2000]
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
    page = open_page(output(data), theme, **phone)
    page.locator(".cells button").nth(3).tap()
    assert page.get_by_role("status").inner_text().startswith("4 urns, step 8:")
    page.add_script_tag(path=AXE)
    rules = "({violations}) => violations.map(({id}) => id)"
    found = f"axe.run('.explorable', {{preload: false}}).then({rules})"
    assert page.evaluate(found) == []
    wide = "[...document.querySelectorAll('html, figure')].filter(e => e.scrollWidth > 390).length"
    assert page.evaluate(wide) == 0
    sizes = page.locator(".cells button").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect()).map(one => [one.width, one.height])"
    )
    assert min(min(size) for size in sizes) >= 24
    page.locator(".cells button").first.evaluate(
        "one => { one.removeAttribute('aria-label'); one.replaceChildren(); }"
    )
    assert page.evaluate(found) == ["button-name"]  # the fault
    page.emulate_media(media="print")
    assert page.locator("img").is_visible() and not page.locator(".cells").is_visible()


@pytest.mark.book
@needs_chromium
def test_the_picture_is_shown_without_scripts(open_page, runs, cells):
    page = open_page(output(build(runs, cells)), java_script_enabled=False)
    assert page.locator("img").is_visible() and page.locator(".cells").count() == 0


def test_contexts_are_those_of_one_urn_renamed_balls_and_a_fresh_urn(runs):
    (tokens, lengths), (others, _) = (live.live_contexts(run) for run in (runs[0], runs[-1]))
    assert torch.equal(tokens, others)  # the same for every pool and kind of a seed
    assert torch.equal(runs[0].pool[0], runs[-1].pool[0])
    first, training, renamed, fresh = tokens
    assert torch.equal(first, training) and torch.equal(renamed, (training + 1) % 3)
    assert not torch.equal(training, fresh) and lengths == [4, 32, 32, 32]
    references = {name: np.array(rows) for name, rows in live.live_references(runs[0]).items()}
    renaming = np.roll(np.arange(3), 1)
    for name, is_equivariant in (("g", True), ("s", True), ("m", False)):
        error = abs(references[name][2] - references[name][1][renaming]).max()
        assert (error < 2e-5) == is_equivariant, name


def test_long_records_are_thinned_and_small(runs, cells):
    assert live._spread(40).tolist() == [0, 4, 7, 11, 14, 18, 21, 25, 28, 32, 35, 39]
    assert live._spread(3).tolist() == [0, 1, 2]
    size = len(str(build(runs, cells)))
    n_cells = len(cells)
    assert size / n_cells < 600  # less than 80 kB for the book's 120 cells
