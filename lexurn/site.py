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

import lexurn
from lexurn import files, paths
from lexurn.chapters import Chapter

STATUS = """# Execution

What each chapter on this site was made with. A chapter that failed is on its page as far as it came.

| chapter | result | parameters | device | seconds | finished | commit | runs |
|---|---|---|---|---|---|---|---|
"""


class SiteError(RuntimeError):
    """The site cannot be made. Its message says what is missing or where to read on."""


def render(chapters: Sequence[Chapter], *, say: Callable[[str], None]) -> bool:
    """Render the site with these chapters as they were executed last, if they were; False where it is as it would be.

    Raises SiteError where Jupyter Book fails; the site that was there stays.
    """
    build, config = paths.build(), paths.root() / "_config.yml"
    stage, html, log, work = build / "stage", build / "html", build / "jupyter-book.log", build / "work" / "site"
    with files.worded(stage):
        _put_together(stage, chapters)
    library = sorted(Path(lexurn.__file__).parent.rglob("*.py"))  # its docstrings are pages
    key, key_file = _hash(stage, config, *library), html / ".key"
    if key_file.exists() and key_file.read_text() == key:
        return False
    say("rendering")
    shutil.rmtree(work, ignore_errors=True)
    with files.worded(work):
        work.mkdir(parents=True)
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    where = ["--config", str(config), "--path-output", str(work)]
    options = ["build", "-W", "--keep-going", "--all", *where, str(stage)]
    done = subprocess.run([*command, *options], cwd=work, capture_output=True, text=True)
    output, made = done.stdout + done.stderr, work / "_build" / "html"
    files.write(log, output)
    missing = [chapter.name for chapter in chapters if not (made / f"{chapter.name}.html").exists()]
    if done.returncode or missing:
        warnings = [line for line in output.splitlines() if "WARNING" in line or "ERROR" in line]
        first = warnings[0] if warnings else f"pages missing: {', '.join(missing)}" if missing else "no page was made"
        raise SiteError(f"jupyter-book failed: {first}; everything it said is in {log}")
    files.write(made / ".key", key)
    with files.worded(html):
        shutil.rmtree(html, ignore_errors=True)
        made.rename(html)
    shutil.rmtree(work, ignore_errors=True)
    return True


def require_tools() -> None:
    """Raises SiteError where what makes the site is not installed: better now than when the chapters are executed."""
    for name in ("papermill", "jupytext", "jupyter_book"):
        if importlib.util.find_spec(name) is None:
            raise SiteError(f"{name.replace('_', '-')} is not installed; pip install -e '.[book]'")


def _put_together(stage: Path, chapters: Sequence[Chapter]) -> None:
    import jupytext

    shutil.rmtree(stage, ignore_errors=True)
    own = shutil.ignore_patterns("*.py", "[0-9][0-9]_*.ipynb", "results", ".ipynb_checkpoints", "__pycache__")
    shutil.copytree(paths.root() / "book", stage, ignore=own)
    lines = [STATUS]
    for chapter in chapters:
        past, page = chapter.past, stage / f"{chapter.name}.ipynb"
        if not past:
            jupytext.write(jupytext.read(chapter.source), page)
            lines.append(f"| [{chapter.name}]({chapter.name}) | not executed | | | | | | |\n")
            continue
        shutil.copy(chapter.executed, page)
        given = ", ".join(f"{name} {value}" for name, value in past["given"].items()) or "the defaults"
        runs = ", ".join(name.rpartition("-")[2][:6] for name in past["runs"]) or "none"
        about = [f"[{chapter.name}]({chapter.name})", "**failed**" if past["failed"] else "done", given]
        about += [", ".join(past.get("device", [])), f"{past['seconds']:.0f}", past["finished"]]
        lines.append(f"| {' | '.join([*about, (past.get('commit') or 'unknown')[:7], runs])} |\n")
    (stage / "execution.md").write_text("".join(lines))


def _hash(stage: Path, *others: Path) -> str:
    """Of everything that the pages are made from."""
    total = hashlib.sha256()
    for path in [*sorted(stage.rglob("*")), *others]:
        if path.is_file():
            total.update(os.path.relpath(path, stage).encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
