"""The site: the book's pages, executed chapters and generated pages, rendered by Jupyter Book.

The pages are put together in `_build/stage`, rendered in a work folder, and moved to `_build/html`
when the site is complete. If nothing has changed since the last time, nothing is done.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from lexurn.base import files, paths
from lexurn.base.errors import SiteError
from lexurn.publish import pages, sphinx_extension
from lexurn.publish.dependencies import Chapter, replace_folder, work_folder


def render(chapters: Sequence[Chapter], *, scale: str, say: Callable[[str], None]) -> bool:
    """Render the site with the last execution of these chapters; return False if it is up to date.

    `scale` is the name of the chapters' parameters; every page shows it. Raises SiteError if
    Jupyter Book fails, and then the previous site stays, and also if Jupyter Book warns.
    """
    config = paths.root() / "_config.yml"
    stage = paths.build_folder() / "stage"
    html = paths.build_folder() / "html"
    log = paths.build_folder() / "jupyter-book.log"
    _stage_pages(stage, chapters, scale)
    key = _site_key(stage, config)
    if (html / ".key").exists() and (html / ".key").read_text() == key:
        return False
    say("rendering")
    python_path = os.pathsep.join([str(paths.LIBRARY.parent), os.environ.get("PYTHONPATH", "")])
    with work_folder("site") as work:
        process = subprocess.run(
            [
                *(sys.executable, "-c", "from jupyter_book.cli.main import main; main()"),
                *("build", "-W", "--keep-going", "--all"),
                *("--config", str(config), "--path-output", str(work), str(stage)),
            ],
            cwd=work,
            env=os.environ | {"PYTHONPATH": python_path.rstrip(os.pathsep)},
            capture_output=True,
            text=True,
        )
        output = process.stdout + process.stderr
        files.write(log, output)
        warnings = [line for line in output.splitlines() if "WARNING" in line or "ERROR" in line]
        rendered = work / "_build" / "html"
        names = [chapter.name for chapter in chapters]
        if missing := [name for name in names if not (rendered / f"{name}.html").exists()]:
            reason = [*warnings, f"pages missing: {', '.join(missing)}"][0]
            raise SiteError(f"jupyter-book failed: {reason}; its whole output is in {log}")
        replace_folder(html, rendered)
    if process.returncode:
        reason = [*warnings, f"exit code {process.returncode}"][0]
        raise SiteError(
            f"the site is at {html}, but jupyter-book warned: {reason}; "
            f"its whole output is in {log}"
        )
    files.write(html / ".key", key)
    return True


def require_tools() -> None:
    """Raise SiteError if a package that renders the site is not installed."""
    problems = {
        "papermill": "papermill is not installed",
        "jupytext": "jupytext is not installed",
        "jupyter_book": "jupyter-book is not installed",
        "jupyter_book.cli": "the site needs version 1 of jupyter-book, got another one",
    }
    for name, problem in problems.items():
        if importlib.util.find_spec(name) is None:
            raise SiteError(f"{problem}; pip install -e '.[book]'")


def _stage_pages(stage: Path, chapters: Sequence[Chapter], scale: str) -> None:
    shutil.rmtree(stage, ignore_errors=True)
    excluded = shutil.ignore_patterns(
        "*.py", "[0-9][0-9]_*.ipynb", "results", ".ipynb_checkpoints", "__pycache__"
    )
    with files.store_errors(stage):
        shutil.copytree(paths.root() / "book", stage, ignore=excluded)
    contents: dict[str, str | bytes] = {
        "execution.md": pages.execution_page(chapters),
        "claims.md": pages.claims_page(chapters),
        "headline.txt": pages.headline(chapters),
        sphinx_extension.BADGE: pages.badge(chapters, scale=scale),
    }
    for chapter in chapters:
        contents[f"{chapter.name}.ipynb"] = (
            chapter.executed.read_bytes()
            if chapter.record
            else jupytext.writes(jupytext.read(chapter.source), "ipynb")
        )
    for name, content in contents.items():
        files.write(stage / name, content)


def _site_key(stage: Path, config: Path) -> str:
    library = sorted(paths.LIBRARY.rglob("*.py"))  # its docstrings are pages
    parts = [
        os.path.relpath(path, stage).encode() + bytes.fromhex(files.hash_bytes(path.read_bytes()))
        for path in (*sorted(stage.rglob("*")), config, *library)
        if path.is_file()
    ]
    return files.hash_bytes(b"".join(parts))
