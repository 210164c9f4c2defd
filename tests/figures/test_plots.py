"""Plots show the table that they are given, and differ in more than colour."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb, to_rgba

from lexurn import evaluation, tasks
from lexurn.base import paths
from lexurn.chapters.analysis import plots as analysis_plots
from lexurn.chapters.data import plots as data_plots
from lexurn.chapters.strategies import plots as strategies_plots
from lexurn.chapters.train import plots as train_plots
from lexurn.figures import drawing, looks, plots, style
from lexurn.figures.live_urn import next_ball
from lexurn.settings.resolver import check

JUDGED = {"split": "out_of_distribution", "measure": "symmetrized_kl"}


@pytest.fixture
def axes():
    _, (axes,) = style.panels(1)
    return axes


@pytest.fixture(scope="module")
def scene():
    settings = check({"n_test_samples": 10, "context_length": 6})
    return tasks.build(settings).references(), tasks.build(settings).held_out()


def test_scores_show_every_urn_the_mean_and_what_was_published(axes):
    urns = pd.DataFrame(
        {"who": ["lexical"] * 6 + ["symmetrized"] * 6, "mean": np.linspace(0.1, 0.2, 12)}
    )
    bounds = {"low": [0.1, 0.17], "high": [0.14, 0.19]}
    means = pd.DataFrame({"who": ["lexical", "symmetrized"], "mean": [0.12, 0.18], **bounds})
    published = pd.DataFrame({"who": ["lexical"], "mean": [0.14], "spread": [0.11]})
    parts = {"urn": urns, "mean over urns": means, "published": published}
    table = pd.concat(lines.assign(what=what) for what, lines in parts.items())
    analysis_plots.scores(table, axes, label="score")
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "lexical",
        "S",
    ] and axes.get_yscale() == "log"
    drawn = [line.get_ydata() for line in axes.lines]
    np.testing.assert_allclose(drawn[0], urns["mean"][:6])
    assert any(list(each) == [0.14] for each in drawn) and axes.get_legend_handles_labels()[1] == [
        "published"
    ]


def test_relative_distances_are_drawn_with_their_ends_on_a_linear_axis(axes):
    urns = pd.DataFrame({"who": ["original tables"] * 2, "mean": [-0.5, 0.5], "what": "urn"})
    means = pd.DataFrame(
        {"who": ["original tables"], "mean": [0.0], "low": [np.nan], "high": [np.nan]}
    )
    table = pd.concat([urns, means.assign(what="mean over urns")])
    analysis_plots.scores(table, axes, label="relative distance", log=False)
    assert axes.get_yscale() == "linear" and "original" in axes.get_xticklabels()[0].get_text()
    assert [line.get_ydata()[0] for line in axes.lines[-2:]] == [-1, 1]


def test_shares_are_drawn_for_every_urn(axes):
    standing = pd.DataFrame(
        {
            "kind": ["lexical", "lexical", "permuted"],
            "apart": [0.1, 0.2, 0.1],
            "to_generalizing": [0.05, 0.05, 0.1],
            "to_symmetrized": [0.1, 0.1, 0.01],
        }
    )
    analysis_plots.shares(standing, axes)
    lexical_to_g = next(line for line in axes.lines if line.get_label() == "lexical")
    np.testing.assert_allclose(lexical_to_g.get_ydata(), [0.5, 0.25])


def test_rows_are_drawn_as_they_stand_in_the_table(axes, scene):
    references, held = scene
    table = evaluation.evaluate(references["generalizing"], references, held)
    assert plots.distances_by_row(table, axes, split="out_of_distribution") is axes
    lines = dict(zip(list(style.NAMES)[:3], axes.lines, strict=True))
    wanted = [
        evaluation.select(table, split="out_of_distribution", row=str(row)).loc[
            "memorizing", "mean"
        ]
        for row in range(7)
    ]
    np.testing.assert_allclose(lines["memorizing"].get_ydata(), wanted)
    assert lines["memorizing"].get_xdata().tolist() == list(range(7))


def test_rows_without_distances_are_drawn_as_regrets(axes):
    rows = [{"row": str(row), "mean": 0.1 * row - 0.2, "sem": 0.1} for row in range(4)]
    table = pd.DataFrame(rows).assign(split="in_distribution", measure="regret", reference="oracle")
    plots.distances_by_row(table, axes, split="in_distribution")
    assert axes.get_ylabel() == "regret (nats a row)" and axes.get_yscale() == "linear"


def test_distances_along_training_are_drawn_as_they_were_logged(axes):
    metrics = pd.DataFrame({"step": [0, 5], "validation_loss": [2.0, 1.0]})
    metrics["out_of_distribution/symmetrized_kl/memorizing"] = [0.3, 0.2]
    train_plots.distances(metrics.assign(best_step=5), axes, **JUDGED)
    mark, line = axes.lines
    assert list(mark.get_xdata()) == [5, 5] and line.get_ydata().tolist() == [0.3, 0.2]


def test_claims_are_drawn_with_their_bands_and_what_was_published(axes):
    table = pd.DataFrame(
        {"claim": ["a", "b"], "published": [0.1, np.nan], "low": [0.05, 0.2], "high": [0.2, 0.4]}
    )
    data_plots.bands(table.assign(ours=[0.12, 0.5], error=[0.01, 0.1]), axes)
    assert [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches] == [
        (0.05, 0.2),
        (0.2, 0.4),
    ]
    published, ours = axes.lines
    assert published.get_xdata()[0] == 0.1 and ours.get_xdata().tolist() == [0.12, 0.5]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]


def test_predictions_are_drawn_with_one_line_per_color(axes, scene):
    references, held = scene
    table = evaluation.predict_sequence(references, held["out_of_distribution"][:1])
    train_plots.predictions(table[table["predictor"] == "memorizing"], axes)
    assert len(axes.lines) == 4
    for line, probability in zip(axes.lines, references["memorizing"].urns[0], strict=True):
        np.testing.assert_allclose(line.get_ydata(), probability)


def contrast(color, background):
    """The contrast ratio of two colours by WCAG 2, from 1 to 21."""

    def luminance(color):
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)
        ]
        return np.dot([0.2126, 0.7152, 0.0722], linear)

    low, high = sorted([luminance(color), luminance(background)])
    return (high + 0.05) / (low + 0.05)


def test_every_mark_is_seen_on_a_light_and_on_a_dark_page():
    assert contrast("black", "white") == pytest.approx(21)
    assert contrast("#E69F00", "white") < 3 and contrast("#1F3B73", "#121212") < 3
    colors = [look.color for look in (*looks.LOOKS.values(), *looks.FREE_LOOKS)]
    colors += [grey["color"] for grey in style.GREYS]
    colors += [ball for n in range(1, 13) for ball in style.ball_colors(n)]
    assert [color for color in colors if contrast(color, "white") < 3] == []
    assert [color for color in colors if contrast(looks.dark(color), "#121212") < 3] == []
    css = (paths.root() / "book" / "_static" / "lexurn.css").read_text()
    assert css.count("filter: invert(0.92) hue-rotate(180deg);") == 1 == css.count("filter:")
    assert looks.dark("#ff0000") == "#ff8f8f" and looks.dark("white") == "#141414"


GROUPS = [
    ["generalizing", "memorizing", "symmetrized", "uniform", "oracle", "relabelled"],
    ["normal", "lexical", "permuted", "generalizing", "memorizing", "symmetrized"],
    ["transformer", "rotary", "no positions", "lstm", "mamba", "xlstm", "linear"],
    ["transformer", "lstm", "mamba", "mamba without convolution", "xlstm", "linear"],
    ["models", "account", "baseline"],
    ["pre SwiGLU", "pre GELU", "post SwiGLU", "post GELU"],
    ["exact", "default", "no BOS", "lexical", "tiny"],
    ["greedy", "sampled", "best ever, finished only"],
    ["tails", "heads"],
    [1, 2, 4, 8, 16, 32, 64, 128],
    ["lexical", "lexical lstm", "permuted", "mixture over names"],
]


@pytest.mark.parametrize("names", GROUPS)
def test_names_of_one_figure_differ_in_colour_and_in_dash_and_in_marker(names):
    given = looks.looks(names)
    assert list(given) == names
    for part in ("color", "dash", "marker"):
        assert len({str(getattr(look, part)) for look in given.values()}) == len(names), part


def test_a_name_looks_the_same_whatever_else_a_figure_shows():
    table = pd.DataFrame(
        {"model": ["lstm", "new", "linear", "transformer"], "step": 0, "mean": 1.0}
    )
    for rows in (table, table[::-1], table[:1]):
        _, (axes,) = style.panels(1)
        plots.curves(rows, axes, x="step", line="model")
        drawn = {line.get_label(): line.get_color() for line in axes.lines}
        assert drawn["lstm"] == looks.LOOKS["lstm"].color


def test_plots_take_all_colours_but_grey_and_maps_from_the_one_dictionary():
    found = {
        (path.name, color)
        for path in [*paths.LIBRARY.rglob("*.py"), *paths.root().glob("book/*.py")]
        if path.name != "looks.py"
        for color in re.findall(r"\"(?:#[0-9A-Fa-f]{6}|C[0-9]|tab:\w+)\"", path.read_text())
    }
    assert found == set()


def test_known_names_keep_their_look_and_unknown_names_get_one_of_their_own():
    unknown = ["chain", "independent", "unigram", "bigram"]
    given = [style.line_style(name) for name in unknown]
    pairs = {(look["color"], str(look["linestyle"])) for look in given}
    assert len(pairs) == len(unknown)
    assert style.line_style("generalizing") == {
        "color": looks.LOOKS["generalizing"].color,
        "linestyle": looks.LOOKS["generalizing"].dash,
    }
    assert style.display_name("memorizing") == "memorizing (M)"
    assert style.display_name("two_chains") == "two chains"
    assert style.order_names(["chain", "symmetrized", "a", "generalizing", "chain"]) == [
        "generalizing",
        "symmetrized",
        "chain",
        "a",
    ]


def test_references_of_unknown_name_are_drawn_after_the_known_ones(axes):
    names = ["independent", "generalizing", "chain"]
    metrics = pd.DataFrame({"step": [0, 5], "validation_loss": [2.0, 1.0]})
    for number, name in enumerate(names):
        metrics[f"out_of_distribution/symmetrized_kl/{name}"] = [0.3 + number, 0.2]
        metrics[f"out_of_distribution/symmetrized_kl/{name}/last"] = 9.0
    train_plots.distances(metrics, axes, **JUDGED)
    shown = ["generalizing (G)", "independent", "chain"]
    assert [line.get_label() for line in axes.lines] == shown
    assert [line.get_ydata()[0] for line in axes.lines] == [1.3, 0.3, 2.3]
    assert [line.get_color() for line in axes.lines[1:]] == [
        style.line_style("independent")["color"],
        style.line_style("chain")["color"],
    ]
    axes.clear()
    rows = [
        {"reference": name, "row": row, "mean": 1.0 + number, "sem": 0.1}
        for number, name in enumerate(names)
        for row in ("0", "1", "mean")
    ]
    table = pd.DataFrame(rows).assign(split="test", measure="symmetrized_kl")
    plots.distances_by_row(table, axes, split="test")
    assert [line.get_label() for line in axes.lines] == shown
    assert axes.lines[2].get_ydata().tolist() == [3.0, 3.0]
    axes.clear()
    rows = [{"kind": "renamed", "seed": 0, "step": step, "regret": 0.5} for step in (0, 10)]
    analysis_plots.relative_distances(pd.DataFrame(rows), axes, y="regret")
    assert axes.lines[0].get_color() == style.line_style("renamed")["color"]


def test_no_line_is_dropped_and_more_lines_than_looks_are_refused(axes):
    table = pd.DataFrame(
        {"who": [*map(str, range(8))] * 2, "step": [0] * 8 + [1] * 8, "mean": range(16)}
    )
    plots.curves(table, axes, x="step")
    assert (
        len(axes.lines) == 8
        and len({(line.get_color(), str(line.get_linestyle())) for line in axes.lines}) == 8
    )
    more = pd.concat([table, table.assign(who="another")])
    with pytest.raises(ValueError, match="at most 8 values, got 9: 0, .*, another; draw fewer"):
        plots.curves(more, axes, x="step")


def test_a_map_has_a_cell_for_each_step_and_diversity_and_its_transitions_on_the_right_rows(axes):
    steps, cells = [20, 60, 400], []
    for n_tasks in (4, 16):
        cells += [
            {"n_tasks": n_tasks, "step": step, "v": n_tasks / step, "what": "cell"}
            for step in steps
        ]
    cells[0]["v"] = np.nan
    lines = [
        {"n_tasks": 16, "step": 90, "what": "half way"},
        {"n_tasks": 64, "step": 90, "what": "account"},
    ]
    strategies_plots.diversity_map(pd.DataFrame(cells + lines), axes, value="v", low=0.0, high=1.0)
    (mesh,) = axes.collections
    np.testing.assert_allclose(
        mesh.get_array().filled(-1).flatten()[:4], [-1, 4 / 60, 4 / 400, 16 / 20]
    )
    assert [each.get_text() for each in axes.get_yticklabels()] == [
        "4",
        "16",
    ] and axes.get_xscale() == "log"
    (text,) = axes.get_legend().get_texts()[1:]
    assert text.get_text() == "undetermined" and axes.patch.get_hatch() is None
    (half,) = axes.lines  # 64 urns have no row
    assert (half.get_xdata()[0], half.get_ydata()[0], half.get_label()) == (90, 1, "half way")


@pytest.mark.parametrize("is_shared", [True, False])
def test_panels_of_other_diversities_have_labels_of_their_own(is_shared):
    _, both = plt.subplots(1, 2, sharey=is_shared)
    for axes, pools in zip(both, ((1, 8), (1, 8) if is_shared else (2, 4)), strict=True):
        table = pd.DataFrame({"n_tasks": pools * 2, "step": [20, 20, 60, 60], "v": 0.5})
        table = table.assign(what="cell")
        strategies_plots.diversity_map(table, axes, value="v", low=0.0, high=1.0)
    texts = [label.get_text() for label in both[1].get_yticklabels() if label.get_visible()]
    is_labelled = both[1].yaxis.get_major_ticks()[0].label1.get_visible()
    assert is_labelled != is_shared and (is_shared or texts == ["2", "4"])
    plt.close()


def test_compositions_are_stacked_and_the_account_draws_their_bounds(axes):
    lines = [
        {"step": step, "reference": name, "weight": weight, "who": who}
        for who, first in (("models", 0.2), ("account", 0.4))
        for step in (20, 200)
        for name, weight in (("uniform", first), ("generalizing", 0.5), ("memorizing", 0.5 - first))
    ]
    strategies_plots.compositions(pd.DataFrame(lines), axes)
    tops = [area.get_paths()[0].vertices[:, 1].max() for area in axes.collections]
    assert tops == pytest.approx([0.2, 0.7, 1.0]) and axes.get_legend_handles_labels()[1][:2] == [
        "uniform",
        "generalizing (G)",
    ]
    assert [line.get_ydata()[0] for line in axes.lines] == pytest.approx([0.4, 0.9])


def test_many_panels_stand_in_rows():
    for n, rows, columns in ((1, 1, 1), (2, 1, 2), (4, 2, 2), (5, 3, 2), (8, 4, 2)):
        figure, axes = style.panels(n, width=2.0, height=1.0)
        assert len(axes) == len(figure.axes) == n and figure.get_size_inches().tolist() == [
            2 * columns,
            rows,
        ]


def test_a_key_takes_no_room_where_there_is_a_place_for_it():
    for n, takes in ((4, True), (5, False), (6, True)):
        _, axes = style.panels(n)
        axes[-1].plot([0, 1], label="one")
        assert style.draw_legend(axes[-1]).get_legend().get_in_layout() == takes


def test_a_panel_above_an_empty_place_names_its_axis():
    _, axes = style.panels(5, sharey=True)
    for each in axes:
        each.set_xlabel("step")
        each.label_outer()
    assert [each.get_xlabel() for each in axes] == ["", "", "", "", "step"]
    style.label_lowest_panels(axes)
    assert [each.get_xlabel() for each in axes] == ["", "", "", "step", "step"]
    assert axes[3].xaxis.get_tick_params()["labelbottom"]


@pytest.mark.parametrize("row", [0, 1, 6])
def test_the_legend_of_predictions_names_each_bar_by_its_own_colour(scene, axes, row):
    references, held_out = scene
    tokens = held_out["out_of_distribution"][:1]
    table = evaluation.predict_sequence(references, tokens)
    data_plots.predictions_after(table, axes, row=row)
    legend = axes.get_legend()
    shown = {
        text.get_text(): patch.get_facecolor()
        for text, patch in zip(legend.get_texts(), legend.get_patches(), strict=True)
    }
    assert shown == {style.NAMES[name]: to_rgba(style.COLORS[name]) for name in references}
    (balls,) = (points.get_offsets() for points in axes.collections)  # none is cut off
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    assert len(balls) == row and all(left < x < right and low < y < high for x, y in balls)


def test_bars_of_the_next_ball_stand_side_by_side_and_have_its_probabilities(scene, axes):
    references, held_out = scene
    table = evaluation.predict_sequence(references, held_out["out_of_distribution"][:1])
    table = table[table["row"] == 3]
    n_colors = table["color"].nunique()
    next_ball(table, axes, names=[f"c{v}" for v in range(n_colors)])
    for name, bars in zip(references, axes.containers, strict=True):
        rows = table[table["predictor"] == name]
        assert [bar.get_height() for bar in bars] == pytest.approx(rows["probability"].tolist())
        assert bars[0].get_facecolor() == to_rgba(style.COLORS[name])
        assert [round(bar.get_center()[0]) for bar in bars] == [*range(n_colors)]
    lefts = sorted(bar.get_x() for bars in axes.containers for bar in bars)
    width = axes.containers[0][0].get_width()
    assert all(right - left > 0.999 * width for left, right in zip(lefts, lefts[1:], strict=False))


def test_tokens_with_dollar_signs_are_drawn_as_they_are():
    rows = [(row, color, 0.5, row % 2) for row in (0, 1) for color in (0, 1)]
    table = pd.DataFrame(rows, columns=["row", "color", "probability", "ball"])
    names = {"names": ["$x_{", "$\\frac$"]}
    how = drawing.Drawing(
        plot="lexurn.chapters.train.plots.predictions", keywords=names, title="$$"
    )
    assert drawing.draw(how, table)
    with pytest.raises(ValueError, match="frac"):  # by the settings of matplotlib
        drawing.as_png(drawing.plot_page(how, train_plots.predictions, [("", table, names)]))
