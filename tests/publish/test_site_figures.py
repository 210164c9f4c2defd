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
from lexurn.publish import site_figures

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
    contents = site_figures.unpack("02_page", writes(page()).encode())
    names = {name for name in contents if name.startswith("_static/figures/02_page/")}
    assert len(contents) == len(names) + 1 == 13
    assert {name.split(".")[-1] for name in names} == {"png", "csv", "json"}
    assert contents["_static/figures/02_page/first.csv"].splitlines()[1] == b"a,0.1"
    assert json.loads(contents["_static/figures/02_page/second.json"])["caption"]
    assert contents["_static/figures/02_page/third.png"].startswith(b"\x89PNG")
    staged = contents["02_page.ipynb"].decode()
    assert ";base64," not in staged and CARD_TYPE not in staged and "<figcaption" not in staged
    cells = json.loads(staged)["cells"]
    figures = [cell["metadata"].get("mystnb", {}).get("figure") for cell in cells]
    second = {"name": "02_page-second", "caption": "The *first* finding."}
    third = {"name": "02_page-third", "caption": "A second finding."}
    assert figures == [None, None, second, None, third, None]
    assert ["".join(cell["source"]) for cell in cells[1:]] == [
        "one()",
        "two()",
        "three()",
        *2 * [site_figures.CODE],
    ]
    assert len({cell["id"] for cell in cells}) == 6
    untouched = writes(new_notebook(cells=page().cells[:1]))
    (same,) = site_figures.unpack("02_page", untouched.encode()).values()
    assert json.loads(same) == json.loads(untouched)


@pytest.mark.book
def test_the_site_numbers_captions_refers_to_them_and_shows_files(tmp_path):
    contents = site_figures.unpack("02_page", writes(page()).encode())
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
    assert 'href="#page-second"' in text or 'href="#id1"' in text or "std-numref" in text
    for name in contents:
        if name.startswith("_static"):
            assert f'"{name}"' in text and (html / name).read_bytes() == contents[name]
