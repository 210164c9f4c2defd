"""A Sphinx extension for the book's pages.

It removes from pages what they would ask other hosts or browsers for in vain: Thebe, fonts ahead of
time, an older MathJax for widgets, and Colab while the repository's address has no owner. It shows
the edition at the top of every page, and shows docstrings as they are written: plain text, `code`
in backticks, and indented blocks.

What a page says, without code and tables, stands below the links to it from the pages around it,
and in search: the search page shows chapters first, each with an excerpt around a word that was
searched for. Its texts are a script beside it, because a page that is opened as a file may not
fetch other pages.
"""

import json
import re
from html import escape
from pathlib import Path
from textwrap import shorten
from typing import Any

from pydantic import BaseModel

from lexurn.publish import address

BADGE = "badge.txt"  # beside the pages' sources; its text stands at the top of every page
TEXTS = "_static/texts.js"
MAX_TEXT = 30_000  # characters of a page
MAX_ALL = 400_000  # characters of all pages together, chapters first
MAX_OPENING = 130


def setup(app: Any) -> dict[str, bool]:
    """Register everything below with Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    for event, handler in (
        ("config-inited", add_badge),
        ("config-inited", remove_launch_buttons),
        ("autodoc-process-docstring", convert_docstring),
        ("autodoc-process-signature", remove_signature),
        ("doctree-read", keep_text),
        ("html-page-context", say_what_comes),
        ("build-finished", remove_preloads),
        ("build-finished", write_texts),
    ):
        app.connect(event, handler)
    app.connect("html-page-context", remove_scripts, priority=900)  # after scripts are added
    app.connect("env-get-updated", find_outdated, priority=900)  # after numbers are given
    widgets = (Path(app.srcdir) / "assets" / "widgets.js").read_text()
    app.add_js_file(None, body=widgets, priority=900)  # after the configuration of MathJax
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


def remove_scripts(
    app: Any, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Remove scripts that name Thebe, and those of explorables, which are loaded when in view."""
    unwanted = ("thebe", "explorables/")  # Jupyter Book adds all scripts below _static
    context["script_files"] = [
        script
        for script in context["script_files"]
        if not any(
            text
            in f"{getattr(script, 'filename', script)}{getattr(script, 'attributes', '')}".lower()
            for text in unwanted
        )
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
    was_code = False
    for line in lines:
        is_code = line.startswith("    ") if line.strip() else was_code
        if is_code != was_code:
            converted += ["::", ""] if is_code else [""]
        if not is_code:  # `code` gets double backticks, and special characters are escaped
            line = re.sub(
                r"`([^`]*)`|([\\*|_])",
                lambda match: f"\\{match[2]}" if match[2] else f"``{match[1]}``",
                line,
            )
        converted.append(line)
        was_code = is_code
    lines[:] = converted


def keep_text(app: Any, doctree: Any) -> None:
    """Keep a page's prose, and its first sentence, with Sphinx's other data about the page."""
    texts = [
        " ".join(node.astext().replace("\\", "").split())  # commands of formulas as words
        for node in doctree.findall(lambda node: node.tagname in ("paragraph", "caption"))
        if node.parent.tagname != "entry"  # of a table
    ]
    sentence = re.split(r"(?<=[.?!]) ", texts[0], maxsplit=1)[0] if texts else ""
    opening = shorten(sentence, MAX_OPENING, placeholder=" …")
    app.env.metadata[app.env.docname] |= {"prose": " ".join(texts)[:MAX_TEXT], "opening": opening}


def find_outdated(app: Any, env: Any) -> set[str]:
    """Return all pages if what they show of each other has changed since the last time.

    That is headings, first sentences, numbers, labels, terms and citations. Otherwise Sphinx writes
    only the pages that have changed themselves.
    """
    pages = {
        page: (toc.pformat(), env.metadata[page].get("opening")) for page, toc in env.tocs.items()
    }
    texts = env.domaindata["std"]
    sources = env.domaindata["cite"]["citations"]
    shown = (
        *(pages, env.toc_secnumbers, env.toc_fignumbers, env.domaindata["math"]["objects"]),
        *(texts[name] for name in ("labels", "anonlabels", "objects", "terms")),
        {source.key: source.formatted_entry.label for source in sources},
    )
    before = getattr(env, "shown_elsewhere", None)
    env.shown_elsewhere = repr([sorted(part.items()) for part in shown])
    return set() if env.shown_elsewhere == before else env.found_docs


def say_what_comes(app: Any, page: str, template: str, context: dict[str, Any], _: Any) -> None:
    """Put the first sentence of the next and the previous page under the links to them."""
    if page == "search":
        context["script_files"].append(TEXTS)
    _, *around = app.env.collect_relations().get(page, (None, None, None))
    for name, other in zip(("prev", "next"), around, strict=True):
        if other and context.get(name):
            opening = escape(app.env.metadata[other].get("opening", ""))
            title = f'{context[name]["title"]}<span class="opening">{opening}</span>'
            context[name] |= {"title": title}


def write_texts(app: Any, failed: Exception | None) -> None:
    """Write the texts of all pages as a script that the search page loads."""
    texts: dict[str, str] = {}
    for page in sorted(app.env.found_docs, key=lambda page: (not page[:1].isdigit(), page)):
        left = MAX_ALL - sum(map(len, texts.values()))
        texts[page] = app.env.metadata[page].get("prose", "")[:left]
    script = f"window.lexurnTexts = {json.dumps(texts, ensure_ascii=False)};\n"
    (Path(app.outdir) / TEXTS).write_text(script)
