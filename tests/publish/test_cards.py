"""Chapters keep the chapter standard; every fault is named with its cell."""

import re

import lint
import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lexurn.base import paths
from lexurn.chapters.data import plots
from lexurn.figures import tables
from lexurn.figures.figure_card import Card, card
from lexurn.publish import cards

LOSSES = pd.DataFrame({"kind": ["a", "b"], "entropy": [0.1, 0.2]})
FINDING = "The loss falls by half within ten steps of training."


def shown(*objects, source="figure(...)", tags=()):
    """Return a cell that has shown these objects."""
    bundles = [
        shown._repr_mimebundle_() if isinstance(shown, Card) else {"text/html": shown._repr_html_()}
        for shown in objects
    ]
    outputs = [new_output("display_data", {"text/plain": "…", **bundle}) for bundle in bundles]
    return new_code_cell(source, outputs=outputs, metadata={"tags": [*tags]})


def drawn(caption, name="entropies"):
    return card(plots.entropies, LOSSES, alt="Entropies.", n="2 urns", caption=caption, name=name)


def findings(*cells):
    notebook = new_notebook(cells=[new_markdown_cell("# Why?"), *cells])
    return [*cards.find_lint(notebook), *lint.find_shown_code(notebook)]


FAULTS = {
    "no caption": (lambda: shown(drawn("")), "figure entropies has no caption; state the finding"),
    "short label": (lambda: shown(drawn("Loss by step.")), "has a label as its caption, `Loss by"),
    "long label": (
        lambda: shown(drawn("Training loss against the step for one model of width 32.")),
        "has a label as its caption, `Training loss against",
    ),
    "pandas": (lambda: shown(LOSSES), "a table as pandas prints it; show it by lexurn.table"),
    "long line": (
        lambda: new_code_cell(f"x = {'1' * 96}"),
        f"`x = {'1' * 96}` has 100 columns, over 88; break it",
    ),
    "long cell": (
        lambda: new_code_cell("\n".join(["x = 1"] * 13)),
        "shows 13 lines, over 12; split the cell, or tag it hide-input",
    ),
    "image": (
        lambda: new_markdown_cell('See\n<img src="a.png">.'),
        "a picture without a card; draw it by lexurn.figure",
    ),
    "Markdown image": (lambda: new_markdown_cell("![plot](a.png)"), "a picture without a card"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_cell_and_no_other_is(fault):
    make, message = FAULTS[fault]
    good = shown(drawn(FINDING, "good"), tables.build(LOSSES, caption="Falls."), source="good()")
    hidden = new_code_cell("\n".join([f"x = {'1' * 96}"] * 13), metadata={"tags": ["hide-input"]})
    assert findings(good, hidden) == []
    cell = make()
    (finding,) = findings(good, cell, hidden)
    first = cell.source.split("\n")[0]
    assert finding.startswith(f"cell 3 of 4, `{first}`: ") and message in finding
    assert "\n" not in finding


def test_parameters_may_have_as_many_lines_as_they_need():
    cell = new_code_cell("\n".join(["# Parameters"] * 14), metadata={"tags": ["parameters"]})
    assert findings(cell) == []


def test_captions_of_a_chapter_are_findings_whatever_they_compute():
    text = (paths.root() / "lexurn" / "chapters" / "train" / "one_run.py").read_text()
    functions = re.split(r"^def ", text, flags=re.MULTILINE)
    captions = [function for function in functions if function.startswith("caption_")]
    assert len(captions) == 4
    for function in captions:
        sentence = " ".join(re.findall(r'^ +f?"(.*)"$', function, re.MULTILINE))
        assert cards.find_caption_problem(sentence) == "", sentence


def test_lint_holds_chapters_to_the_standard(tmp_path):
    book = tmp_path / "book"
    book.mkdir()
    (tmp_path / "_config.yml").write_text((paths.root() / "_config.yml").read_text())
    (book / "_toc.yml").write_text("- file: 02_train\n")
    source = (paths.root() / "book" / "02_train.py").read_text()
    path = book / "02_train.py"
    path.write_text(source.replace("\nembedding =", f"\nlong = {'1' * 100}\nembedding ="))
    (said,) = [line for line in lint.find_lint(path) if "over 88" in line]
    assert re.match(
        r"cell \d+ of \d+, `a_lexical_model = models.build\(`: `long = 1+` has 107 columns", said
    )
    path.write_text(source)  # the control
    assert not [line for line in lint.find_lint(path) if "over 88" in line]


def test_nbformat_is_what_a_notebook_on_disk_is_read_as(tmp_path):
    """Findings are the same for a notebook that was written and read again."""
    notebook = new_notebook(cells=[shown(drawn(""))])
    nbformat.write(notebook, tmp_path / "a.ipynb")
    read = nbformat.read(tmp_path / "a.ipynb", 4)
    assert list(cards.find_lint(read)) == list(cards.find_lint(notebook)) != []
