"""On the site, figures are files beside the page, and captions have numbers."""

import json
import subprocess
import sys

import pandas as pd
import pytest
from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_output,
    writes,
)

from lexurn.chapters.data import plots as data_plots
from lexurn.figures import CARD_TYPE, figure_card
from lexurn.publish import cards, staging

TABLE = pd.DataFrame({"kind": ["a", "a", "b", "b"], "entropy": [0.1, 0.2, 0.3, 0.4]})


def output(name, caption=""):
    drawn = figure_card.card(
        data_plots.entropies, TABLE, alt="Entropies.", n="2 urns", name=name, caption=caption
    )
    return new_output("display_data", drawn._repr_mimebundle_())


def page():
    text = new_output("display_data", {"text/plain": "", "text/markdown": "A sentence."})
    cells = [
        new_markdown_cell("# A page\n\nSee {numref}`02_page-second` and {numref}`02_page-third`."),
        new_code_cell("one()", outputs=[output("first")]),
        new_code_cell("two()", outputs=[output("second", "The *first* finding.")]),
        new_code_cell(
            "three()", outputs=[text, output("third", "A second finding."), output("fourth")]
        ),
    ]
    return new_notebook(cells=cells, metadata={"language_info": {"name": "python"}})


def test_data_links_become_files_and_captions_become_metadata_of_their_own_cell():
    contents = staging.stage("02_page", json.loads(writes(page())))
    names = {name for name in contents if name.startswith("_static/figures/02_page-")}
    assert len(contents) == len(names) + 1 == 13
    assert {name.split(".")[-1] for name in names} == {"png", "csv", "json"}
    assert contents["_static/figures/02_page-first.csv"].splitlines()[1] == b"a,0.1"
    assert json.loads(contents["_static/figures/02_page-second.json"])["caption"]
    assert contents["_static/figures/02_page-third.png"].startswith(b"\x89PNG")
    staged = contents["02_page.ipynb"].decode()
    assert ";base64," not in staged and CARD_TYPE not in staged and "<figcaption" not in staged
    cells = json.loads(staged)["cells"]
    figures = [cell["metadata"].get("mystnb", {}).get("figure") for cell in cells]
    second = {"name": "02_page-second", "caption": r"The *first* finding\."}
    third = {"name": "02_page-third", "caption": r"A second finding\."}
    assert figures == [None, None, second, None, None, third, *3 * [None]]
    sources = ["one()", "two()", staging.CODE, "three()", *4 * [staging.CODE]]
    assert ["".join(cell["source"]) for cell in cells[1:]] == sources
    assert len({cell["id"] for cell in cells}) == len(cells)
    untouched = json.loads(writes(new_notebook(cells=page().cells[:1])))
    (same,) = staging.stage("02_page", untouched).values()
    assert json.loads(same) == untouched


def test_links_and_card_stand_below_the_caption_also_of_a_flipbook():
    _, _, figure, links, *_ = staged_cells(page())
    (shown,), (below,) = (
        [output["data"]["text/html"] for output in cell["outputs"]] for cell in (figure, links)
    )
    assert "<img" in shown and "Data:" not in shown and shown.count("<div") == shown.count("</div")
    assert "Data:" in below and "<details" in below and "figure" not in below.split("Data:")[0]

    book = new_output("display_data", {"application/vnd.jupyter.widget-view+json": {}})
    card = figure_card.card(
        data_plots.entropies, TABLE, alt="Entropies.", n="2 urns", name="book", caption="It moves."
    )
    book["data"] |= card.bundle()
    notebook = new_notebook(cells=[new_code_cell("flip()", outputs=[book])])
    state = {"value": card.html(with_picture=False)}
    widgets = {"1": {"state": {"value": "other"}}, "2": {"state": state}}
    notebook.metadata["widgets"] = {cards.WIDGETS: {"state": widgets}}
    contents = staging.stage("02_page", json.loads(writes(notebook)))
    staged = json.loads(contents["02_page.ipynb"])
    (other, details) = staged["metadata"]["widgets"][cards.WIDGETS]["state"].values()
    assert other["state"]["value"] == "other" and 'id="figure-book"' in details["state"]["value"]
    assert "Data:" not in details["state"]["value"]
    figure, links = staged["cells"]
    assert figure["metadata"]["mystnb"]["figure"]["caption"] == r"It moves\."
    assert '"_static/figures/02_page-book.csv"' in links["outputs"][0]["data"]["text/html"]
    assert len(contents) == 3


def staged_cells(notebook):
    contents = staging.stage("02_page", json.loads(writes(notebook)))
    return json.loads(contents["02_page.ipynb"])["cells"]


@pytest.mark.book
def test_the_site_numbers_captions_refers_to_them_and_shows_files(tmp_path):
    contents = staging.stage("02_page", json.loads(writes(page())))
    (tmp_path / "_config.yml").write_text("title: t\nexecute: {execute_notebooks: 'off'}\n")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: 02_page\n")
    for name, content in contents.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    code = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", code, "build", "-W", "--keep-going", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    html = tmp_path / "_build" / "html"
    text = (html / "02_page.html").read_text()
    assert "Fig. 1" in text and "Fig. 2" in text and "Fig. 3" not in text
    assert text.count("<figcaption>") == 2 and "The <em>first</em> finding." in text
    picture, caption = text.index("02_page-second.png"), text.index("The <em>first</em> finding.")
    assert picture < caption < text.index("02_page-second.csv")  # links stand below the caption
    assert 'href="#page-second"' in text or 'href="#id1"' in text or "std-numref" in text
    for name in contents:
        if name.startswith("_static"):
            assert f'"{name}"' in text and (html / name).read_bytes() == contents[name]


def test_a_reference_to_a_figure_that_is_not_shown_is_a_link_to_its_chapter():
    """Otherwise Sphinx warns of an unknown label, and a site with one chapter is refused."""
    figure = {"mystnb": {"figure": {"name": "01_data-map", "caption": "A map."}}}
    contents = {
        "01_data.ipynb": json.dumps({"cells": [{"metadata": figure}]}).encode(),
        "02_train.ipynb": b"{}",
    }
    text = "{numref}`01_data-map`, {numref}`02_train-walk`, {numref}`index-own`"
    linked = staging.link_missing_figures(text, contents)
    assert linked == "{numref}`01_data-map`, [02_train](02_train), {numref}`index-own`"
