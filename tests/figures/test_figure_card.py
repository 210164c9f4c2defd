"""Figures depend on their table and card alone, cards name their sources, pictures need cards."""

import json
import re

import matplotlib
import nbformat
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_notebook, new_output
from notebooks import count_pictures, read_cards
from processes import ForkedPython

import lexurn
from lexurn import cli, parameters, runs
from lexurn.base import paths, session
from lexurn.chapters.data import plots as data_plots
from lexurn.chapters.train import plots as train_plots
from lexurn.figures import drawing, figure_card, style
from lexurn.publish import cards
from lexurn.runs import tables

TABLE = pd.DataFrame(
    {"kind": ["a", "a", "b", "b"], "entropy": [0.1, 0.2, 0.3, 1 / 3], "split": ["x", "y", "x", "y"]}
)
TEXTS = {"alt": "Entropies, one line per kind.", "n": "2 urns"}
FINDING = {"caption": "The entropy of b is above 0.2."}


def card(table=TABLE, plot=data_plots.entropies, **options):
    return figure_card.card(plot, table, **(TEXTS | options))


def stored():
    return paths.build_folder() / "figures"


def test_what_is_stored_draws_the_same_bytes_in_another_process_and_another_table_does_not():
    drawn = card(
        by="split",
        titles="split {}",
        legend="entropy of",
        size=(3.0, 2.0),
        share_y=True,
        title="both",
    )
    paths_by_suffix = {path.suffix: path for path in stored().iterdir()}
    assert set(paths_by_suffix) == {".png", ".csv", ".json"}
    assert {path.stem for path in paths_by_suffix.values()} == {"entropies"}
    png = paths_by_suffix[".png"].read_bytes()
    assert drawn.pictures == [png]
    pd.testing.assert_frame_equal(
        tables.from_csv(paths_by_suffix[".csv"].read_bytes()), TABLE, check_exact=True
    )
    again = stored().parent / "again"
    command = ["redraw", str(paths_by_suffix[".json"]), "--out", str(again)]
    process = ForkedPython("from lexurn.cli import main; main()", *command)
    output = process.communicate()[0]
    assert process.returncode == 0
    assert output.split() == [str(again / "entropies.png"), str(again / "entropies.svg")]
    assert (again / "entropies.png").read_bytes() == png
    svg = (again / "entropies.svg").read_bytes()
    assert svg.startswith(b"<?xml") and b"<dc:date>" not in svg
    how, table = drawing.read(paths_by_suffix[".json"])
    assert drawing.draw(how, table, ending="svg") == [svg]
    paths_by_suffix[".csv"].write_text(paths_by_suffix[".csv"].read_text().replace("0.1", "0.11"))
    assert CliRunner().invoke(cli.main, command).exit_code == 0
    assert (again / "entropies.png").read_bytes() != png and (
        again / "entropies.svg"
    ).read_bytes() != svg


def test_a_persons_settings_and_open_figures_change_nothing():
    plain = card()
    with matplotlib.rc_context(
        {"font.size": 20, "axes.grid": True, "savefig.dpi": 30, "figure.facecolor": "red"}
    ):
        assert card().pictures == plain.pictures
    assert card(size=(5.0, 3.2)).pictures != plain.pictures
    style.panels(1)
    assert (
        matplotlib._pylab_helpers.Gcf.get_num_fig_managers() == 0
    )  # nothing that a notebook would show by itself


def test_a_card_says_what_the_figure_rests_on():
    settings = {"n_steps": 4, "eval_every": 2, "n_test_samples": 10, "context_length": 6, "seed": 3}
    run = runs.get(settings)
    judged = {"split": "out_of_distribution", "measure": "symmetrized_kl"}
    views = {"view": ["losses", "distances"]}
    drawn = card(run.metrics, train_plots.training, each=views, runs=[run, run], **judged)
    about = json.loads((stored() / "training.json").read_text())
    assert about == drawn.about and about["n"] == "2 urns" and about["seeds"] == [3]
    assert about["runs"] == [run.settings.key] and about["trained"] == [
        f"1 from the own store, trained {run.provenance['date'][:10]} "
        f"on {run.provenance['processor']}, "
        f"commit {run.provenance['commit'][:7]}{' with changes' * run.provenance['dirty']}"
    ]
    assert about["drawing"]["plot"] == "lexurn.chapters.train.plots.training"
    text = drawn.html()
    for part in (
        "Entropies, one line per kind.",
        "2 urns",
        run.settings.key[:6],
        "lexurn redraw training.json",
    ):
        assert part in text
    (read,) = read_cards(notebook(drawn._repr_mimebundle_()))
    assert read_cards(notebook({"text/html": text})) == []
    assert (
        read["about"]["caption"] == ""
        and read["about"] == about
        and read["table"] == (stored() / "training.csv").read_text()
    )


def test_a_card_holds_the_chapters_settings_and_the_command_for_them(monkeypatch):
    settings = parameters.check({"n_steps": 7, "n_urns": 12, "lex": True})
    chapter = parameters.RunningChapter("04_analysis", settings, ("lex",))
    monkeypatch.setattr(session.current(), "chapter", chapter)
    about = card().about
    assert (
        about["parameters"] == settings.flat()
        and about["seeds"] == [0]
        and about["chapter"] == "04_analysis"
    )
    assert (
        about["command"] == "papermill book/04_analysis.ipynb out.ipynb -p n_steps 7 -p n_urns 12"
    )
    assert (stored() / "04_analysis" / "entropies.csv").exists()
    assert card(seeds=[4, 5]).about["seeds"] == [4, 5]  # of models that are not stored


def test_panels_come_by_a_column_or_from_values_of_a_keyword():
    def draw_panels(**options):
        calls = []

        def plot(table, axes, **keywords):
            calls.append((table, keywords, axes))
            return axes

        how = drawing.Drawing(plot="x", **options)
        drawing.plot_page(how, plot, drawing._panels(how, TABLE))
        return calls, [axes.get_title() for *_, axes in calls]

    calls, titles = draw_panels(by="kind", titles="V = {}", keywords={"log": True})
    assert [(list(table), len(table)) for table, *_ in calls] == [(["entropy", "split"], 2)] * 2
    assert [keywords for _, keywords, _ in calls] == [{"log": True}] * 2
    assert titles == ["V = a", "V = b"]
    values = ["generalizing", "in_distribution"]
    calls, titles = draw_panels(each={"y": values}, keywords={"log": True})
    assert [keywords for _, keywords, _ in calls] == [{"log": True, "y": y} for y in values]
    assert titles == ["generalizing (G)", "in distribution"] and len(calls[0][0]) == 4


def test_pages_are_pictures_of_their_own():
    rows = [
        {"predictor": "generalizing", "row": row, "color": color}
        for row in (0, 1)
        for color in (0, 1)
    ]
    table = pd.DataFrame(rows).assign(probability=[0.5, 0.5, 2 / 3, 1 / 3], ball=0)
    made = card(table, data_plots.predictions_after, each={"row": [0, 1]}, pages=True, titles="")
    assert (
        len(made.pictures) == len(made.about["pictures"]) == 2
        and made.pictures[0] != made.pictures[1]
    )
    assert {path.name for path in stored().glob("*.png")} == {
        "predictions_after-0.png",
        "predictions_after-1.png",
    }
    assert "<img" not in made.html(with_picture=False)


def local(table, axes):
    return axes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"plot": lambda table, axes: axes},
            "another process cannot import .*define the plot function in a module",
        ),
        (
            {"table": TABLE.assign(when=pd.Timestamp("2026-01-01"))},
            "figure entropies: .*got datetime64 in when",
        ),
        ({"table": TABLE[:0]}, "figure entropies: a table has rows"),
        ({"alt": " "}, "alt must be a text, got ' '; for example alt="),
        ({"by": "splits"}, "the table has no column splits; did you mean split"),
        (
            {"by": "kind", "each": {"y": ["a"]}},
            "panels come from one column .*got by='kind' and each=.'y'.; drop",
        ),
        ({"name": "a/b"}, "may contain letters, digits, - and _ only, got 'a/b'"),
        ({"color": np.arange(2)}, "figure entropies: .*not JSON serializable"),
    ],
)
def test_what_could_not_be_drawn_again_is_refused_and_nothing_is_written(changes, message):
    with pytest.raises(parameters.ParameterError, match=message):
        card(**({"name": "entropies"} | changes))
    assert not stored().exists()


@pytest.mark.parametrize(
    ("table", "n", "message"),
    [
        ([1, 2], "2", "figure f: the table must be a pandas DataFrame, got list"),
        (TABLE, 12, "n must be a text, got 12; for example"),
        (TABLE, " ", "n must be a text, got ' '; for example"),
    ],
)
def test_wrong_types_are_refused_also_where_annotations_are_not_executed(table, n, message):
    with pytest.raises(parameters.ParameterError, match=message):
        figure_card._check("f", {"alt": "alt", "n": n, "caption": ""})
        drawing.check_panels("f", table, "", {})


def test_files_that_are_no_cards_are_refused_in_a_line(tmp_path):
    card()
    path, beside = stored() / "entropies.json", stored() / "entropies.csv"
    about = json.loads(path.read_text())

    def redraw():
        done = CliRunner().invoke(cli.main, ["redraw", str(path)])
        assert done.exit_code and "Traceback" not in done.output
        return done.output

    path.write_text(
        json.dumps(about | {"drawing": about["drawing"] | {"plot": "lexurn.figures.plots.curve"}})
    )
    assert "no plot function lexurn.figures.plots.curve; did you mean curves?" in redraw()
    path.write_text(json.dumps(about | {"drawing": about["drawing"] | {"pictures": 2}}))
    assert "are not the JSON and CSV of a figure card" in redraw() and "pictures" in redraw()
    path.write_text("[]")
    assert "are not the JSON and CSV of a figure card" in redraw()
    path.write_text(json.dumps(about))
    beside.unlink()
    assert "entropies.csv" in redraw()


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "posixpath.join",
        "lexurn.base.files.os.system",  # no such module
        "lexurn.base.files:os.system",
        "lexurn.runs.delete",
        "lexurn.runs.store.delete",  # a function of its module, which does not draw
        "lexurn.figures.plots.style",
        "lexurn.figures.plots.Axes",
        "lexurn.chapters.geometry.plots.curves",  # it is another module's
        "lexurn.__main__.main",
        f"{__name__}.planted",  # it draws, and is not of lexurn
        "",
    ],
)
def test_a_card_that_names_another_function_than_a_plot_of_lexurn_is_refused(name, tmp_path):
    card()
    path = stored() / "entropies.json"
    about = json.loads(path.read_text())
    command = ["redraw", str(path), "--out", str(tmp_path / "again")]
    assert CliRunner().invoke(cli.main, command).exit_code == 0  # a plot of a chapter's own
    path.write_text(json.dumps(about | {"drawing": about["drawing"] | {"plot": name}}))
    planted.calls = 0
    done = CliRunner().invoke(cli.main, command)
    assert done.exit_code == 2 and done.output.count("\n") == 1
    assert name in done.output and planted.calls == 0
    if name.endswith("planted"):
        assert CliRunner().invoke(cli.main, [*command, "--trust"]).exit_code == 0
        assert planted.calls == 2  # PNG and SVG


def planted(table, axes):
    planted.calls += 1
    return axes


def test_a_card_cannot_ask_for_a_picture_that_fills_the_memory():
    drawing.Drawing(plot="x", size=(40, 40))
    with pytest.raises(ValueError, match="less than or equal to 40"):
        drawing.Drawing(plot="x", size=(4, 400))


def notebook(*datas, widgets=None):
    """An executed notebook whose only cell showed these, with these widgets."""
    outputs = [new_output("display_data", data) for data in datas]
    metadata = {"widgets": {cards.WIDGETS: {"state": widgets}}} if widgets else {}
    return new_notebook(cells=[new_code_cell("\nshow()", outputs=outputs)], metadata=metadata)


def test_pictures_around_a_card_are_found_wherever_they_are():
    made = card(**FINDING)
    html, png = made.html(), re.search(r'src="([^"]*)"', made.html())[1]
    other = re.search(r'src="([^"]*)"', card(TABLE[:3], name="other").html())[1]
    without_card = (
        "cell 1 of 1, `show()`: shows a picture without a card; "
        "draw it by lexurn.figure(plot_function, table, ...)"
    )
    fine = notebook(
        made._repr_mimebundle_(),
        {"text/html": f'<img alt="" src="{png}">'},
        {"text/plain": "<img src=x>"},
    )
    assert list(cards.find_lint(fine)) == [] and count_pictures(fine) == 2
    for wrong in (
        {"image/png": "iVBORw0KGgo="},
        {"image/svg+xml": "<svg></svg>"},
        {"text/html": f'<img src="{other}">'},
        {"text/html": f'<img src="{png}">'},  # it is the card's, but the card is not shown
        {"text/html": '<img src="file.png">'},
        {"text/html": "<div><svg></svg></div>"},
        {"text/html": "<canvas id='c'></canvas>"},
        {"text/markdown": "![alt](file.png)"},
    ):
        is_own = wrong.get("text/html", "").endswith(f'{png}">')
        beside = [] if is_own else [made._repr_mimebundle_()]
        assert list(cards.find_lint(notebook(wrong, *beside))) == [without_card], wrong
    model = {"model_name": "HTMLModel", "state": {"value": f'<img src="{other}">'}}
    (finding,) = cards.find_lint(notebook(made._repr_mimebundle_(), widgets={"1": model}))
    assert finding.startswith("a widget: shows a picture without a card")
    output = {
        "model_name": "OutputModel",
        "state": {"outputs": [{"data": {"image/png": "iVBORw0KGgo="}}]},
    }
    assert len(list(cards.find_lint(notebook(widgets={"1": output})))) == 1
    image = {"model_name": "ImageModel", "state": {"_model_name": "ImageModel"}}
    assert len(list(cards.find_lint(notebook(widgets={"1": image})))) == 1
    within = {"model_name": "HTMLModel", "state": {"value": html}}
    assert list(cards.find_lint(notebook(made.bundle(), widgets={"1": within}))) == []
    assert len(list(cards.find_lint(notebook(widgets={"1": within})))) == 1


def test_two_figures_of_a_chapter_have_two_names():
    one, same = card(**FINDING), card(TABLE[:3], **FINDING)
    two = card(TABLE[:3], name="two", **FINDING)
    (finding,) = cards.find_lint(notebook(one.bundle(), same.bundle()))
    assert finding == (
        "2 figures have the name entropies; give every figure its own by figure(..., name=...)"
    )
    assert list(cards.find_lint(notebook(one.bundle(), two.bundle()))) == []


def test_a_figure_shows_itself_with_its_text(capsys):
    assert lexurn.figure is figure_card.figure
    with pytest.raises(AttributeError, match="has no attribute 'figur'"):
        lexurn.figur  # noqa: B018
    lexurn.figure(data_plots.entropies, TABLE, **TEXTS)
    assert "figure entropies: Entropies, one line per kind." in capsys.readouterr().out
    text = card(alt='A "quoted" <alt>').html()
    assert 'alt="A &quot;quoted&quot; &lt;alt&gt;"' in text and "<alt>" not in text
    nbformat.validate(notebook({"text/html": text}))


def test_a_caption_is_shown_and_read_and_links_stand_outside_the_folded_card():
    caption = FINDING["caption"]
    drawn = card(caption=caption)
    (read,) = read_cards(notebook(drawn._repr_mimebundle_()))
    assert (
        read["about"]["caption"] == caption
        and f"<figcaption>{caption}</figcaption>" in drawn.html()
    )
    assert "<figcaption>" not in card().html()
    summary = re.search(r"<summary.*?</summary>", drawn.html(), re.DOTALL)[0]
    assert "<a " not in summary and drawn.html().count("<a ") == 2
    nbformat.validate(notebook(drawn._repr_mimebundle_()))
