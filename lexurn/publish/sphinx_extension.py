"""A Sphinx extension for the book's pages.

It removes from pages what they would ask other hosts or browsers for in vain: Thebe, fonts ahead of
time, an older MathJax for widgets, and Colab while the repository's address has no owner. It shows
the edition at the top of every page, and shows docstrings as they are written: plain text, `code`
in backticks, and indented blocks.
"""

import re
from html import escape
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from lexurn.publish import address, page_texts

# Font Awesome does not replace the icons of buttons, and labels of widgets, which ask for version 2
# of MathJax, are set by the MathJax that the page has loaded.
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

BADGE = "badge.txt"  # beside the pages' sources; its text stands at the top of every page


def setup(app: Any) -> dict[str, bool]:
    """Register everything below with Sphinx."""
    app.connect("config-inited", add_badge)
    app.connect("config-inited", remove_launch_buttons)
    app.connect("html-page-context", remove_thebe, priority=900)  # after the scripts are added
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", convert_docstring)
    app.connect("autodoc-process-signature", remove_signature)
    app.connect("build-finished", remove_preloads)
    app.connect("doctree-read", page_texts.keep_text)
    app.connect("html-page-context", page_texts.say_what_comes)
    app.connect("build-finished", page_texts.write_texts)
    app.add_js_file(None, body=WIDGETS, priority=900)  # after the configuration of MathJax
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def add_badge(app: Any, config: Any) -> None:
    """Put the badge's text where the theme shows announcements, and rank results of searches."""
    config.html_search_scorer = str(Path(app.srcdir) / "assets" / "search.js")
    badge = f'<span class="edition">{escape((Path(app.srcdir) / BADGE).read_text())}</span>'
    config.html_theme_options = {**config.html_theme_options, "announcement": badge}


def remove_launch_buttons(app: Any, config: Any) -> None:
    """Remove the buttons that open Colab if they would open nothing.

    Text for readers who have the buttons stands in `{only} colab`, else in `{only} not colab`.
    """
    if address.has_owner(config.html_theme_options.get("repository_url", "")):
        app.tags.add("colab")
    else:
        config.html_theme_options["launch_buttons"] = {}


def remove_thebe(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Remove scripts that name Thebe from a page."""
    context["script_files"] = [
        script
        for script in context["script_files"]
        if "thebe"
        not in f"{getattr(script, 'filename', script)}{getattr(script, 'attributes', '')}".lower()
    ]


def remove_preloads(app: Any, failed: Exception | None) -> None:
    """Remove hints to load fonts early: browsers refuse them, with an error, for local files."""
    for page in Path(app.outdir).glob("*.html"):
        page.write_text(re.sub(r'<link rel="preload" as="font"[^>]*>', "", page.read_text()))


def remove_signature(
    app: Any, what: str, name: str, documented: Any, options: Any, signature: str, returns: str
) -> tuple[str, None] | None:
    """Show no signature for a class of settings, for which pydantic writes a page."""
    is_settings = isinstance(documented, type) and issubclass(documented, BaseModel)
    return ("", None) if is_settings else None


def convert_docstring(
    app: Any, what: str, name: str, documented: Any, options: Any, lines: list[str]
) -> None:
    """Convert the lines of a docstring to reStructuredText, in place; list fields of settings."""
    if isinstance(documented, type) and issubclass(documented, BaseModel):
        fields = documented.model_fields.items()
        help_texts = [
            f"- `{name}`: {field.description}" for name, field in fields if field.description
        ]
        lines += ["", *help_texts, ""]
    converted = []
    in_block = False
    for line in lines:
        is_code = line.startswith("    ")
        if line.strip() and is_code != in_block:
            converted += ["::", ""] if is_code else [""]
            in_block = is_code
        if not in_block:  # `code` gets double backticks, and special characters are escaped
            line = re.sub(
                r"`([^`]*)`|([\\*|_])",
                lambda match: f"\\{match[2]}" if match[2] else f"``{match[1]}``",
                line,
            )
        converted.append(line)
    lines[:] = converted
