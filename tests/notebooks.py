"""What executed notebooks show."""

import re

import nbformat

from lexurn.publish import cards


def outputs_of(path):
    """Return the number of cards and the text of an executed notebook that has no error."""
    notebook = nbformat.read(path, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert list(cards.find_lint(notebook)) == []
    assert not [
        output
        for output in outputs
        if output.output_type == "error" or output.get("name") == "stderr"
    ]
    data = [output["data"] for output in outputs if "data" in output]
    text = "\n".join(each.get("text/markdown", each["text/plain"]) for each in data)
    return len(cards.read_cards(notebook)), text


def count_pictures(notebook):
    """Return how many PNG images the HTML in a notebook's outputs and widgets shows."""
    nodes = cards._nodes([output for _, output in cards._outputs(notebook)])
    texts = [node for node in nodes if isinstance(node, str)]
    return sum(len(re.findall(r'<img\b[^>]*"data:image/png;base64,', text)) for text in texts)
