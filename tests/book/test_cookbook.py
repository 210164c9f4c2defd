"""Every recipe of book/cookbook.md runs, in order and in one session, and shows what it says."""

import contextlib
import io
import re
import sys

import pytest
from code_blocks import python_blocks

from lexurn import evaluation
from lexurn.base import paths

TEXT = (paths.root() / "book" / "cookbook.md").read_text()
MAX_LINES = 12
"""Lines of code of a recipe, without blank lines."""


def read_recipes(text):
    """Return the code blocks of each question of a page."""
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    return {section.partition("\n")[0]: python_blocks(section) for section in sections}


def execute(recipes):
    """Execute recipes one after the other in one namespace; return what each prints."""
    namespace = {"__name__": "cookbook"}
    printed = {}
    for question, (code,) in recipes.items():
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(code, question, "exec"), namespace)
        printed[question] = output.getvalue()
    return namespace, printed


def test_every_recipe_is_a_question_with_one_short_block_and_what_is_seen():
    recipes = read_recipes(TEXT)
    assert 8 <= len(recipes) <= 12
    for section in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]:
        question = section.partition("\n")[0]
        (code,) = recipes[question]
        assert question.startswith("How do I ") and question.endswith("?")
        assert len([line for line in code.splitlines() if line.strip()]) <= MAX_LINES, question
        assert re.search(r"```\n\nYou see ", section), question


def test_all_recipes_run_in_order_and_show_what_the_page_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # a recipe adds the module of its own plot
    namespace, printed = execute(read_recipes(TEXT))
    del sys.modules["my_plots"]
    printed = list(printed.values())
    assert "generalizing" in printed[0] and "symmetrized" in printed[0]
    distances = dict(re.findall(r"^(.+) (\d+\.\d+)$", printed[1], re.MULTILINE))
    assert distances.keys() == {"my predictor", *namespace["run"].references}
    known = evaluation.select(namespace["run"].results, split="out_of_distribution")["mean"]
    for name, mean in known.items():
        assert float(distances[name]) == pytest.approx(mean, abs=1e-3)
    assert float(distances["my predictor"]) > 2 * known["generalizing"]
    assert " ± " in printed[2]
    pattern = namespace["pattern"]
    assert pattern.sum(-1).sub(1).abs().max() < 1e-5 and "0.attn.z" in printed[3]
    assert namespace["change"].mean() > 1e-4
    first, second = (namespace[name].metrics["validation_loss"] for name in ("run", "longer"))
    assert second.iloc[0] == pytest.approx(first.min(), abs=1e-6)
    assert first.min() < first.iloc[0]
    losses = namespace["text_run"].metrics["validation_loss"]
    assert losses.iloc[-1] < 0.7 * losses.iloc[0]
    assert "4 points are done, 0 failed" in printed[9]
    assert len(namespace["table"]) >= 4
    assert printed[11].rstrip().endswith("False}")
    figures = {path.stem for path in (paths.build_folder() / "figures").rglob("*.json")}
    assert figures >= {"mine", "loss_against_step"}


def test_a_recipe_that_needs_a_missing_name_fails():
    broken = TEXT.replace("def repeats(tokens)", "def repeated(tokens)")
    recipes = read_recipes(broken)
    first = {question: recipes[question] for question in list(recipes)[:2]}
    with pytest.raises(NameError, match="repeats"):
        execute(first)
