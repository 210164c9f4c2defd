"""The page of a training shows the numbers and the places that were recorded, at every step."""

import copy
import json
from math import floor

import numpy as np
import pandas as pd
import pytest
from browsers import AXE, needs_chromium, press
from nbformat.v4 import new_code_cell, new_notebook, new_output, writes

from lexurn.base import files
from lexurn.figures import explorables, figure_card, triangle
from lexurn.figures.looks import LOOKS
from lexurn.figures.trainings import MAX_STEPS, _thin, draw_walks, join_records, trainings
from lexurn.measures import plane
from lexurn.publish import staging

TINY = {
    "n_steps": 20,
    "eval_every": 5,
    "schedule": "constant",
    "context_length": 8,
    "n_test_samples": 40,
    "d_model": 16,
}
LATER = {"n_steps": 40, "eval_every": 10}
KINDS = {"normal": {}, "permuted": {"label_permuted": True}, "lexical": {"lex": True}}
SPLITS = ("out_of_distribution", "in_distribution")

# At every position of the slider: what the page says, and where the marks of models are drawn.
READ_ALL = """() => {
  const input = document.querySelector("input[type=range]");
  const [chart, map] = document.querySelectorAll("svg.map");
  const numbers = (text) => text.match(/-?[\\d.]+/g).map(Number);
  const places = (svg) => [...svg.querySelectorAll("path")]
    .map((mark) => numbers(mark.getAttribute("transform")).slice(0, 2));
  return [...Array(+input.max + 1).keys()].map((position) => {
    input.value = position;
    input.dispatchEvent(new Event("input"));
    return {
      step: +input.getAttribute("aria-valuetext"),
      rows: [...document.querySelectorAll(".training tbody tr")].map((row) => ({
        numbers: [...row.querySelectorAll(".number")].map((one) => +one.dataset.exact),
        texts: [...row.querySelectorAll(".number")].map((one) => one.textContent),
        lengths: [...row.querySelectorAll(".length")].map((one) => parseFloat(one.style.width)),
        note: row.querySelector("small").textContent,
      })),
      chart: places(chart),
      curves: [...chart.querySelectorAll("polyline")]
        .map((line) => line.getAttribute("points").split(" ").map(numbers)),
      map: places(map),
      paths: [...map.querySelectorAll("polyline")]
        .map((line) => line.getAttribute("points").split(" ").length),
    };
  });
}"""


@pytest.fixture
def models(tiny_run):
    """Runs by title. The record of the normal model ends before those of the others."""
    early = {kind: [tiny_run(TINY | flat)] for kind, flat in KINDS.items()}
    later = {kind: [tiny_run(TINY | LATER | KINDS[kind])] for kind in ("permuted", "lexical")}
    return {kind: early[kind] + later.get(kind, []) for kind in KINDS}


def output(models, data=None, name="training"):
    records = {title: join_records(runs) for title, runs in models.items()}
    walks = draw_walks(records, models["normal"][0], SPLITS[0])
    words = {"alt": "A map.", "caption": "Models move.", "n": "3"}
    picture = figure_card.card(triangle.triangle, walks, name=name, **words)
    data = data or trainings(models)
    return explorables.build("training", data, fallback=picture, alt="Move through trainings.")


def recorded(runs, split):
    """The steps of runs that follow each other, their losses, distances to G, M, S and places."""
    tables = [runs[0].metrics, *(run.metrics.query("step > 20") for run in runs[1:])]
    table = pd.concat(tables, ignore_index=True)
    distances = table[[f"{split}/symmetrized_kl/{name}" for name in plane.CORNERS]]
    corners = plane.corners(runs[0].references, runs[0].splits[split])
    path = distances.set_axis(plane.CORNERS, axis=1)
    places = plane.draw_map(corners, {"model": path}).query("who == 'model'")[["x", "y"]]
    numbers = np.column_stack([table["validation_loss"], distances])
    return table["step"].to_numpy(), numbers, places.to_numpy(), np.array([*corners.values()])


def compare(page, models, split):
    """The largest relative error of a number, and of a place as a share of the map's width."""
    errors = {"number": 0.0, "place": 0.0}
    known = [recorded(runs, split) for runs in models.values()]
    shown = page.evaluate(READ_ALL)
    assert [one["step"] for one in shown] == sorted({step for steps, *_ in known for step in steps})
    for one in shown:
        origin, right, top = np.array(one["map"][:3])
        for i, (steps, numbers, places, corners) in enumerate(known):
            row = np.flatnonzero(steps <= one["step"])[-1]
            model = one["rows"][i]
            error = np.abs(np.array(model["numbers"]) / numbers[row] - 1).max()
            errors["number"] = max(errors["number"], error)
            assert one["paths"][i] == row + 1
            is_over = one["step"] > steps[-1]
            assert model["note"] == (f"ended after {steps[-1]} steps" if is_over else "")
            scale = (right - origin)[0] / corners[1][0]
            for mark, place in ((top, corners[2]), (one["map"][3 + i], places[row])):
                drawn = (np.array(mark) - origin) * (1, -1) / scale
                error = np.abs(drawn - place).max() / corners[1][0]
                errors["place"] = max(errors["place"], error)
            x, y = one["curves"][i][row]
            np.testing.assert_allclose(one["chart"][i], (x, max(y, 6)), atol=0.06)
    return errors


@pytest.mark.book
@needs_chromium
def test_every_step_shows_the_numbers_and_places_that_were_recorded(open_page, models):
    page = open_page(output(models))
    for label, split in zip(("on fresh urns", "on the training urn"), SPLITS, strict=True):
        page.get_by_label("Distances").select_option(label)
        errors = compare(page, models, split)
        assert errors["number"] < 5e-4 and errors["place"] < 1e-3
        assert label in page.locator("caption").inner_text()
    errors = compare(page, models, SPLITS[0])  # the control: the other split
    assert errors["number"] > 0.1 and errors["place"] > 0.01

    data = trainings(models)
    data["models"][2]["places"][0][3][0] += 0.005  # the fault: one place is elsewhere
    data["models"][1]["losses"][2] *= 1.01  # and one loss is another
    errors = compare(open_page(output(models, data)), models, SPLITS[0])
    assert errors["number"] > 5e-3 and errors["place"] > 3e-3


@pytest.mark.book
@needs_chromium
def test_texts_and_bars_are_those_of_the_numbers(open_page, models):
    shown = open_page(output(models)).evaluate(READ_ALL)
    rows = [row for one in shown for row in one["rows"]]
    longest = max(number for row in rows for number in row["numbers"][1:])
    for row in rows:
        loss, *distances = row["numbers"]
        assert row["texts"][0] == f"{loss:.3f}"
        for text, distance in zip(row["texts"][1:], distances, strict=True):
            assert float(text) == float(f"{distance:.{2 if distance < 0.001 else 3}g}")
        lengths = [100 * (distance / longest) ** 0.5 for distance in distances]
        np.testing.assert_allclose(row["lengths"], lengths, rtol=1e-3)


@pytest.mark.book
@needs_chromium
def test_levels_are_losses_of_g_m_and_s_on_the_axis_of_the_curves(open_page, models):
    data = trainings(models)
    page = open_page(output(models))
    levels = page.locator("svg.map").first.evaluate(
        """(svg) => [...svg.querySelectorAll("line[style]")]
          .map((line) => [+line.getAttribute("y1"), getComputedStyle(line).stroke])"""
    )
    losses = data["models"][0]["losses"]
    heights = [y for _, y in page.evaluate(READ_ALL)[0]["curves"][0]]
    slope = (heights[-1] - heights[0]) / (losses[-1] - losses[0])
    wanted = [heights[0] + slope * (level - losses[0]) for level in data["levels"]]
    np.testing.assert_allclose(sorted(y for y, _ in levels), sorted(wanted), atol=1)
    assert len({color for _, color in levels}) == 3


@pytest.mark.book
@needs_chromium
def test_the_keyboard_moves_through_the_training_and_a_live_region_says_it(open_page, models):
    page = open_page(output(models))
    status = page.locator("p[role=status]")
    slider = page.get_by_role("slider")
    slider.focus()
    assert "Step 40" in status.inner_text() and "normal (ended after 20 steps): loss" in (
        status.text_content()
    )
    for key, step in (("Home", 0), ("ArrowRight", 5), ("ArrowRight", 10), ("ArrowLeft", 5)):
        page.keyboard.press(key)
        assert slider.get_attribute("aria-valuetext") == str(step)
        assert f"Step {step}, on fresh urns: normal is nearest to " in status.inner_text()
    loss, *distances = page.locator(".training tbody tr").first.locator(".number").all_inner_texts()
    said = f"normal: loss {loss}, distances to G, M, S {', '.join(distances)};"
    assert said in status.text_content() and "ended" not in status.text_content()
    seen = []
    for _ in range(4):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.textContent.trim()"))
        if seen[-1] in ("One step back", "One step on"):
            page.keyboard.press("Enter")
            assert f"Step {0 if seen[-1] == 'One step back' else 5}," in status.inner_text()
    assert seen[:3] == ["One step back", "One step on", "Play"]
    page.keyboard.press("ArrowDown")  # of the list of splits
    assert "on the training urn" in status.inner_text()
    press(page, "One step back", 9)
    assert "Step 0," in status.inner_text()


@pytest.mark.book
@needs_chromium
def test_playing_takes_ten_seconds_and_stops_for_the_reader(open_page, models):
    page = open_page(output(models))
    value = page.locator("input[type=range]")
    last = int(value.get_attribute("max"))
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    press(page, "Play")
    page.clock.run_for(5000)
    half = int(value.input_value())
    assert floor(0.4 * last) <= half <= 0.5 * last
    assert "Step 40" in page.locator("p[role=status]").inner_text()  # it is silent meanwhile
    press(page, "Pause")
    page.clock.run_for(3000)
    assert int(value.input_value()) == half
    assert "Step 40" not in page.locator("p[role=status]").inner_text()
    press(page, "Play")
    page.clock.run_for(1000)
    press(page, "One step back")
    assert page.get_by_role("button", name="Play").is_visible()
    press(page, "Play")
    page.clock.run_for(10500)
    assert int(value.input_value()) == last
    assert page.get_by_role("button", name="Play").is_visible()
    assert "Step 40" in page.locator("p[role=status]").inner_text()


@pytest.mark.book
@needs_chromium
def test_with_reduced_motion_playing_jumps(open_page, models):
    page = open_page(output(models), reduced_motion="reduce")
    asked = "window.asked = 0; window.requestAnimationFrame = () => { window.asked += 1; }; null"
    page.evaluate(asked)
    for step in (0, 40):
        press(page, "Play")
        assert f"Step {step}," in page.locator("p[role=status]").inner_text()
    assert page.evaluate("window.asked") == 0


@pytest.mark.book
@needs_chromium
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_and_a_phone_is_wide_enough(open_page, models, theme):
    page = open_page(output(models), theme, viewport={"width": 390, "height": 844})
    page.add_script_tag(path=AXE)
    rules = "({violations}) => violations.map(({id}) => id)"
    found = f"axe.run('.explorable', {{preload: false}}).then({rules})"
    assert page.evaluate(found) == []
    wide = "[...document.querySelectorAll('html, figure')].filter(e => e.scrollWidth > 390)"
    assert page.evaluate(f"{wide}.length") == 0
    color = explorables.looks({"lexical": "lexical"})["lexical"][theme]
    rgb = ", ".join(str(int(color[i : i + 2], 16)) for i in (1, 3, 5))
    curve = "getComputedStyle([...document.querySelectorAll('svg.map polyline')][2])"
    assert page.evaluate(f"{curve}.stroke") == f"rgb({rgb})"
    assert page.evaluate(f"{curve}.strokeDasharray") != "none"
    page.locator(".live button").first.evaluate("button => button.replaceChildren()")
    assert page.evaluate(found) == ["button-name"]


@pytest.mark.book
@needs_chromium
def test_the_picture_is_shown_without_scripts_and_on_paper(open_page, models):
    page = open_page(output(models), java_script_enabled=False)
    assert page.locator("img").is_visible() and page.locator("input").count() == 0
    page = open_page(output(models))
    assert not page.locator("img").is_visible()
    assert page.get_by_role("slider").is_visible() and page.locator("svg.map").count() == 2
    page.emulate_media(media="print")
    assert page.locator("img").is_visible() and not page.locator("svg.map").first.is_visible()


@pytest.mark.book
@needs_chromium
def test_one_model_one_split_and_no_levels_are_enough(open_page, models):
    data = copy.deepcopy(trainings({"this model": models["normal"]}))
    assert data["looks"]["this model"]["light"] == LOOKS["normal"].color
    del data["levels"], data["splits"][1:]
    page = open_page(output(models, data))
    assert page.locator("select").count() == 0
    assert compare(page, {"this model": models["normal"]}, SPLITS[0])["number"] < 5e-4


@pytest.mark.book
@needs_chromium
def test_trainings_on_one_page_of_the_site_share_their_scripts(open_page, models, tmp_path):
    shown = [new_output("display_data", output(models, name=name)) for name in ("one", "two")]
    cells = [new_code_cell("explorable()", outputs=[one]) for one in shown]
    contents = staging.stage("page", json.loads(writes(new_notebook(cells=cells))))
    for name, content in contents.items():
        files.write(tmp_path / name, content)
    outputs = [
        one for cell in json.loads(contents["page.ipynb"])["cells"] for one in cell["outputs"]
    ]
    texts = ["".join(one["data"].get("text/html", "")) for one in outputs]
    assert sum("data-files" in text for text in texts) == 2
    page = open_page({"text/html": "".join(texts)})
    page.wait_for_function("document.querySelectorAll('.is-live').length === 2")
    assert page.get_by_role("slider").count() == 2
    for file in ("parts.js", "training.js", "page-one.js", "page-two.js"):
        assert page.locator(f'script[src$="/{file}"]').count() == 1, file


def test_records_follow_each_other_and_long_ones_are_thinned(models):
    data = trainings(models)
    assert [model["steps"] for model in data["models"]] == [
        [0, 5, 10, 15, 20],
        *2 * [[0, 5, 10, 15, 20, 30, 40]],
    ]
    assert trainings({"normal": models["normal"]})["splits"] == [
        "on fresh urns",
        "on the training urn",
    ]
    step = np.arange(0, 1005, 5)
    record = pd.DataFrame({"step": step, "validation_loss": 2.0 - (step == 935)})
    steps = _thin(record)["step"].tolist()
    assert len(steps) <= MAX_STEPS and steps[:5] == [0, 5, 10, 15, 20] and steps[-1] == 1000
    assert 935 in steps and 935 not in _thin(record.assign(validation_loss=-step))["step"].tolist()
    assert len(_thin(record[:MAX_STEPS])) == MAX_STEPS


@pytest.mark.parametrize("flat", [{"n_tasks": 0}, {"n_colors": 15}, {"task": "language"}])
def test_a_run_without_a_map_cannot_be_scrubbed(tiny_run, flat):
    run = tiny_run(flat | {"n_steps": 2, "eval_every": 2, "n_test_samples": 5})
    assert trainings({"model": [run]}) is None
