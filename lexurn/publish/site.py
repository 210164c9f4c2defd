"""The site: the book's pages, executed chapters and generated pages, rendered by Jupyter Book.

The pages are put together in `_build/stage`, rendered in a work folder, and moved to `_build/html`
when the site is complete. If nothing has changed since the last time, nothing is done.

Pages that were read before and have not changed are not read again: what Jupyter Book has read is
kept in `_build/read`. They are written again only if what pages show of each other has changed (see
`sphinx_extension.find_outdated`). What was read is not kept from a rendering that failed, was
killed or has warned: the next one reads and writes all pages and repeats the warnings.
"""

import importlib.util
import json
import os
import re
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
from lexurn.publish import pages, parameter_pages, sphinx_extension, staging
from lexurn.publish.dependencies import Chapter, work_folder

# What stays in `book/`; pages generated from it are staged.
NOT_STAGED = (
    *("*.py", "[0-9][0-9]_*.ipynb", "results/*"),
    *("*.ipynb_checkpoints/*", "*__pycache__/*"),
)
FOR_ALL_PAGES = ("_toc.yml", "references.bib")
"""Files of the book that change how every page is read."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PRINT_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--no-pdf-header-footer", "--virtual-time-budget=10000"),  # formulas are set by a script
)
PAGE = r"^[ -]*(?:root|file): *([^\s#]+)"  # in the table of contents
SECONDS_PER_PAGE = 120

PAGES_WITH_RESULTS = {"index.md", "conclusion.md", "teach.md"}
"""Pages that quote numbers and refer to figures of chapters, which may be missing at a scale."""


def render(chapters: Sequence[Chapter], *, scale: str, say: Callable[[str], None]) -> bool:
    """Render the site with the last execution of these chapters; return False if it is up to date.

    `scale` is the name of the chapters' parameters; every page shows it. Raises SiteError if
    Jupyter Book fails, and then the previous site stays, and also if Jupyter Book warns.
    """
    build = paths.build_folder()
    html = build / "html"
    contents = _page_contents(chapters, scale)
    library = [paths.root() / "_config.yml", *paths.LIBRARY.rglob("*.py")]  # docstrings are pages
    key = _hash_all(contents | {str(path): path.read_bytes() for path in library})
    marker = html / ".key"  # is written last
    if marker.is_file() and marker.read_text() == key:
        return False
    say("rendering")
    _write_changed(build / "stage", contents)
    read_key = _read_key(contents)
    with work_folder("site") as work:
        rendered = work / "_build" / "html"
        if (build / "read" / f".{read_key}").exists():
            shutil.move(build / "read", rendered.parent)
            if html.is_dir():
                shutil.copytree(html, rendered, ignore=shutil.ignore_patterns(marker.name))
        command = [
            *(sys.executable, "-c", "from jupyter_book.cli.main import main; main()"),
            *("build", "-W", "--keep-going", "--config", str(paths.root() / "_config.yml")),
            *("--path-output", str(work), str(build / "stage")),
        ]
        python_path = [str(paths.LIBRARY.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        process = subprocess.run(
            command,
            cwd=work,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(python_path)},
            capture_output=True,
            text=True,
        )
        output = process.stdout + process.stderr
        files.write(build / "jupyter-book.log", output)
        problems = [line for line in output.splitlines() if "WARNING" in line or "ERROR" in line]
        log = f"its whole output is in {build / 'jupyter-book.log'}"
        names = [chapter.name for chapter in chapters]
        if missing := [name for name in names if not (rendered / f"{name}.html").exists()]:
            reason = [*problems, f"pages missing: {', '.join(missing)}"][0]
            raise SiteError(f"jupyter-book failed: {reason}; {log}")
        for folder in (staging.FOLDER, staging.SCRIPTS):
            for path in (rendered / folder).glob("*"):
                if f"{folder}/{path.name}" not in contents:
                    path.unlink()  # of a figure that was shown before
        for originals in ("stage", "executed"):  # executed notebooks travel
            _link_sources(rendered / "_sources", build / originals)
        files.replace_folder(html, rendered)
        if process.returncode:
            reason = [*problems, f"exit code {process.returncode}"][0]
            raise SiteError(f"the site is at {html}, but jupyter-book warned: {reason}; {log}")
        files.write(rendered.parent / f".{read_key}", "")
        files.replace_folder(build / "read", rendered.parent)
    files.write(marker, key)
    return True


def require_tools() -> None:
    """Raise SiteError unless version 1 of jupyter-book, which renders the site, is installed."""
    with suppress(ModuleNotFoundError):
        if importlib.util.find_spec("jupyter_book.cli"):
            return
    raise SiteError("the site needs version 1 of jupyter-book; pip install -e '.[book]'")


def print_pages(say: Callable[[str], None]) -> Path:
    """Print all pages in the order of the contents to `_build/pdf`, and return this folder.

    Raises SiteError if there is no Chromium, or if it fails.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SiteError("--pdf needs Chromium or Chrome; install it, e.g. apt-get install chromium")
    contents = (paths.root() / "book" / "_toc.yml").read_text()
    folder = paths.build_folder() / "pdf"
    with work_folder("pdf") as work:
        printed = work / "printed"
        printed.mkdir()
        for number, name in enumerate(re.findall(PAGE, contents, re.MULTILINE)):
            say(f"printing {name}")
            page = paths.build_folder() / "html" / f"{name}.html"
            pdf = printed / f"{number:02}-{name}.pdf"
            process = subprocess.run(
                [
                    *(browser, *PRINT_OPTIONS, f"--user-data-dir={work / 'profile'}"),
                    *(f"--print-to-pdf={pdf}", page.as_uri()),
                ],
                capture_output=True,
                text=True,
                timeout=SECONDS_PER_PAGE,
            )
            if not pdf.exists():
                raise SiteError(f"{browser} did not print {page}: {process.stderr.strip()[-300:]}")
        files.replace_folder(folder, printed)
    return folder


def _page_contents(chapters: Sequence[Chapter], scale: str) -> dict[str, bytes]:
    """Return the content of every file that the site is rendered from, by its name."""
    book = paths.root() / "book"
    names = {path.relative_to(book).as_posix() for path in book.rglob("*") if path.is_file()}
    contents = {
        name: (book / name).read_bytes()
        for name in names
        if not any(fnmatch(name, pattern) for pattern in NOT_STAGED)
    }
    generated = {
        "execution.md": pages.execution_page(chapters),
        "claims.md": pages.claims_page(chapters),
        "parameters.md": parameter_pages.parameters_page(),
        "cheat_sheet.md": parameter_pages.cheat_sheet_page(
            [chapter.source for chapter in chapters]
        ),
        sphinx_extension.BADGE: pages.badge(chapters, scale=scale),
    }
    contents |= {name: text.encode() for name, text in generated.items()}
    for chapter in chapters:
        notebook = chapter.executed.read_text() if chapter.record else _convert(chapter.source)
        contents |= staging.stage(chapter.name, json.loads(notebook))
    for name in PAGES_WITH_RESULTS & contents.keys():
        text = pages.insert_numbers(contents[name].decode(), chapters)
        text = staging.link_missing_figures(text, contents)
        contents[name] = staging.insert_explorables(text, contents).encode()
    return contents


def _convert(source: Path) -> str:
    import jupytext

    return jupytext.writes(jupytext.read(source), "ipynb")


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


def _link_sources(sources: Path, originals: Path) -> None:
    """Replace copies of pages by links, which take no space, where the file system has links."""
    for path in sources.rglob("*"):
        original = originals / path.relative_to(sources)
        if path.is_file() and original.is_file():
            link = path.with_name(f".{path.name}")
            with suppress(OSError):
                os.link(original, link)
                link.replace(path)


def _read_key(contents: Mapping[str, bytes]) -> str:
    """Return a key of everything but a page itself that changes how the page is read."""
    versions = [version(name) for name in ("jupyter-book", "sphinx", "myst-nb", "docutils")]
    others = (paths.root() / "_config.yml", Path(sphinx_extension.__file__))
    return _hash_all(
        {name: contents.get(name, b"") for name in FOR_ALL_PAGES}
        | {path.name: path.read_bytes() for path in others}
        | {"versions": repr((versions, sys.version)).encode()}
    )


def _hash_all(contents: Mapping[str, bytes]) -> str:
    hashes = {name: files.hash_bytes(content) for name, content in contents.items()}
    return files.hash_bytes(json.dumps(hashes, sort_keys=True).encode())
