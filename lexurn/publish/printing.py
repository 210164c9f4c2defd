"""The book on paper: every page of the site as a PDF, printed by Chromium."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from lexurn.base import files, paths
from lexurn.publish.site import SiteError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--no-pdf-header-footer", "--virtual-time-budget=10000"),  # formulas are set by a script
)
PAGE = r"^[ -]*(?:root|file): *([^\s#]+)"  # in the table of contents
SECONDS_PER_PAGE = 120


def print_pages(say: Callable[[str], None]) -> Path:
    """Print all pages in the order of the contents to `_build/pdf`, and return this folder.

    Raises SiteError if there is no Chromium, or if it fails.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SiteError("--pdf needs Chromium or Chrome; install it, e.g. apt-get install chromium")
    folder = paths.build_folder() / "pdf"
    shutil.rmtree(folder, ignore_errors=True)
    with files.store_errors(folder):
        folder.mkdir(parents=True)
    contents = (paths.root() / "book" / "_toc.yml").read_text()
    for number, name in enumerate(re.findall(PAGE, contents, re.MULTILINE)):
        page = paths.build_folder() / "html" / f"{name}.html"
        pdf = folder / f"{number:02}-{name}.pdf"
        say(f"printing {name}")
        with tempfile.TemporaryDirectory() as profile:
            process = subprocess.run(
                [
                    *(browser, *OPTIONS, f"--user-data-dir={profile}"),
                    *(f"--print-to-pdf={pdf}", page.as_uri()),
                ],
                capture_output=True,
                text=True,
                timeout=SECONDS_PER_PAGE,
            )
        if not pdf.exists():
            raise SiteError(f"{browser} did not print {page}: {process.stderr.strip()[-300:]}")
    return folder
