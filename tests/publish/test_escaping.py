"""Texts that files and people give are shown as they are: none becomes a tag or a formula.

Every page is made with a text and with the word PLAIN: the two differ in this text alone.
"""

import warnings
from html.parser import HTMLParser
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it.renderer import RendererHTML
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

from lexurn.base import paths
from lexurn.chapters.data import plots
from lexurn.figures import drawing, figure_card, tables
from lexurn.publish import claims, dependencies, pages, parameter_pages, sphinx_extension, staging

PLAIN = "PLAIN"
PARTS = (
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</td>", "</figure>", "<!--"),
    *("<b", ">", "&", "&lt;", "&#60;", '"', "'", "`", "``", "```", "$", "$$", "\\", r"$\foo$"),
    *("{{", "}}", "{{ 7 * 7 }}", "{% raw %}", "{numref}", "{term}`", "]]>", "[", "](javascript:a)"),
    *("![a](http://a.b/c.png)", "<http://a.b>", "www.a.com", "http://a.b", "a@b.de", "|", "---"),
    *("\n", "\r\n", "\n\n", "\t", "    ", "# ", "- ", "1. ", "> ", ":::{note}", "(a)=", "[a]: b"),
    *("\u202e", "\u200f", "\u2028", "\x0b", "*", "_", "~~", "+++", "% ", "a", "é", "0", " ", ""),
)
LETTERS = st.characters(exclude_categories=("Cs",), exclude_characters="\0")
TEXTS = st.lists(st.sampled_from(PARTS) | st.text(LETTERS, max_size=3), max_size=8)
TEXTS = TEXTS.map("".join).filter(lambda text: text.replace("`", "").split())
EXAMPLES = ("".join(PARTS), "`<script>`", "\\<script>", "$`<script> $ `", "{{ 7 * 7 }}", "$x$")
COMPUTED = ("substitution_inline", "math_inline", "myst_role")
CONFIG = yaml.safe_load((paths.root() / "_config.yml").read_text())
MARKDOWN = create_md_parser(
    MdParserConfig(enable_extensions={*CONFIG["parse"]["myst_enable_extensions"]}), RendererHTML
)


class Reader(HTMLParser):
    """The tags of a page with their attributes, and its text; `code` counts as text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        shown = [(name, flat(value)) for name, value in attributes if name != "href"]
        self.tags += [(tag, shown)] if tag != "code" else []

    def handle_data(self, data):
        self.texts.append(data)

    def handle_comment(self, data):
        self.tags.append("comment")

    handle_decl = unknown_decl = handle_pi = handle_comment


def flat(text):
    """A text without what code may change: white space, and quotes."""
    return "".join((text or "").replace("`", "").replace("'", "").split())


def markdown(text):
    """The page of a text in Markdown, with a tag for each formula and for all else that it asks."""
    kinds = [child.type for token in MARKDOWN.parse(text) for child in token.children or ()]
    return MARKDOWN.render(text) + "".join(f"<{kind}>" for kind in kinds if kind in COMPUTED)


def shows_as_it_is(make, text, shown=str):
    """Whether a page with a text is the page with PLAIN, but for the text."""
    page, plain = Reader(make(text)), Reader(make(PLAIN))
    old, new = flat(shown(PLAIN)), flat(shown(text))
    wanted = [
        (tag, [(name, value.replace(old, new)) for name, value in attributes])
        for tag, attributes in plain.tags
    ]
    is_same_text = flat("".join(page.texts)) == flat("".join(plain.texts)).replace(old, new)
    return page.tags == wanted and is_same_text


CLAIM = claims.get("geometry/below_five_gram")
MEASURED = {"value": 0.1, "error": 0.01, "n": 12, "exact": None, "verdict": "refuted"}
RECORD = {"failed": "", "seconds": 3.0, "finished": "now", "used": {}, "computed": []}
TABLE = pd.DataFrame({"kind": ["a", "b"], "entropy": [0.1, 0.2]})


def execution_page(text):
    record = RECORD | {"parameters": {"corpus": text}, "device": text, "commit": text}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dependencies.Chapter, "record", record)
        return markdown(pages.execution_page([dependencies.Chapter("01_data", {})]))


def claims_page(text):
    claim = CLAIM.model_copy(
        update={"quantity": text, "source": text, "why": text, "published": 1.0}
    )
    rows = pages.table_rows([pages._claim_cells(claim, MEASURED)])
    return markdown("| a " * 7 + "|\n" + "| - " * 7 + f"|\n{rows}")


def parameters_page(text):
    with pytest.MonkeyPatch.context() as patch:
        row = dict.fromkeys(("name", "type", "allowed", "meaning"), text)
        patch.setattr(parameter_pages.names, "parameters", lambda: [row])
        return markdown(parameter_pages.parameters_page().replace("`name`", "name"))


def injected_parameters(text):
    source = f"# Parameters\ncorpus = {text!r}\n"
    (cell,) = staging._differences({"source": source, "id": "1"})
    return markdown(cell["source"])


def lexurn_table(text):
    rows = pd.DataFrame({"model": [text] * 13, "loss": 1.0})
    return tables.build(rows, {"model": text}, caption=text, name=text)._repr_html_()


def links_to_other_pages(text):
    env = SimpleNamespace(
        metadata={"b": {"opening": text}},
        collect_relations=lambda: {"a": (None, "b", "b")},
    )
    context = {"prev": {"title": "B"}, "next": {"title": "B"}}
    sphinx_extension.say_what_comes(SimpleNamespace(env=env), "a", "", context, None)
    return context["prev"]["title"] + context["next"]["title"]


MAKERS = {
    make.__name__: (make, repr if make is injected_parameters else str)
    for make in (
        *(execution_page, claims_page, parameters_page, injected_parameters),
        *(lexurn_table, links_to_other_pages),
    )
}


def with_examples(test):
    for text in EXAMPLES:
        test = example(text=text)(test)
    return given(text=TEXTS)(test)


@pytest.mark.parametrize("name", MAKERS)
@with_examples
def test_a_page_shows_every_text_as_it_is(name, text):
    make, shown = MAKERS[name]
    assert shows_as_it_is(make, text, shown)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A card whose texts a test replaces."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEXURN_BUILD", str(tmp_path_factory.mktemp("build")))
        return figure_card.card(plots.entropies, TABLE, alt="alt", n="n")


@with_examples
def test_a_card_shows_every_text_as_it_is(drawn, text):
    def make(text):
        texts = dict.fromkeys(("alt", "n", "caption", "command"), text)
        lists = dict.fromkeys(("trained", "seeds"), [text])
        return figure_card.Card(drawn.about | texts | lists, "csv", drawn.pictures).html()

    assert shows_as_it_is(make, text)


@with_examples
def test_the_edition_at_the_top_of_every_page_is_text(tmp_path_factory, text):
    folder = tmp_path_factory.getbasetemp()

    def make(text):
        (folder / sphinx_extension.BADGE).write_text(pages.badge([], scale=text))
        config = SimpleNamespace(html_theme_options={})
        sphinx_extension.add_badge(SimpleNamespace(srcdir=folder), config)
        return config.html_theme_options["announcement"]

    assert shows_as_it_is(make, text)


@with_examples
def test_a_caption_has_code_stress_formulas_and_references_only(text):
    source = staging._caption(text)
    kinds = [token.type for token in MARKDOWN.parse(source)]
    assert kinds == ["paragraph_open", "inline", "paragraph_close"], source
    (line,) = [token for token in MARKDOWN.parse(source) if token.children]
    allowed = {"text", "code_inline", "em_open", "em_close", "math_inline", "myst_role"}
    assert {child.type for child in line.children} <= allowed, source


def test_a_caption_keeps_its_markup():
    caption = "*G* of `a<b` is $x_1 < 2$ or $x_1$, see {numref}`01_data-urns`, {term}`urn`: 3 > 2."
    page = MARKDOWN.render(staging._caption(caption))
    for part in ("<em>G</em>", "<code>a&lt;b</code>", "$x_1 &lt; 2$", ">x_1<", "3 &gt; 2."):
        assert part in page
    assert page.count("numref") == page.count("term") == 1 and "{numref}" in page


@pytest.mark.parametrize(
    ("module", "name", "maker"),
    [
        (pages, "as_text", execution_page),
        (pages, "as_code", execution_page),
        (pages, "as_text", claims_page),
        (parameter_pages, "as_text", parameters_page),
        (staging, "as_code", injected_parameters),
        (sphinx_extension, "escape", links_to_other_pages),
        (tables.html, "escape", lexurn_table),
    ],
)
@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "".join(PARTS)])
def test_a_text_that_is_not_escaped_is_found(monkeypatch, module, name, maker, text):
    monkeypatch.setattr(module, name, str)
    assert not shows_as_it_is(maker, text, MAKERS[maker.__name__][1])


@settings(max_examples=6)
@example(text="$$")
@example(text=r"$\foo$")
@given(text=TEXTS)
def test_no_text_stops_a_figure(text):
    warnings.simplefilter("ignore")  # a font without the character, a figure without room
    named = {"plot": "lexurn.chapters.geometry.plots.similarities", "keywords": {"names": [text]}}
    one = pd.DataFrame({"first": [0], "second": [0], "value": [1.0]})
    assert drawing.draw(drawing.Drawing(**named, title=text, titles=f"{text}{{}}"), one)
    kinds = pd.DataFrame({"step": [1, 10] * 2, text: [0.1, 1, 10, 100], "who": [text, text, 0, 0]})
    keywords = {"x": "step", "y": text, "log": ["step", text]}
    curves = {"plot": "lexurn.figures.plots.curves", "keywords": keywords, "legend": text}
    for ending in ("png", "svg"):
        assert drawing.draw(drawing.Drawing(**curves), kinds, ending=ending)


def test_logarithmic_axes_have_powers_without_formulas():
    table = pd.DataFrame({"step": [1, 2], "mean": [2e-3, 40.0], "who": "a"})
    keywords = {"x": "step", "log": ["mean"]}
    figure = drawing.plot_page(
        drawing.Drawing(plot="x"), drawing.plots.curves, [("", table, keywords)]
    )
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert {"10⁻²", "10⁰", "10¹"} <= {*labels} and not any("$" in label for label in labels)
