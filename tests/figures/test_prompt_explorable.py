"""Prompts: models complete them in the page as in torch, and rules are those of the library."""

import json
import re
from itertools import product

import numpy as np
import pytest
import torch
from browsers import AXE, needs_chromium, press
from half_precision import TOLERANCE, torch_prediction
from nbformat.v4 import new_code_cell, new_notebook, new_output, writes

from lexurn.base import files, paths
from lexurn.chapters.rules import live, plots
from lexurn.figures import explorables, figure_card
from lexurn.figures.looks import dark
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.strings import EOS, FIRST_LETTER
from lexurn.predictors.grammars import oracle
from lexurn.publish import staging

LENGTH = 12
FLAT = {
    **{"task": "language", "language": "aNbN", "context_length": LENGTH, "d_model": 16},
    **{"n_layers": 2, "n_steps": 60, "eval_every": 60, "n_test_samples": 20},
}
KINDS = {
    "rotary": {"positions": "rotary"},
    "transformer": {"positions": "learned"},
    "lstm": {"backbone": "lstm"},
    "mamba": {"backbone": "mamba"},
}
PROMPTS = ["", "ab", "aab", "aaabbb", "a" * 6, "ba", "abab", "abaab", "bbaa", "a" * 7, "ab" * 6]
"""Prompts that begin strings, prompts that begin none, the empty one and the longest one."""

LANGUAGE = LANGUAGES["aNbN"]
TOKENS = [EOS, FIRST_LETTER, FIRST_LETTER + 1]

pytestmark = [pytest.mark.book, needs_chromium]


@pytest.fixture
def runs(tiny_run):
    return {kind: tiny_run(FLAT | flat) for kind, flat in KINDS.items()}


@pytest.fixture
def output(runs):
    table = live.greedy_completions(runs)
    words = {"alt": live.ALT, "n": "4 models", "name": "live"}
    picture = figure_card.card(plots.completions, table, size=(8.0, 3.2), **words)
    return explorables.build("prompt", live.live_prompt(runs), fallback=picture, alt="Prompts.")


@pytest.fixture
def written_page(open_page, output):
    """A function that opens a page whose models write these strings, whatever the prompt."""

    def open_written(strings, **options):
        """A string without a full stop at its end never ends."""
        fake = (
            "<script>lexurn.network = ({title}) => (tokens) => { "
            f"const [own] = ({json.dumps(strings)})[title]; "
            "return Array.from({length: tokens.length + 1}, (_, row) => "
            "[0, 1, 2, 3, 4].map((v) => Number(v === ({a: 3, b: 4})[own[row]] || (v === 1 && "
            'own[row] === ".")))); };</script>'
        )
        last = '<script data-file="prompt.js">'
        html = output["text/html"]
        assert html.count(last) == 1
        return open_page({"text/html": html.replace(last, fake + last)}, **options)

    return open_written


def write(page, prompt):
    page.get_by_role("textbox", name="Prompt").fill(prompt)


def rows_of(page, title):
    """The rows of a model's table: decoding, string in words, and the verdicts of both rules."""
    block = page.get_by_role("group", name=title, exact=True)
    return block.locator("tbody tr").evaluate_all(
        """rows => rows.map((row) => [row.cells[0].textContent,
          row.querySelector(".unseen").textContent,
          ...[...row.querySelectorAll("[data-verdict]")].map((cell) => cell.dataset.verdict)])"""
    )


def read_words(words):
    """The letters of a string in words, such as "2 a's, b, EOS", and whether it has ended."""
    *letters, end = words.split(", ")
    parts = [part.removesuffix("'s").split(" ") for part in letters]
    assert end in ("EOS", "no EOS")
    return "".join(part[-1] * int(part[0] if len(part) > 1 else 1) for part in parts), end == "EOS"


def law(run, string):
    """The probabilities of EOS, a and b that torch computes before each letter and after all."""
    tokens = torch.tensor([[*(TOKENS["?ab".index(letter)] for letter in string), EOS]])
    return torch_prediction(run.model, run.settings, tokens, n_tables=1)[:, TOKENS]


def strip_bars(page, title):
    """The heights of the bars of a model's strip as shares: place, and EOS, a, b."""
    bars = page.get_by_role("group", name=title, exact=True).locator(".strip rect")
    heights = bars.evaluate_all("all => all.map((bar) => +bar.getAttribute('height'))")
    return np.array(heights).reshape(-1, 3) / 44


def uniform_numbers(seed, n):
    """The first numbers of the page's random stream (mulberry32)."""
    mask, state, numbers = 0xFFFFFFFF, seed, []
    for _ in range(n):
        state = (state + 0x6D2B79F5) & mask
        mixed = ((state ^ (state >> 15)) * (state | 1)) & mask
        mixed ^= (mixed + (((mixed ^ (mixed >> 7)) * (mixed | 61)) & mask)) & mask
        numbers.append((mixed ^ (mixed >> 14)) / 2**32)
    return numbers


def complete(run, prompt, seed=None):
    """What torch writes with the weights in half precision, greedily or with random numbers."""
    string = prompt
    numbers = iter(uniform_numbers(seed or 0, LENGTH + 1))
    while True:
        probs = law(run, string)[-1]
        chosen = probs.argmax() if seed is None else (next(numbers) > probs.cumsum()).sum()
        if chosen == 0 or len(string) == LENGTH:
            return string, chosen == 0
        string += "?ab"[chosen]


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda prompt: prompt or "empty")
def test_numbers_and_completions_are_those_of_torch(open_page, output, runs, prompt):
    page = open_page(output)
    write(page, prompt)
    numbers = page.locator(".number").evaluate_all("all => all.map((one) => +one.dataset.exact)")
    numbers = np.array(numbers).reshape(-1, 3)[-4:]
    wanted = np.array([law(run, prompt)[-1] for run in runs.values()])
    assert np.abs(numbers - wanted).max() < TOLERANCE
    assert np.abs(numbers - wanted[[1, 2, 3, 0]]).max() > 100 * TOLERANCE  # models differ
    for kind, run in runs.items():
        rows = rows_of(page, live.TITLES[kind])
        seeds = [None, 1, 2, 3, 4]
        assert [row[0] for row in rows] == ["greedy", *["sampled"] * live.N_SAMPLES]
        assert [read_words(row[1]) for row in rows] == [complete(run, prompt, s) for s in seeds]
        greedy, _ = read_words(rows[0][1])
        bars = strip_bars(page, live.TITLES[kind])
        assert np.abs(bars - law(run, greedy)).max() < TOLERANCE
        assert np.abs(np.roll(bars, 1, axis=1) - bars).max() > 0.1
    press(page, "Sample again")
    rows = rows_of(page, live.TITLES["lstm"])[1:]
    wanted = [complete(runs["lstm"], prompt, seed) for seed in (5, 6, 7, 8)]
    assert [read_words(row[1]) for row in rows] == wanted


def verdicts(page, strings):
    run = (
        "strings => strings.map((one) => [true, false].map((end) => lexurn.judgeString(one, end)))"
    )
    return page.evaluate(run, strings)


def rules_by_library(strings):
    tokens = LANGUAGE.encode(strings, length=9)
    words = [["broken", "kept"][is_kept] for is_kept in LANGUAGE.obeys_rules(tokens).flatten()]
    return np.reshape(words, (-1, 2)).tolist()


def test_rules_are_those_of_the_library(open_page, output):
    page = open_page(output)
    strings = ["".join(letters) for n in range(9) for letters in product("ab", repeat=n)]
    found = verdicts(page, strings)
    wanted = rules_by_library(strings)
    assert [ended for ended, _ in found] == wanted
    for (_, second), (_, (first_open, second_open)) in zip(wanted, found, strict=True):
        assert first_open == "not ended"  # a string that goes on keeps no rule
        assert second_open == ("not ended" if second == "kept" else "broken")
    script = (paths.root() / "book" / "assets" / "explorables" / "prompt.js").read_text()
    for right, wrong in [('includes("ba")', 'includes("ab")'), ('count(string, "b");', "1;")]:
        assert right in script
        page.evaluate(script.replace(right, wrong, 1))
        assert [ended for ended, _ in verdicts(page, strings)] != wanted


HAND_MADE = {
    "rotary positions": ("abab.", "kept", "broken"),
    "learned positions": ("aabb.", "kept", "kept"),
    "LSTM": ("aab.", "broken", "kept"),
    "Mamba": ("a" * LENGTH, "not ended", "not ended"),
}
COLORS = {"kept": "generalizing", "broken": "red", "not ended": "uniform"}
SIGNS = {"kept": "✓ kept", "broken": "✗ broken", "not ended": "… not ended"}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_verdicts_have_a_colour_a_sign_and_a_word(written_page, theme):
    page = written_page(HAND_MADE, theme=theme)
    write(page, "a")
    for title, (string, *wanted) in HAND_MADE.items():
        cells = page.get_by_role("group", name=title, exact=True).locator("tbody tr").first
        cells = cells.locator("[data-verdict]")
        assert cells.all_inner_texts() == [SIGNS[verdict] for verdict in wanted]
        greedy = rows_of(page, title)[0]
        assert read_words(greedy[1]) == (string.strip("."), string.endswith("."))
        for i, verdict in enumerate(wanted):
            color = live.explorables.looks(COLORS)[verdict][theme]
            rgb = ", ".join(str(int(color[j : j + 2], 16)) for j in (1, 3, 5))
            assert cells.nth(i).evaluate("cell => getComputedStyle(cell).color") == f"rgb({rgb})"
    said = page.get_by_role("status").inner_text()
    assert said == (
        "Rule 1 in greedy completions of a: kept by rotary positions, learned positions; "
        "broken by LSTM; not ended by Mamba."
    )
    other = written_page(HAND_MADE | {"LSTM": ("aabb.",)}, theme=theme)  # the control
    write(other, "a")
    assert rows_of(other, "LSTM")[0][2:] == ["kept", "kept"]
    assert "broken" not in other.get_by_role("status").inner_text()


def test_the_oracle_says_what_may_follow_or_what_rule_1_asks_for(open_page, output):
    page = open_page(output)
    strings = ["a" * n + "b" * n for n in range(1, LENGTH // 2 + 1)]
    prompts = ["".join(letters) for n in range(6) for letters in product("ab", repeat=n)]
    prompts += ["a" * 6, "a" * 7, "a" * 11, "ab" * 6, "b" * 12]
    begins = {prompt: [one for one in strings if one.startswith(prompt)] for prompt in prompts}
    assert any(begins.values()) and not all(begins.values())
    for prompt, endings in begins.items():
        write(page, prompt)
        said = page.locator(".advice").inner_text()
        first = page.locator(".live > table tbody tr").first
        surplus = prompt.count("a") - prompt.count("b")
        if endings:
            exact = oracle("aNbN", max_length=LENGTH)(LANGUAGE.encode([prompt], length=13))
            wanted = exact[0, len(prompt)].exp()[TOKENS].numpy()
            found = first.locator(".number").evaluate_all("all => all.map((x) => +x.dataset.exact)")
            assert np.abs(np.array(found) - wanted).max() < 1e-9
            assert "oracle expects" in said and "Rule 1" not in said
            shares = dict(re.findall(r"(EOS|a|b) ([\d.]+) %", said))
            expected = {name: p for name, p in zip(("EOS", "a", "b"), wanted, strict=True) if p > 0}
            assert {name: float(share) for name, share in shares.items()} == pytest.approx(
                {name: 100 * p for name, p in expected.items()}, abs=0.06
            )
            continue
        assert f"No string of at most {LENGTH} letters begins with {prompt}" in said
        assert first.inner_text().split() == ["oracle", "no", "string", "begins", "so"]
        known = next(n for n in range(len(prompt)) if not begins_any(strings, prompt[: n + 1]))
        assert (f"after {prompt[:known]}, only" if known else "at the beginning, only") in said
        more = f"Rule 1 asks for {abs(surplus)} more {'b' if surplus > 0 else 'a'}"
        assert (more in said) == (surplus != 0)
        assert ("kept by EOS now" in said) == (surplus == 0)
        room = LENGTH - len(prompt)
        assert (f"there is room for {room} only" in said) == (abs(surplus) > room)


def begins_any(strings, prefix):
    return any(string.startswith(prefix) for string in strings)


def test_readers_type_tap_and_use_the_keyboard(open_page, output):
    page = open_page(output)
    field = page.get_by_role("textbox", name="Prompt")
    status = page.get_by_role("status")
    assert field.input_value() == "ba"
    assert f"without EOS after {LENGTH} letters" in page.locator("main").inner_text()
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement.tagName") != "INPUT":
        page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("End")
    page.keyboard.type("Ab")
    assert field.input_value() == "baab" and "completions of baab" in status.inner_text()
    page.keyboard.type("c")
    assert field.input_value() == "baab" and "only the letters a and b" in status.inner_text()
    names = []
    while not names or names[-1] != "Sample again":
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.textContent"))
    assert names == ["Add a", "Add b", "Delete last", "Start again", "Sample again"]
    page.keyboard.press("Enter")
    assert status.inner_text().startswith("New samples.")
    press(page, "Add b", 20)
    assert field.input_value() == "baab" + "b" * (LENGTH - 4)
    assert f"at most {LENGTH} letters" in status.inner_text()
    press(page, "Delete last", LENGTH - 1)
    assert field.input_value() == "b"
    press(page, "Start again")
    assert field.input_value() == "" and "completions of nothing" in status.inner_text()
    press(page, "Delete last")
    assert field.input_value() == ""
    for prompt in live.PROMPTS:
        press(page, prompt)
        chosen = page.locator("button[aria-pressed=true]").all_inner_texts()
        assert field.input_value() == prompt and chosen == [prompt]
    write(page, "bbb")
    assert page.locator("button[aria-pressed=true]").count() == 0


def test_strips_and_strings_have_words(open_page, output, runs):
    page = open_page(output)
    write(page, "abaab")
    string, has_ended = complete(runs["mamba"], "abaab")
    block = page.get_by_role("group", name="Mamba", exact=True)
    label = block.locator("svg[role=img]").get_attribute("aria-label")
    assert label.startswith("Greedy completion by Mamba: a, b, 2 a's, ")
    places = label.partition("place by place: ")[2].split("; ")
    assert len(places) == len(string) + 1
    share = float(re.search(r"EOS ([\d.]+) %", places[-1])[1])
    assert share == pytest.approx(100 * law(runs["mamba"], string)[-1][0], abs=0.06)
    letters = block.locator(".strip text").all_text_contents()
    assert letters == [*string, "■" if has_ended else "…"]
    assert block.locator(".strip .given").count() == 5
    hidden = block.locator(".string [aria-hidden=true]").first.inner_text()
    assert hidden.replace("\n", "").startswith("abaab")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_a_phone_and_paper_shows_the_picture(written_page, theme):
    page = written_page(
        HAND_MADE, theme=theme, viewport={"width": 390, "height": 844}, reduced_motion="reduce"
    )
    write(page, "a" * LENGTH)
    page.add_script_tag(path=AXE)
    rules = "({violations}) => violations.map(({id}) => id)"
    found = f"axe.run('.explorable', {{preload: false}}).then({rules})"
    assert page.evaluate(found) == []
    wide = "[...document.querySelectorAll('html, figure')].filter(e => e.scrollWidth > 390).length"
    assert page.evaluate(wide) == 0
    sizes = page.locator(".live :is(button, input)").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect()).map(({width, height}) => "
        "Math.min(width, height))"
    )
    assert len(sizes) == 6 + len(live.PROMPTS) and min(sizes) >= 44  # CSS pixels
    moving = "[...document.querySelectorAll('.live *')].filter((one) => "
    moving += "parseFloat(getComputedStyle(one).transitionDuration) > 0).length"
    assert page.evaluate(moving) == 0 == page.evaluate("document.getAnimations().length")
    page.emulate_media(media="print")
    assert page.locator("img").is_visible() and not page.locator("input").is_visible()
    page.emulate_media(media="screen")
    page.locator(".live button").first.evaluate("button => button.replaceChildren()")
    assert page.evaluate(found) == ["button-name"]  # the control


def test_the_picture_is_shown_without_scripts(open_page, output):
    page = open_page(output, java_script_enabled=False)
    assert page.locator("img").is_visible() and page.locator("button").count() == 0
    assert page.locator("img").get_attribute("alt") == live.ALT


def test_it_runs_from_the_files_of_the_site(open_page, output, tmp_path):
    cells = [new_code_cell("", outputs=[new_output("display_data", output)])]
    contents = staging.stage("page", json.loads(writes(new_notebook(cells=cells))))
    for name, content in contents.items():
        files.write(tmp_path / name, content)
    scripts = [name for name in contents if name.endswith("page-live.js")]
    assert len(scripts) == 1 and len(contents[scripts[0]]) < 500_000
    shown = json.loads(contents["page.ipynb"])["cells"][0]["outputs"][0]["data"]["text/html"]
    page = open_page({"text/html": "".join(shown)})
    page.locator(".explorable").scroll_into_view_if_needed()
    page.wait_for_function("document.querySelectorAll('.is-live').length === 1")
    press(page, "abaab")
    assert "completions of abaab" in page.get_by_role("status").inner_text()
    for file in ("languages.js", "mamba.js", "prompt.js"):
        assert page.locator(f'script[src$="/{file}"]').count() == 1, file


def test_the_colours_of_dark_pages_are_those_of_the_book():
    assert explorables.looks(COLORS)["broken"]["dark"] == dark("#C0352B") != "#C0352B"
