"""The pages on using the book: their commands exist, their Python runs, their messages are ours."""

import ast
import re
import shlex

import pytest
from click.testing import CliRunner
from processes import ForkedPython

from lexurn import cli, parameters
from lexurn.base import paths
from lexurn.publish import dependencies, parameter_pages
from lexurn.settings import flat_names

ROOT = paths.root()
PAGES = [ROOT / "README.md", *(ROOT / "book" / f"{name}.md" for name in ("run", "how_to"))]
COMMANDS = [
    line
    for page in PAGES
    for block in re.findall(r"```bash\n(.*?)```", page.read_text(), re.DOTALL)
    for line in block.splitlines()
]
ELLIPSIS = "…"


def check_command(line):
    """Raise an error if a line of a shell, on papermill or lexurn, names what does not exist."""
    for part in line.split(" && "):
        program, *arguments = shlex.split(part.removesuffix(ELLIPSIS), comments=True)
        if program == "papermill":
            source, _, *rest = arguments
            assert (ROOT / source).exists(), source
            values = {}
            while rest:
                option, name, *rest = rest
                if option == "-p":
                    values[name], *rest = rest
                else:
                    assert option == "-f" and (ROOT / name).exists(), part
                    values |= parameters.read(ROOT / name, "train")
            if not values.get("corpus", "").startswith("/path"):
                parameters.check(values)
        elif program == "lexurn":
            result = CliRunner().invoke(cli.main, [*arguments, "--help"])  # options are read first
            assert result.exit_code == 0, result.output


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_name_what_there_is(line):
    check_command(line)


@pytest.mark.parametrize(
    "line",
    [
        "papermill book/02_trian.ipynb out.ipynb",
        "papermill book/02_train.ipynb out.ipynb -p lexical_ True",
        "papermill book/02_train.ipynb out.ipynb -f params/none.yaml",
        "lexurn sweeep headline",
        "lexurn sweep headline --jbs 2",
    ],
)
def test_commands_that_name_something_else_are_found(line):
    with pytest.raises((AssertionError, ValueError)):
        check_command(line)


def test_the_python_of_the_tutorial_runs(store, monkeypatch):
    (block,) = re.findall(r"```python\n(.*?)```", PAGES[1].read_text(), re.DOTALL)
    monkeypatch.chdir(store.parent)
    process = ForkedPython(block.replace('{"lex": True}', '{"lex": True, "n_steps": 20}'))
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "**The generalizing predictor is nearest**" in output.splitlines()[0]


def constants(text):
    """Return the parts of an f-string, with None in place of what it inserts."""
    return [part if isinstance(part, ast.Constant) else None for part in text.values]


def messages_of_the_library():
    """Return the texts in the library's source, with … for what an f-string inserts."""
    texts = []
    for path in sorted((ROOT / "lexurn").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = [
                    each.value if isinstance(each, ast.Constant) else ELLIPSIS
                    for each in node.values
                ]
                texts.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return texts


def is_a_message(quoted, texts):
    """Whether one text has all fixed parts of a quoted message, in their order."""
    pattern = ".*".join(map(re.escape, filter(None, quoted.split(ELLIPSIS))))
    return any(re.search(pattern, text, re.DOTALL) for text in texts)


def test_the_messages_under_troubleshooting_are_those_of_the_library():
    page = (ROOT / "book" / "troubleshooting.md").read_text()
    own = page.partition("## Messages of other programs")[0]
    quoted = re.findall(r"^\| `([^`]+)` \|", own, re.MULTILINE)
    texts = messages_of_the_library()
    assert len(quoted) > 25
    assert [each for each in quoted if not is_a_message(each, texts)] == []
    assert not is_a_message("the run … is tired", texts)


def test_the_cheat_sheet_lists_what_chapters_show():
    sources = sorted((ROOT / "book").glob("[0-9][0-9]_*.py"))
    page = parameter_pages.cheat_sheet_page(sources)
    listed = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    shown = [dependencies.shown_parameters(source) for source in sources]
    assert set(listed) == set().union(*shown) < set(flat_names()) and len(set(listed)) == len(
        listed
    )
    stems = [source.stem[:2] for source in sources]
    showing = [stem for stem, cell in zip(stems, shown, strict=True) if "n_steps" in cell]
    (row,) = [line for line in page.splitlines() if line.startswith("| `n_steps` |")]
    assert row.replace("\\", "").endswith(f"{', '.join(showing)} |")
