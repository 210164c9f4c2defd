"""The recipes of book/extend.md work inside a copy of the repository and in a package beside it."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import jupytext
import lint
import pytest
from click.testing import CliRunner
from code_blocks import python_blocks
from notebooks import outputs_of, papermill

from lexurn import cli
from lexurn.base import paths

ROOT = paths.root()
PAGE = ROOT / "book" / "extend.md"
PYTHON_BLOCKS = python_blocks(PAGE.read_text())
RECIPES = {
    "backbone": ("backbones", "models/gru.py"),
    "task": ("tasks", "tasks/chains.py"),
    "vocabulary": ("vocabulary", "models/partly_lexical.py"),
}
PARAMETERS = {
    "task": "chains",
    "backbone": "gru",
    "vocabulary": "partly_lexical",
    "n_states": 3,
    "n_learned": 2,
    "context_length": 12,
    "n_steps": 40,
    "eval_every": 20,
    "n_test_samples": 60,
}
FIGURES = {"losses", "distances_along", "distances_by_row", "predictions"}


def blocks(kind):
    """The code blocks of the page that begin with `# kind: name`, by that name."""
    headed = (re.fullmatch(rf"# {kind}: (\S+)\n(.*)", block, re.DOTALL) for block in PYTHON_BLOCKS)
    return dict(match.groups() for match in headed if match)


def execute_chapter(repository, build, *packages):
    """Execute 02_train with everything new at once, and look for its figures."""
    arguments = ["book/02_train.ipynb", build / "out.ipynb"]
    for name, value in PARAMETERS.items():
        arguments += ["-p", name, value]
    done = papermill(*arguments, folder=repository, packages=packages)
    assert done.returncode == 0, done.stderr[-3000:]
    drawn = {path.stem for path in (build / "_build/figures/02_train").glob("*.png")}
    assert drawn >= FIGURES


def copy_of_the_repository(folder):
    for name in ("lexurn", "book", "params"):
        ignored = shutil.ignore_patterns("__pycache__", "results", "vendor")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("_config.yml", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def add_chapter(repository):
    """Add the chapter of the page to a copy of the repository; return its source."""
    ((stem, text),) = blocks("chapter").items()
    other = (repository / "book" / "02_train.py").read_text()
    header, *cells = re.split(r"^(?=# %%)", other, flags=re.MULTILINE)
    first = next(cell for cell in cells if not cell.startswith("# %% [markdown]"))
    place = "# (Here follows the first code cell of another chapter.)"
    assert place in text
    source = repository / "book" / f"{stem}.py"
    source.write_text(header + text.replace(place, first.strip()))
    jupytext.write(jupytext.read(source), source.with_suffix(".ipynb"))
    contents, smoke = re.search(
        r"# book/_toc.yml\n(.*\n)# params/smoke.yaml\n(.*\n)", PAGE.read_text()
    ).groups()
    for path, line in (("book/_toc.yml", contents), ("params/smoke.yaml", smoke)):
        text = (repository / path).read_text()
        last = "      - file: 11_originals\n"
        text = text.replace(last, last + line) if last in text else text + line
        (repository / path).write_text(text)
    return source


def test_the_chapter_of_the_page_has_no_lint(tmp_path):
    source = add_chapter(copy_of_the_repository(tmp_path))
    assert lint.find_lint(source) == []
    command = [sys.executable, "-m", "ruff", "check", source.parent]
    subprocess.run(command, check=True, capture_output=True)
    for command in ("lexurn pair", "lexurn book --chapter"):
        assert re.search(rf"^{command} .*{source.stem}", PAGE.read_text(), re.MULTILINE)


@pytest.mark.book
def test_the_chapter_of_the_page_shows_a_figure_and_a_computed_result(tmp_path):
    clone = copy_of_the_repository(tmp_path / "clone")
    notebook = add_chapter(clone).with_suffix(".ipynb")
    arguments = (notebook, tmp_path / "out.ipynb", "-f", clone / "params" / "smoke.yaml")
    done = papermill(*arguments, folder=clone, packages=[clone])
    assert done.returncode == 0, done.stderr[-3000:]
    n_figures, text = outputs_of(tmp_path / "out.ipynb")
    assert n_figures == 1
    numbers = r"G is \d\.\d+ ± .* nats from memorizing and 0\.\d+ ± .* from symmetrized"
    assert re.search(rf"On 50 fresh urns.*{numbers}", text)


@pytest.mark.book
def test_recipes_work_inside_the_repository(tmp_path):
    clone = copy_of_the_repository(tmp_path / "clone")
    for recipe, (settings, module) in RECIPES.items():
        touched = set()

        def append(path, text, touched=touched):
            path.write_text(path.read_text() + text if path.exists() else text)
            touched.add(path)

        append(clone / f"lexurn/settings/{settings}.py", "\n\n" + blocks("settings")[settings])
        append(clone / "lexurn" / module, blocks("module")[module])
        append(clone / "lexurn/settings/registry.py", blocks("register")[recipe])
        assert len(touched) <= 3
    registry = clone / "lexurn/settings/registry.py"
    names = "from lexurn.settings.backbones import GRUSettings\n"
    names += "from lexurn.settings.tasks import ChainsSettings\n"
    names += "from lexurn.settings.vocabulary import PartlyLexicalSettings\n"
    registry.write_text(names + registry.read_text())
    vocabulary = clone / "lexurn/settings/vocabulary.py"
    text = vocabulary.read_text().replace("import Real, Section", "import Real, Section, Whole")
    vocabulary.write_text(text)
    execute_chapter(clone, tmp_path, clone)


@pytest.mark.book
def test_recipes_work_from_a_package_beside_the_repository(tmp_path):
    packages = tmp_path / "site"
    ((name, text),) = blocks("imports").items()
    package = packages / name
    package.mkdir(parents=True)
    for recipe, (settings, module) in RECIPES.items():
        own = f"{name}.{Path(module).stem}"
        inside = "lexurn." + module.removesuffix(".py").replace("/", ".")
        (package / Path(module).name).write_text(blocks("module")[module])
        text += "\n\n" + blocks("settings")[settings] + "\n\n"
        text += blocks("register")[recipe].replace(inside, own) + "\n"
    (package / "__init__.py").write_text(text)
    (toml,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    project = tomllib.loads(toml)["project"]
    title, version = project["name"], project["version"]
    info = packages / f"{name}-{version}.dist-info"
    info.mkdir()
    points = project["entry-points"]["lexurn"].items()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {title}\nVersion: {version}\n")
    lines = [f"{key} = {value}" for key, value in points]
    (info / "entry_points.txt").write_text("\n".join(["[lexurn]", *lines]))
    (info / "top_level.txt").write_text(f"{name}\n")
    execute_chapter(ROOT, tmp_path, packages, ROOT)
    (run,) = paths.runs().glob(f"{PARAMETERS['task']}-*")
    done = CliRunner().invoke(cli.main, ["runs", "show", run.name])  # without the package
    assert done.exit_code == 2
    parts = "task 'chains' or vocabulary 'partly_lexical' or backbone 'gru'"
    assert f"{run.name}: no {parts} here; install" in done.output
    assert f"{title} {version}" in done.output


def test_a_class_in_place_of_a_target_is_refused():
    code = """
from typing import Literal
import pytest
import lexurn
from lexurn.base.errors import ParameterError
from lexurn.settings import PositionFreeSettings

class Mine(PositionFreeSettings):
    name: Literal["mine"] = "mine"

for settings, target, message in [(int, "a:B", "derived from Backbone"), (Mine, Mine, "as text")]:
    with pytest.raises(ParameterError, match=message):
        lexurn.register("backbone", settings, target)
lexurn.register("backbone", Mine, "a:B")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
