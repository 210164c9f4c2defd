"""Explorables compute in the page what the library computes, and everybody can use them."""

import json
import re

import numpy as np
import pytest
import torch
from browsers import AXE, needs_chromium, press
from nbformat.v4 import new_code_cell, new_notebook, new_output, writes

from lexurn.base import paths
from lexurn.base.errors import ParameterError
from lexurn.chapters.data import plots as data_plots
from lexurn.chapters.data import students
from lexurn.figures import explorables, figure_card
from lexurn.figures.live_urn import live_urn
from lexurn.figures.looks import LOOKS, dark
from lexurn.measures import evaluation
from lexurn.predictors import Generalizing, Memorizing, Symmetrized
from lexurn.publish import cards, dependencies, staging

EXAMPLE = [1, 1, 0, 1, 2]
URN = [0.7, 0.2, 0.1]
NAMES = {"G": "generalizing", "M": "memorizing", "S": "symmetrized", "B": "doubting"}


def predictors(urns):
    urns = torch.tensor(urns, dtype=torch.float64)
    known = {
        "generalizing": Generalizing(urns.shape[1]),
        "memorizing": Memorizing(urns),
        "symmetrized": Symmetrized(urns),
    }
    return known | {"doubting": students.with_doubt(known, 0.01)}


def expected(urns, balls):
    """The probabilities by name, row and colour. The last row has seen all balls."""
    tokens = torch.tensor([[*balls, 0]])
    return {name: rule(tokens)[0].exp().numpy() for name, rule in predictors(urns).items()}


def picture():
    known = {name: rule for name, rule in predictors([URN]).items() if name != "doubting"}
    table = evaluation.predict_sequence(known, torch.tensor([[*EXAMPLE, 0]]))
    words = {
        "alt": "Bars of G, M and S.",
        "caption": "M does not follow the names of the colours.",
        "n": "1",
    }
    return figure_card.card(data_plots.predictions_after, table, name="urn", row=5, **words)


def output(**changed):
    named = {"red": "red", "blue": "blue", "green": "green", "doubting": "uniform"}
    named |= {name: name for name in [*NAMES.values()][:3]}
    data = {
        "colors": ["red", "blue", "green"],
        "urns": [URN],
        "balls": EXAMPLE,
        "epsilon": 0.01,
        "seed": 1,
        "looks": explorables.looks(named),
    }
    return explorables.build("urn", data | changed, fallback=picture(), alt="Draw balls.")


@pytest.fixture
def opened(open_page):
    """A function that opens a page with the live urn."""
    return lambda theme="light", shown=None, **options: open_page(
        shown or output(), theme, **options
    )


def exact_numbers(page):
    numbers = page.locator("tr:not([hidden]) .number")
    return numbers.evaluate_all("all => all.map(one => +one.dataset.exact)")


def shown(page):
    """The numbers of the last row by the predictors' names, in full precision."""
    numbers = page.locator("tr:not([hidden]) .number").evaluate_all(
        "all => all.map(one => +one.dataset.exact)"
    )
    return dict(zip(NAMES.values(), np.array(numbers).reshape(4, -1), strict=True))


def drawn(page):
    names = page.locator("ol .ball").evaluate_all("all => all.map(one => one.ariaLabel)")
    return [["red", "blue", "green"].index(name) for name in names]


def difference(found, wanted):
    return max(np.abs(np.array(found[name]) - wanted[name]).max() for name in NAMES.values())


@pytest.mark.parametrize(
    "flat", [{}, {"lex": True}, {"backbone": "lstm"}, {"backbone": "mamba"}, {"tied": False}]
)
@pytest.mark.book
@needs_chromium
def test_a_trained_model_predicts_in_the_page_as_its_run_does(opened, tiny_run, flat):
    is_lexical = flat.get("lex", False)
    flat = {"n_steps": 30, "n_colors": 3, "n_tasks": 2, "context_length": 8} | flat
    run = tiny_run(flat | {"n_test_samples": 10, "eval_every": 30})
    along = evaluation.predict_sequence(run.references, run.splits["out_of_distribution"][:1])
    balls = along.drop_duplicates("row")["ball"].head(5).tolist()
    data = live_urn({"model": run}, balls)
    live = explorables.build("urn", data, fallback=picture(), alt="Draw balls.")
    page = opened(shown=live)
    press(page, "Draw from M's urn", 4)
    balls = drawn(page)
    assert len(balls) == 8 and "full" in page.get_by_role("status").inner_text()
    numbers = page.locator("tr:not([hidden]) .number").evaluate_all(
        "all => all.map(one => +one.dataset.exact)"
    )
    *exact, model = np.array(numbers).reshape(5, 3)
    last = {name: rows[-1] for name, rows in expected(run.pool.tolist(), balls).items()}
    assert difference(dict(zip(NAMES.values(), exact, strict=True)), last) < 1e-9
    wanted = run.predictor(torch.tensor([[*balls, 0]]))[0, -1].exp().numpy()
    assert np.abs(model - wanted).max() < 2e-3  # weights are rounded
    assert np.abs(model - last["generalizing"]).max() > 0.02
    press(page, "Rename colours")
    said = page.get_by_role("status").inner_text()
    changes = re.findall(r"model by up to (\d[\d.e-]*\d)", said)
    if is_lexical:  # its names are renamed along, so that nothing can change
        assert not changes and "moved with the names: G; S; B; model." in said
        *_, renamed = np.array(exact_numbers(page)).reshape(5, 3)
        assert np.abs(np.roll(model, 1) - renamed).max() < 1e-12
    else:
        assert len(changes) == 1 and float(changes[0]) > 1e-4


def test_a_run_without_four_names_or_without_a_pool_has_no_live_urn(tiny_run):
    for flat in ({"n_colors": 5}, {"n_tasks": 0}, {"alpha": [1, 2, 3], "n_colors": 3}):
        run = tiny_run(flat | {"n_steps": 2, "eval_every": 2, "n_test_samples": 5})
        assert live_urn({"model": run}, []) is None


@pytest.mark.book
@needs_chromium
def test_a_rename_moves_what_g_and_s_expect_with_the_names_and_changes_m(opened):
    page = opened()
    assert drawn(page) == EXAMPLE
    press(page, "Draw from M's urn", 15)
    press(page, "Draw from a fresh urn", 10)
    balls = drawn(page)
    before = shown(page)
    assert len(balls) == 30 and len(set(balls[5:])) == 3
    last = {name: rows[-1] for name, rows in expected([URN], balls).items()}
    assert difference(before, last) < 1e-9
    press(page, "Rename colours")
    after = shown(page)
    assert drawn(page) == [(ball + 1) % 3 for ball in balls]
    moved = {name: np.abs(np.roll(before[name], 1) - after[name]).max() for name in before}
    assert moved.pop("memorizing") > 0.1 and max(moved.values()) < 1e-12
    said = page.get_by_role("status").inner_text()
    assert "red is now called blue, blue is now called green, green is now called red" in said
    assert "Predictions that moved with the names: G; S; B. Predictions" in said
    assert "Predictions that changed: M by up to 0." in said
    numbers = " ".join(f"{p:.2f}" for p in after["symmetrized"])
    assert f"S {numbers};" in page.get_by_role("status").text_content()

    page.evaluate(  # the fault: M in the place of S
        "const right = lexurn.predict; lexurn.predict = (...given) => {"
        "const rows = right(...given); return {...rows, symmetrized: rows.memorizing}; }; null"
    )
    press(page, "Rename colours")
    assert "changed: M by up to 0.60; S by up to 0.60." in page.get_by_role("status").inner_text()


@pytest.mark.book
@needs_chromium
def test_the_urn_is_drawn_from_under_the_names_of_now_and_equally_every_time(opened):
    sequences = []
    for n_renames in (0, 1, 0):
        page = opened()
        press(page, "Start again")
        press(page, "Rename colours", n_renames)
        press(page, "Draw from M's urn", 20)
        sequences.append(drawn(page))
    first, renamed, again = sequences
    assert first == again and renamed == [(ball + 1) % 3 for ball in first]
    assert "70 % blue, 20 % green, 10 % red" not in page.locator("main").inner_text()
    press(page, "Rename colours")
    assert "70 % blue, 20 % green, 10 % red" in page.locator("main").inner_text()


@pytest.mark.book
@needs_chromium
def test_an_urn_of_ones_own_can_be_drawn_from_and_learned(opened):
    page = opened()
    page.locator("summary", has_text="An urn of your own").click()
    for name, parts in (("red", 0), ("blue", 3), ("green", 9)):
        page.get_by_role("slider", name=name).fill(str(parts))
    assert "Your urn: 0 % red, 25 % blue, 75 % green." in page.locator("main").inner_text()
    press(page, "Draw from your urn", 20)
    assert {*drawn(page)[5:]} == {1, 2}
    press(page, "Let them learn your urn")
    last = {name: rows[-1] for name, rows in expected([[0, 0.25, 0.75]], drawn(page)).items()}
    assert difference(shown(page), last) < 1e-9
    assert "M has learned the urn with 0 % red, 25 % blue" in page.locator("main").inner_text()
    press(page, "Undo")
    assert "M has learned the urn with 70 % red" in page.locator("main").inner_text()
    for name in ("blue", "green"):
        page.get_by_role("slider", name=name).fill("0")
    before = drawn(page)
    press(page, "Draw from your urn")
    assert drawn(page) == before
    assert "Your urn is empty." in page.get_by_role("status").inner_text()


@pytest.mark.book
@needs_chromium
def test_a_student_is_hidden_until_somebody_guesses(opened):
    page = opened()
    assert not page.get_by_role("group", name="The hidden one is").is_visible()
    before = shown(page)
    for letter in "GMS":
        press(page, "Hide one, and guess")
        numbers = exact_numbers(page)
        (who,) = (name for name in before if np.allclose(before[name], numbers, atol=1e-12))
        press(page, letter)
        said = page.get_by_role("status").inner_text()
        right = who[0].upper()
        assert f"{'Right' if letter == right else 'No'}: it is {right}." in said
        assert difference(shown(page), before) == 0


@pytest.mark.book
@needs_chromium
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"urns": [[0.7, 0.2, 0.3]]}, "1.2"),
        ({"balls": [0, 3]}, "balls must be whole numbers from 0 to 2, got 3"),
        ({"models": [{"weights": {}}]}, ""),
    ],
)
def test_data_that_cannot_be_shown_leave_the_picture_and_a_reason(opened, changed, reason):
    page = opened(shown=output(**changed))
    assert page.locator("img").is_visible() and page.locator("button").count() == 0
    said = page.get_by_role("status").inner_text()
    assert "This figure cannot be used here" in said and reason in said


@pytest.mark.book
@needs_chromium
def test_buttons_work_by_keyboard_and_a_full_sequence_says_so(opened):
    page = opened()
    page.keyboard.press("Tab")  # the figure, which scrolls where it is too wide
    seen = []
    while not seen or seen[-1] != "Start again":
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.textContent.trim()"))
    assert [text.removeprefix(text[0]).strip() for text in seen[:3]] == [
        "Draw red", "Draw blue", "Draw green"]  # fmt: skip
    assert seen[3:-1] == [*("Draw from M's urn", "Draw from a fresh urn", "Rename colours", "Undo")]
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    page.keyboard.press("Enter")
    assert drawn(page) == []
    page.get_by_role("button", name="Draw green").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    assert drawn(page) == [2, 2] and "Ball 2 is green." in page.get_by_role("status").inner_text()
    page.get_by_role("button", name="Undo").focus()
    for wanted in ([2], [], EXAMPLE, EXAMPLE):
        page.keyboard.press("Enter")
        assert drawn(page) == wanted
    assert "nothing to undo" in page.get_by_role("status").inner_text()
    press(page, "Draw from M's urn", 61)
    assert len(drawn(page)) == 60
    assert "The sequence is full" in page.get_by_role("status").inner_text()
    wanted = {name: rows[-1] for name, rows in expected([URN], drawn(page)).items()}
    assert difference(shown(page), wanted) < 1e-9
    press(page, "Undo")
    assert len(drawn(page)) == 59


@pytest.mark.book
@needs_chromium
def test_the_picture_is_shown_without_scripts_and_on_paper(opened):
    page = opened(java_script_enabled=False)
    assert page.locator("img").is_visible() and page.locator("button").count() == 0
    page = opened()
    assert not page.locator("img").is_visible() and page.locator("table button").count() == 0
    assert page.get_by_role("button", name="Undo").is_visible()
    page.emulate_media(media="print")
    assert page.locator("img").is_visible()
    assert not page.locator("button").first.is_visible()


@pytest.mark.book
@needs_chromium
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_and_a_phone_is_wide_enough(opened, theme):
    page = opened(theme, viewport={"width": 390, "height": 844})
    press(page, "Draw from M's urn", 55)
    page.add_script_tag(path=AXE)
    rules = "({violations}) => violations.map(({id}) => id)"
    found = f"axe.run('.explorable', {{preload: false}}).then({rules})"
    assert page.evaluate(found) == []
    wide = "[...document.querySelectorAll('html, figure')].filter(e => e.scrollWidth > 390)"
    assert page.evaluate(f"{wide}.length") == 0
    bar = "getComputedStyle(document.querySelector('.bar.symmetrized')).backgroundColor"
    color = LOOKS["symmetrized"].color if theme == "light" else dark(LOOKS["symmetrized"].color)
    rgb = ", ".join(str(int(color[i : i + 2], 16)) for i in (1, 3, 5))
    assert page.evaluate(bar) == f"rgb({rgb})"
    page.locator(".live button").first.evaluate("button => button.replaceChildren()")
    assert page.evaluate(found) == ["button-name"]


@pytest.mark.book
@needs_chromium
@pytest.mark.parametrize("attached", ["first", "last"])
def test_an_output_that_jupyter_inserts_runs(opened, attached):
    """JupyterLab sets the HTML of an element, and then puts copies in the place of its scripts."""
    page = opened(shown={"text/html": ""})
    page.evaluate(
        """([text, attached]) => {
          const host = document.createElement("div");
          if (attached === "first") document.querySelector("main").append(host);
          host.innerHTML = text;
          if (host.querySelector("button")) throw new Error("scripts of innerHTML never run");
          for (const script of host.querySelectorAll("script")) {
            const copy = document.createElement("script");
            for (const {name, value} of script.attributes) copy.setAttribute(name, value);
            copy.textContent = script.textContent;
            script.replaceWith(copy);
          }
          if (attached === "last") document.querySelector("main").append(host);
        }""",
        [output()["text/html"], attached],
    )
    press(page, "Draw from M's urn", 2)
    assert len(drawn(page)) == 7 and page.locator(".live").count() == 1


def test_a_chapter_is_executed_again_after_a_change_of_a_script(monkeypatch, tmp_path):
    module = tmp_path / "lexurn" / "figures" / "explorables.py"
    script = tmp_path / "book" / "assets" / "explorables" / "urn.js"
    for path in (module, script):
        path.parent.mkdir(parents=True)
        path.touch()
    monkeypatch.setattr(paths, "LIBRARY", tmp_path / "lexurn")
    before = dependencies.module_hashes()
    assert dependencies.module_hashes() == before
    script.write_text("1;")
    assert dependencies.module_hashes() != before


def test_no_data_can_end_the_script_that_holds_them():
    text = output(colors=["</script><b>", "<!--", "a"])["text/html"]
    assert "</script><b>" not in text and "<!--" not in text
    (data,) = re.findall(r'<script type="application/json">(.*?)</script>', text, re.DOTALL)
    assert json.loads(data)["colors"] == ["</script><b>", "<!--", "a"]
    for script in (paths.root() / "book" / "assets" / "explorables").glob("*.js"):
        assert not re.search("</|<!--|<script", script.read_text()), script.name
    with pytest.raises(ParameterError, match="no explorable ur; did you mean urn"):
        explorables.build("ur", {}, fallback=picture(), alt="")
    with pytest.raises(
        ParameterError, match="explorable urn: its data must be JSON with finite numbers, .*range"
    ):
        explorables.build("urn", {"a": float("nan")}, fallback=picture(), alt="")


def test_an_explorable_belongs_to_its_card_and_its_scripts_are_files_of_the_site():
    notebook = new_notebook(
        cells=[new_code_cell("urn()", outputs=[new_output("display_data", output())])]
    )
    assert list(cards.find_lint(notebook)) == []
    notebook.cells[0].outputs[0]["data"]["text/html"] += '<img src="other.png">'
    assert "without a card" in "".join(cards.find_lint(notebook))  # the control
    contents = staging.stage("01_data", json.loads(writes(notebook)))
    scripts = {name.removeprefix("_static/explorables/"): text for name, text in contents.items()}
    files = [*explorables.SCRIPTS["urn"], "01_data-urn.js"]
    first = json.loads(contents["01_data.ipynb"])["cells"][0]["outputs"][0]
    page = "".join(first["data"]["text/html"])
    assert f'data-files="{" ".join(files)}"' in page and page.count("<script") == 1
    assert '<script src="_static/explorables/load.js"></script></figure>' in page
    assert "use strict" not in page and "base64" not in page and "epsilon" not in page
    assert (
        scripts["urn.js"].startswith(b"/* The live urn")
        and b'"epsilon": 0.01' in scripts[files[-1]]
    )
    assert sum(len(scripts[name]) for name in [*files, "load.js"]) < 60_000
    alone = staging.insert_explorables(
        "a {explorable}`01_data-urn` b {explorable}`none` c", contents
    )
    assert alone.startswith('a <div class="explorable') and alone.endswith("</script> b  c")
    assert "\n" not in alone and '<img class="figure"' in alone
    assert '<div class="fallback" style="overflow-x: auto" tabindex="0">' in alone
