"""A Sphinx extension for the book's pages.

It keeps them from asking for what is not there: Thebe, on another host, fonts ahead of time, and, where there are
widgets, an older MathJax. At the top of each stands what edition this is. And it shows docstrings as they are written:
plain text, `code` in backticks, and indented blocks that keep their lines.
"""

import re
from pathlib import Path
from typing import Any

WIDGETS = """
FontAwesome.config.observeMutations = false;
window.MathJax = Object.assign(window.MathJax || {}, {
  Hub: {Queue() {}},
  startup: {
    ready() {
      MathJax.startup.defaultReady();
      MathJax.Hub = {Queue: ([, , element]) => MathJax.typesetPromise([element])};
    }
  }
});
"""
"""What widgets need: buttons whose icons Font Awesome does not replace, and labels that go to the pages' MathJax,
though it is not the version 2 that widgets ask for."""


BADGE = "badge.txt"
"""The file, beside the pages' sources, whose text stands at the top of every page."""


def setup(app: Any) -> dict[str, bool]:
    app.connect("config-inited", with_badge)
    app.connect("html-page-context", without_thebe, priority=900)  # after those that put it there
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", plain)
    app.connect("build-finished", without_preloads)
    app.add_js_file(None, body=WIDGETS, priority=900)  # after the configuration of MathJax
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def with_badge(app: Any, config: Any) -> None:
    """Put the badge's text where the theme shows announcements."""
    text = (Path(app.srcdir) / BADGE).read_text()
    config.html_theme_options = {
        **config.html_theme_options,
        "announcement": f'<span class="edition">{text}</span>',
    }


def without_thebe(
    app: Any, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Drop scripts that name Thebe from a page."""
    context["script_files"] = [
        script
        for script in context["script_files"]
        if "thebe"
        not in f"{getattr(script, 'filename', script)}{getattr(script, 'attributes', '')}".lower()
    ]


def without_preloads(app: Any, failed: Exception | None) -> None:
    """Drop hints to load fonts early, which browsers refuse, with an error, for pages that are opened as files."""
    for page in Path(app.outdir).glob("*.html"):
        text = page.read_text()
        page.write_text(re.sub(r'<link rel="preload" as="font"[^>]*>', "", text))


def plain(app: Any, what: str, name: str, of: Any, options: Any, lines: list[str]) -> None:
    """Turn a docstring's lines into reStructuredText, in place."""
    shown, in_block = [], False
    for line in lines:
        if line.startswith("    "):
            shown += [] if in_block else ["::", ""]
            in_block = True
            shown.append(line)
        elif not line.strip():
            shown.append(line)
        else:
            shown += [""] if in_block else []
            in_block = False
            parts = re.split(r"`([^`]*)`", line)  # text and code in turn
            texts = [re.sub(r"([\\*|_])", r"\\\1", part) for part in parts[::2]]
            codes = [f"``{part}``" for part in parts[1::2]]
            shown.append(
                "".join(piece for pair in zip(texts, [*codes, ""], strict=True) for piece in pair)
            )
    lines[:] = shown
