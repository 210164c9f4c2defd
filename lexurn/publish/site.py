"""The site: the book's pages, the executed chapters and a page on their execution, rendered by Jupyter Book.

Everything is put together in `_build/stage`, rendered beside, and moved to `_build/html` when it is whole; where
nothing has changed since the last time, nothing is done.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from lexurn.base import files, paths
from lexurn.publish import pages, sphinx_extension
from lexurn.publish.dependencies import Chapter


class SiteError(RuntimeError):
    """The site cannot be made. Its message says what is missing or where to read on."""


def render(chapters: Sequence[Chapter], *, scale: str, say: Callable[[str], None]) -> bool:
    """Render the site with these chapters as they were executed last, if they were; False where it is as it would be.

    `scale` is the name of the parameters that they are to be executed with; every page tells it.
    Raises SiteError where Jupyter Book fails, and then the site that was there stays; or where it warns.
    """
    build, config = paths.build_folder(), paths.root() / "_config.yml"
    stage, html, log, work = (
        build / "stage",
        build / "html",
        build / "jupyter-book.log",
        build / "work" / "site",
    )
    _put_together(stage, chapters, scale)
    library = sorted(paths.LIBRARY.rglob("*.py"))  # its docstrings are pages
    key, key_file = _hash(stage, config, *library), html / ".key"
    if key_file.exists() and key_file.read_text() == key:
        return False
    say("rendering")
    shutil.rmtree(work, ignore_errors=True)
    with files.store_errors(work):
        work.mkdir(parents=True)
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    where = ["--config", str(config), "--path-output", str(work)]
    options = ["build", "-W", "--keep-going", "--all", *where, str(stage)]
    library_first = os.pathsep.join([str(paths.LIBRARY.parent), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": library_first.rstrip(os.pathsep)}
    done = subprocess.run(
        [*command, *options], cwd=work, env=environment, capture_output=True, text=True
    )
    output, made = done.stdout + done.stderr, work / "_build" / "html"
    files.write(log, output)
    missing = [chapter.name for chapter in chapters if not (made / f"{chapter.name}.html").exists()]
    warnings = [line for line in output.splitlines() if "WARNING" in line or "ERROR" in line]
    if missing:
        said = warnings[0] if warnings else f"pages missing: {', '.join(missing)}"
        raise SiteError(f"jupyter-book failed: {said}; everything it said is in {log}")
    if not done.returncode:
        files.write(made / ".key", key)
    with files.store_errors(html):
        if html.exists():
            html.rename(work / "before")
        made.rename(html)
    shutil.rmtree(work, ignore_errors=True)
    if done.returncode:
        said = warnings[0] if warnings else "it ended with an error"
        raise SiteError(
            f"the site is at {html}, but jupyter-book warned: {said}; everything it said is in {log}"
        )
    return True


def require_tools() -> None:
    """Raises SiteError where what makes the site is not installed: better now than when the chapters are executed."""
    for name in ("papermill", "jupytext", "jupyter_book"):
        if importlib.util.find_spec(name) is None:
            raise SiteError(f"{name.replace('_', '-')} is not installed; pip install -e '.[book]'")
    if importlib.util.find_spec("jupyter_book.cli") is None:
        raise SiteError(
            "this is another jupyter-book than version 1, which the site needs; pip install -e '.[book]'"
        )


def _put_together(stage: Path, chapters: Sequence[Chapter], scale: str) -> None:
    import jupytext

    shutil.rmtree(stage, ignore_errors=True)
    own = shutil.ignore_patterns(
        "*.py", "[0-9][0-9]_*.ipynb", "results", ".ipynb_checkpoints", "__pycache__"
    )
    with files.store_errors(stage):
        shutil.copytree(paths.root() / "book", stage, ignore=own)
    for chapter in chapters:
        page = stage / f"{chapter.name}.ipynb"
        if chapter.past:
            files.write(page, chapter.executed.read_bytes())
        else:
            files.write(page, jupytext.writes(jupytext.read(chapter.source), "ipynb"))
    files.write(stage / "execution.md", pages.execution(chapters))
    files.write(stage / "claims.md", pages.all_claims(chapters))
    files.write(stage / "headline.txt", pages.headline(chapters))
    files.write(stage / sphinx_extension.BADGE, pages.badge(chapters, scale=scale))


def _hash(stage: Path, *others: Path) -> str:
    """Of everything that the pages are made from."""
    total = hashlib.sha256()
    for path in [*sorted(stage.rglob("*")), *others]:
        if path.is_file():
            total.update(
                os.path.relpath(path, stage).encode() + hashlib.sha256(path.read_bytes()).digest()
            )
    return total.hexdigest()
