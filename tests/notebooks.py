"""Execute notebooks by papermill, and read what executed notebooks show."""

import os
import re
import sys
from types import SimpleNamespace

import nbformat

from lexurn.figures import CARD_TYPE
from lexurn.publish import cards, execution, kernels


def papermill(*arguments, folder, packages=(), **environment):
    """Do what `papermill ARGUMENTS` does in a folder; return `returncode` and `stderr`.

    `packages` are folders in which packages are looked for first. Papermill's process and its
    kernel are forked from a server that has imported what chapters import.
    """
    kernels.import_ahead(execution.FIGURE_PACKAGES)
    environment = os.environ | environment
    if packages := [str(package) for package in packages]:
        environment["PYTHONPATH"] = os.pathsep.join(packages)
    log = os.path.join(environment["LEXURN_BUILD"], "papermill.log")
    given = ["--no-progress-bar", *map(str, arguments)], folder, packages, environment, log
    process = kernels.CONTEXT.Process(target=run_papermill, args=given)
    process.start()
    process.join(600)
    with open(log) as file:
        return SimpleNamespace(returncode=process.exitcode, stderr=file.read())


def run_papermill(arguments, folder, packages, environment, log):
    os.chdir(folder)
    sys.path[:0] = packages
    for output in (1, 2):
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), output)
    os.environ.clear()
    os.environ.update(environment)
    kernels.patch_jupyter_client()
    from papermill.cli import papermill

    papermill(arguments, standalone_mode=False)


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
    return len(read_cards(notebook)), text


def read_cards(notebook):
    """Return all cards of a notebook in the order of its outputs: each an `about` and a `table`."""
    return [output[CARD_TYPE] for _, output in cards._outputs(notebook) if CARD_TYPE in output]


def count_pictures(notebook):
    """Return how many PNG images the HTML in a notebook's outputs and widgets shows."""
    nodes = cards._nodes([output for _, output in cards._outputs(notebook)])
    texts = [node for node in nodes if isinstance(node, str)]
    return sum(len(re.findall(r'<img\b[^>]*"data:image/png;base64,', text)) for text in texts)
