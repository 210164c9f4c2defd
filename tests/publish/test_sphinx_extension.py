"""Search and the links between pages say what a page is about, in little space."""

import json
import re
from types import SimpleNamespace

import pytest
from docutils import nodes
from pybtex.database import parse_string

from lexurn.base import paths
from lexurn.publish import site, sphinx_extension
from lexurn.settings import LSTMSettings, TaskSettings


def page_of(*texts):
    """A page with these paragraphs, a piece of code and a table."""
    document = nodes.document(None, None)
    document += [nodes.paragraph(text=text) for text in texts]
    document += nodes.literal_block(text="print('code')")
    document += nodes.table("", nodes.entry("", nodes.paragraph(text="in a table")))
    return document


def app_of(tmp_path, **prose):
    env = SimpleNamespace(docname="", metadata={name: {} for name in prose}, found_docs={*prose})
    app = SimpleNamespace(env=env, outdir=tmp_path)
    (tmp_path / "_static").mkdir(exist_ok=True)
    for env.docname, texts in prose.items():
        sphinx_extension.keep_text(app, page_of(*texts))
    return app


def written(tmp_path, app):
    sphinx_extension.write_texts(app, None)
    script = (tmp_path / sphinx_extension.TEXTS).read_text()
    return json.loads(script.removeprefix("window.lexurnTexts = ").removesuffix(";\n"))


def test_the_texts_for_search_are_prose_without_code_and_tables(tmp_path):
    app = app_of(tmp_path, **{"01_a": ["First sentence. Second:", "$\\alpha$ & <b>"], "empty": []})
    assert written(tmp_path, app) == {"01_a": "First sentence. Second: $alpha$ & <b>", "empty": ""}
    assert app.env.metadata["01_a"]["opening"] == "First sentence."


def test_the_texts_of_all_pages_have_a_limit_and_chapters_come_first(tmp_path, monkeypatch):
    monkeypatch.setattr(sphinx_extension, "MAX_ALL", 30)
    texts = written(tmp_path, app_of(tmp_path, api=["a" * 20], **{"01_a": ["c" * 20]}))
    assert texts == {"01_a": "c" * 20, "api": "a" * 10}
    assert sphinx_extension.MAX_ALL <= 400_000


def test_the_link_to_the_next_page_says_what_comes(tmp_path):
    long = "What " + "is " * 60 + "it?"
    app = app_of(tmp_path, index=["Start."], next_one=["A <b>. More."], last=[long])
    app.env.collect_relations = lambda: {
        "index": [None, None, "next_one"],
        "next_one": [None, "index", "last"],
    }
    context = {"prev": None, "next": {"title": "Next", "link": "next_one.html"}}
    sphinx_extension.say_what_comes(app, "index", "", context, None)
    assert context["prev"] is None and context["next"] == {
        "title": 'Next<span class="opening">A &lt;b&gt;.</span>',
        "link": "next_one.html",
    }
    context = {"prev": {"title": "Home"}, "next": {"title": "Last"}}
    sphinx_extension.say_what_comes(app, "next_one", "", context, None)
    assert context["prev"]["title"].endswith("Start.</span>")
    assert context["next"]["title"].endswith("is is …</span>")
    assert len(context["next"]["title"]) < 200
    context = {"script_files": []}
    sphinx_extension.say_what_comes(app, "search", "", context, None)
    assert context["script_files"] == [sphinx_extension.TEXTS]


def test_sources_are_cited_by_authors_and_year_that_differ():
    text = (paths.root() / "book" / "references.bib").read_text()
    entries = parse_string(text, "bibtex").entries.values()
    cited = [(str(entry.persons["author"][0]), entry.fields["year"]) for entry in entries]
    assert len(set(cited)) == len(cited) > 10


def test_every_module_stands_on_the_page_of_its_package_and_every_page_in_the_contents():
    book = paths.root() / "book"
    contents = (book / "_toc.yml").read_text()
    index = (book / "api.md").read_text()
    for package in paths.LIBRARY.glob("*/__init__.py"):
        name = f"api_{package.parent.name}"
        assert f"- file: {name}\n" in contents and f"]({name})" in index
        described = re.findall(
            r"automodule:: (\S+)\n   :members:", (book / f"{name}.md").read_text()
        )
        modules = [path for path in package.parent.rglob("*.py") if path.stat().st_size]
        names = [path.relative_to(paths.LIBRARY.parent).with_suffix("").parts for path in modules]
        assert sorted(described) == sorted(
            ".".join(parts).removesuffix(".__init__") for parts in names
        )


def test_settings_have_no_signature_and_no_members_of_pydantic_but_a_list_of_fields():
    lines = ["Settings of a test."]
    sphinx_extension.convert_docstring(None, "class", "Own", LSTMSettings, None, lines)
    assert lines[0] == "Settings of a test."
    assert any(line.startswith("- ``d_hidden``: width of the recurrent state") for line in lines)
    signature_of = sphinx_extension.remove_signature
    assert signature_of(None, "class", "Own", TaskSettings, None, "(x)", "") == ("", None)
    assert signature_of(None, "class", "Other", dict, None, "(x)", "") is None
    config = (paths.root() / "_config.yml").read_text()
    assert "autodoc_inherit_docstrings: false" in config  # or model_config would be shown


def test_pages_are_printed_in_the_order_of_the_contents():
    text = "root: index\nparts:\n  - chapters:\n    - file: b  # one\n      sections:\n"
    text += "      - file: c\n    - file: a\n"
    assert re.findall(site.PAGE, text, re.MULTILINE) == ["index", "b", "c", "a"]


def test_without_a_browser_printing_says_what_to_install(monkeypatch):
    monkeypatch.setattr(site.shutil, "which", lambda name: None)
    with pytest.raises(site.SiteError, match="--pdf needs Chromium or Chrome; install it"):
        site.print_pages(print)
