"""The site: the book's pages, executed chapters and generated pages, rendered by Jupyter Book.

The pages are put together in `_build/stage`, rendered in a work folder, and moved to `_build/html`
when the site is complete. If nothing has changed since the last time, nothing is done.

Pages that were read before and have not changed are not read again: what Jupyter Book has read is
kept in `_build/read`. All pages are written anew, because each shows titles of others. What was
read is not kept from a rendering that failed, was killed or has warned: the next one reads all
pages and repeats the warnings.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path

from lexurn.base import files, paths
from lexurn.base.errors import SiteError
from lexurn.publish import pages, quiet, sphinx_extension
from lexurn.publish.dependencies import Chapter, replace_folder, work_folder

# What stays in `book/`; pages generated from it are staged.
NOT_STAGED = (
    *("*.py", "[0-9][0-9]_*.ipynb", "results/*"),
    *("*.ipynb_checkpoints/*", "*__pycache__/*"),
)
FOR_ALL_PAGES = ("_toc.yml", "references.bib")
"""Files of the book that change how every page is read."""


def render(chapters: Sequence[Chapter], *, scale: str, say: Callable[[str], None]) -> bool:
    """Render the site with the last execution of these chapters; return False if it is up to date.

    `scale` is the name of the chapters' parameters; every page shows it. Raises SiteError if
    Jupyter Book fails, and then the previous site stays, and also if Jupyter Book warns.
    """
    config = paths.root() / "_config.yml"
    stage = paths.build_folder() / "stage"
    html = paths.build_folder() / "html"
    read = paths.build_folder() / "read"
    log = paths.build_folder() / "jupyter-book.log"
    contents = _page_contents(chapters, scale)
    library = sorted(paths.LIBRARY.rglob("*.py"))  # its docstrings are pages
    key = _hash_all(contents | {str(path): path.read_bytes() for path in (config, *library)})
    if (html / ".key").exists() and (html / ".key").read_text() == key:
        return False
    say("rendering")
    _write_changed(stage, contents)
    python_path = os.pathsep.join([str(paths.LIBRARY.parent), os.environ.get("PYTHONPATH", "")])
    with work_folder("site") as work:
        rendered = work / "_build" / "html"
        read_key = _read_key(contents, config)
        if (read / ".key").exists() and (read / ".key").read_text() == read_key:
            shutil.move(read, rendered.parent)
        process = subprocess.run(
            [
                *(sys.executable, "-c", "from jupyter_book.cli.main import main; main()"),
                *("build", "-W", "--keep-going"),
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
        names = [chapter.name for chapter in chapters]
        if missing := [name for name in names if not (rendered / f"{name}.html").exists()]:
            reason = [*warnings, f"pages missing: {', '.join(missing)}"][0]
            raise SiteError(f"jupyter-book failed: {reason}; its whole output is in {log}")
        _link_sources(rendered / "_sources", stage)
        replace_folder(html, rendered)
        shutil.rmtree(rendered.with_name("html-before"), ignore_errors=True)
        if process.returncode:
            reason = [*warnings, f"exit code {process.returncode}"][0]
            raise SiteError(
                f"the site is at {html}, but jupyter-book warned: {reason}; "
                f"its whole output is in {log}"
            )
        files.write(rendered.parent / ".key", read_key)
        replace_folder(read, rendered.parent)
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


def _page_contents(chapters: Sequence[Chapter], scale: str) -> dict[str, bytes]:
    """Return the content of every file that the site is rendered from, by its name."""
    book = paths.root() / "book"
    names = [path.relative_to(book).as_posix() for path in book.rglob("*") if path.is_file()]
    contents = {
        name: (book / name).read_bytes()
        for name in sorted(names)
        if not any(fnmatch(name, pattern) for pattern in NOT_STAGED)
    }
    generated = {
        "execution.md": pages.execution_page(chapters),
        "claims.md": pages.claims_page(chapters),
        "parameters.md": pages.parameters_page(),
        "headline.txt": pages.headline(chapters),
        sphinx_extension.BADGE: pages.badge(chapters, scale=scale),
    }
    contents |= {name: text.encode() for name, text in generated.items()}
    for chapter in chapters:
        contents[f"{chapter.name}.ipynb"] = (
            json.dumps(quiet.quieten(json.loads(chapter.executed.read_bytes()))).encode()
            if chapter.record
            else _convert(chapter.source)
        )
    return contents


def _convert(source: Path) -> bytes:
    import jupytext

    return jupytext.writes(jupytext.read(source), "ipynb").encode()


def _write_changed(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Make a folder hold these files; files that are as they should be keep their time."""
    with files.store_errors(folder):
        for path in folder.rglob("*"):
            if path.is_file() and path.relative_to(folder).as_posix() not in contents:
                path.unlink()
    for name, content in contents.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            files.write(path, content)


def _link_sources(sources: Path, stage: Path) -> None:
    """Replace copies of pages by links, which take no space, where the file system has links."""
    for path in sources.rglob("*"):
        original = stage / path.relative_to(sources)
        if path.is_file() and original.is_file():
            link = path.with_name(f".{path.name}")
            with suppress(OSError):
                os.link(original, link)
                link.replace(path)


def _read_key(contents: Mapping[str, bytes], config: Path) -> str:
    """Return a key of everything but a page itself that changes how the page is read."""
    versions = [version(name) for name in ("jupyter-book", "sphinx", "myst-nb", "docutils")]
    extension = Path(sphinx_extension.__file__)
    texts = extension.with_name("page_texts.py")
    return _hash_all(
        {name: contents.get(name, b"") for name in FOR_ALL_PAGES}
        | {path.name: path.read_bytes() for path in (config, extension, texts)}
        | {"versions": repr((versions, sys.version)).encode()}
    )


def _hash_all(contents: Mapping[str, bytes]) -> str:
    hashes = [[name, files.hash_bytes(content)] for name, content in sorted(contents.items())]
    return files.hash_bytes(repr(hashes).encode())
