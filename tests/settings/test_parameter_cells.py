"""A value that any cell of a live notebook gives to a parameter is taken aloud, or refused."""

import re

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from papermill.cli import papermill

from lexurn import parameters
from lexurn.base import paths
from lexurn.base.errors import ParameterError
from lexurn.publish import cards
from lexurn.settings import flat_names
from lexurn.settings.names import RENAMED
from lexurn.settings.parameter_cells import report_similar_names

OWN = "# Parameters of this chapter.\nlex: bool = False  # help\nn_steps: int = 1000  # help\n"
INJECTED = "# Parameters\nn_steps = 50\n"
THETAS = {"thetas": [0.2, 0.7], "n_colors": 2}
TAKEN = "n_steps = 300, set in another cell, is taken instead of 1000, which the parameters cell "


@pytest.fixture
def resolved(monkeypatch):
    """Return what `resolve` makes of cells that IPython runs one after the other."""
    IPython = pytest.importorskip("IPython")
    shell = IPython.core.interactiveshell.InteractiveShell()
    shell.history_manager.enabled = False
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)

    def run(*cells):
        for cell in cells:
            shell.run_cell(cell, store_history=True)
        return parameters.resolve("train").changed()

    yield run
    shell.history_manager.end_session()


@pytest.mark.parametrize(
    ("cells", "changed"),
    [
        ([OWN, "n_steps = 300"], {"n_steps": 300}),
        ([OWN, "n_steps = n_colors = 3"], {"n_steps": 3, "n_colors": 3}),
        ([OWN, 'lex = "true"'], {"lex": True}),
        ([OWN, "learning_rate = 20 * 1e-3"], {"learning_rate": 0.02}),
        ([OWN, "for n_steps in range(3): pass"], {"n_steps": 2}),
        ([OWN, INJECTED, "n_steps = 300"], {"n_steps": 300}),
        ([OWN, "n_steps = 300", INJECTED], {"n_steps": 50}),  # the later cell wins, as in Python
        (["n_steps = 300", OWN], {}),
        ([OWN, "n_steps = 300", OWN], {}),
        ([OWN, INJECTED, "n_steps = 1000"], {}),  # a default that was asked for
        ([OWN, "n_steps = 300", "del n_steps"], {}),
        ([OWN, "def f():\n    n_steps = 300\n\nf()"], {}),  # binds nothing in the notebook
        ([OWN, "thetas = [0.2]", "thetas.append(0.7)", "n_colors = 2"], THETAS),
    ],
)
def test_the_value_that_a_variable_has_is_the_one_that_counts(resolved, cells, changed):
    assert resolved(*cells) == changed


def test_a_line_says_what_is_taken_and_how_to_undo_it(resolved, capsys):
    resolved(OWN)
    assert capsys.readouterr().out == ""  # where nothing is set elsewhere, nothing is said
    resolved("n_steps = 300")
    undo = "To undo it, run the parameters cell again."
    assert capsys.readouterr().out == f"{TAKEN}says. {undo}\n"
    resolved(OWN, "learning_rate = 0.01")
    assert capsys.readouterr().out == (
        "learning_rate = 0.01, set in another cell, is taken. To undo it, run `del learning_rate`."
        "\n"
    )
    assert resolved("del learning_rate") == {} and capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("n_steps = 'many'", "n_steps (optimizer updates; follows from the data where they are "),
        (
            "n_steps = len",
            "plain value, but a cell has set it to <built-in function len>; call",
        ),
        ("import math as norm", "call that variable otherwise, and run `del norm`"),
        ("n_steps = float('inf')", "to inf; call that variable otherwise, and run the parameters"),
        ("import numpy\nthetas = numpy.ones(3)", "must be a plain value, but a cell has set it to"),
        ("init_from = None", "init_from"),
    ],
)
def test_a_value_that_cannot_be_taken_is_refused(resolved, cell, message):
    with pytest.raises(ParameterError) as caught:
        resolved(OWN, cell)
    assert message in str(caught.value)


def test_a_misspelt_name_is_refused_in_a_parameters_cell_and_reported_from_another(
    resolved, capsys
):
    assert resolved(OWN, "nsteps = 300") == {}
    said = capsys.readouterr().out
    assert said == "nsteps = 300 changes nothing; did you mean the parameter n_steps?\n"
    with pytest.raises(ParameterError, match="nsteps is no parameter .* did you mean n_steps"):
        resolved(OWN + "nsteps: int = 300\n")


def test_names_that_are_nearly_a_parameters_are_reported_only_with_plain_values(capsys):
    for name in (
        "nsteps",
        "n_step",
        "N_STEPS",
        "learning_rat",
        "batchsize",
        "backbon",
        "lr",
        *RENAMED,
    ):
        report_similar_names({name: 3})
        assert f"{name} = 3 changes nothing; did you mean" in capsys.readouterr().out, name
    others = dict.fromkeys(["x", "i", "data", "run", "mean", "loss", "rows", "name", "text"], 3)
    report_similar_names(
        others | {"model": object(), "steps": [1, 2]} | dict.fromkeys(flat_names())
    )
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "injected", "changed"),
    [
        (["-p", "learning_rate", "1e-3"], "learning_rate = 0.001", {"learning_rate": 0.001}),
        (["-y", "learning_rate: 1e-3"], 'learning_rate = "1e-3"', {"learning_rate": 0.001}),
        (["-f", "learning_rate: 1e-3"], 'learning_rate = "1e-3"', {"learning_rate": 0.001}),
        (["-p", "thetas", "[2e-1, 0.7]", "-p", "n_colors", "2"], '"[2e-1, 0.7]"', THETAS),
        (["-y", "thetas: [2e-1, 0.7]\nn_colors: 2"], '["2e-1", 0.7]', THETAS),
        (
            ["-f", "train: {learning_rate: 1e-3}"],
            '{"learning_rate": "1e-3"}',
            {"learning_rate": 0.001},
        ),
    ],
)
def test_a_number_with_an_exponent_is_a_number_however_papermill_hands_it_over(
    resolved, tmp_path, arguments, injected, changed
):
    """Papermill reads YAML 1.1, where 1e-3 is a text."""
    if arguments[0] == "-f":
        (tmp_path / "params.yaml").write_text(arguments[1])
        arguments = ["-f", str(tmp_path / "params.yaml")]
    chapter, out = paths.root() / "book" / "02_train.ipynb", tmp_path / "out.ipynb"
    papermill([str(chapter), str(out), "--prepare-only", *arguments], standalone_mode=False)
    (cell,) = [cell for cell in nbformat.read(out, 4).cells if "injected" in str(cell.metadata)]
    assert injected in cell.source
    assert resolved(OWN, cell.source) == changed


@pytest.mark.book
@pytest.mark.parametrize("chapter", ["02_train", "05_names"])
def test_a_live_kernel_of_a_chapter_takes_values_of_own_cells(chapter):
    source = jupytext.read(paths.root() / "book" / f"{chapter}.py")
    code = [cell for cell in source.cells if cell.cell_type == "code"]
    (shown,) = [cell.source for cell in code if "parameters" in cards.tags(cell)]
    (resolve,) = [cell.source for cell in code if "parameters.resolve(" in cell.source]
    look = f"{resolve}\nprint(settings.training.n_steps, settings.training.learning_rate)"
    steps = [
        (shown, ""),
        (look, r"^1000 0.01\n"),
        ("n_steps = 300", ""),
        (look, r"^n_steps = 300, set in another cell, .*\n300 0.01\n"),
        ("learning_rate = 0.1; nsteps = 7", ""),  # after the settings were resolved
        (look, r"\nlearning_rate = 0.1, .*\nnsteps = 7 changes nothing; .*\n300 0.1\n"),
        (shown, ""),
        (look, r"\n1000 0.1\n"),
        ("n_steps = 'many'", ""),
        (look, r"ParameterError: n_steps .* must be a whole number .*, got 'many'; use"),
    ]
    cells = [nbformat.v4.new_code_cell(cell) for cell, _ in steps]
    notebook = nbformat.v4.new_notebook(cells=cells)
    with pytest.raises(CellExecutionError, match="must be a whole number"):
        NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    for cell, (_, expected) in zip(cells, steps, strict=True):
        said = "".join(each.get("text") or "\n".join(each["traceback"]) for each in cell.outputs)
        assert re.search(expected, said) if expected else said == "", (cell.source, said)
