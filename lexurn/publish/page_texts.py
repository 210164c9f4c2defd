"""What a page says, without code and tables: for search, and for the links to the pages around it.

The search page shows chapters first, each with an excerpt around a word that was searched for. Its
texts are a script beside it, because a page that is opened as a file may not fetch other pages.
"""

import json
import re
from html import escape
from pathlib import Path
from textwrap import shorten
from typing import Any

TEXTS = "_static/texts.js"
MAX_TEXT = 30_000  # characters of a page
MAX_ALL = 400_000  # characters of all pages together, chapters first
MAX_OPENING = 130


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


def say_what_comes(app: Any, page: str, template: str, context: dict[str, Any], _: Any) -> None:
    """Put the first sentence of the next and the previous page under the links to them."""
    if page == "search":
        context["script_files"].append(TEXTS)
    _, *around = app.env.collect_relations().get(page, (None, None, None))
    for name, other in zip(("prev", "next"), around, strict=True):
        if other and context.get(name):
            opening = escape(app.env.metadata[other].get("opening", ""))
            title = f'{context[name]["title"]}<span class="opening">{opening}</span>'
            context[name] = context[name] | {"title": title}


def write_texts(app: Any, failed: Exception | None) -> None:
    """Write the texts of all pages as a script that the search page loads."""
    texts: dict[str, str] = {}
    for page in sorted(app.env.found_docs, key=lambda page: (not page[:1].isdigit(), page)):
        left = MAX_ALL - sum(map(len, texts.values()))
        texts[page] = app.env.metadata[page].get("prose", "")[:left]
    script = f"window.lexurnTexts = {json.dumps(texts, ensure_ascii=False)};\n"
    (Path(app.outdir) / TEXTS).write_text(script)
