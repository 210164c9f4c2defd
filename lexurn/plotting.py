"""Pictures of tables. Each function takes a DataFrame and Axes, draws, and returns the Axes; nothing is computed here.

Colours are those of Okabe & Ito, told apart by colour-blind readers; every line also has a style of its own, for print.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, to_rgb

COLORS = {
    "normal": "#0072B2",
    "lexical": "#D55E00",
    "permuted": "#56B4E9",
    "generalizing": "#009E73",
    "memorizing": "#CC79A7",
    "symmetrized": "#E69F00",
    "uniform": "#7F7F7F",
}
STYLES: dict[str, Any] = {
    "normal": "-",
    "lexical": (0, (5, 1)),
    "permuted": (0, (3, 1, 1, 1, 1, 1)),
    "generalizing": "--",
    "memorizing": ":",
    "symmetrized": (0, (6, 1, 1, 1)),
    "uniform": (0, (1, 3)),
}
GREYS: list[dict[str, Any]] = [
    {"color": "0.1", "linestyle": "-"},
    {"color": "0.45", "linestyle": "--"},
    {"color": "0.65", "linestyle": ":", "linewidth": 2.5},
]
"""Lines that stand for no model and no predictor."""

MARKERS = {"normal": "o", "lexical": "s", "permuted": "^"}
HATCHES = ["", "//", "..", "\\\\"]

NAMES = {"generalizing": "generalizing (G)", "memorizing": "memorizing (M)", "symmetrized": "symmetrized (S)"}


def losses(metrics: pd.DataFrame, axes: Axes) -> Axes:
    """Training and validation loss against the step. `metrics`: step, train_loss, validation_loss."""
    if "train_loss" in metrics:
        axes.plot(metrics["step"], metrics["train_loss"], color="0.6", marker=".", label="training")
    axes.plot(metrics["step"], metrics["validation_loss"], color="0.1", marker=".", label="validation")
    axes.set(xlabel="step", ylabel="loss (nats per ball)")
    axes.legend(frameon=False)
    return axes


def distances_along_training(
    metrics: pd.DataFrame, axes: Axes, *, split: str = "out_of_distribution", best_step: int | None = None
) -> Axes:
    """Distance to each reference against the step, with a mark at the one whose weights are kept.

    `metrics`: step and `<split>/symmetrized_kl/<reference>`.
    """
    if best_step is not None:
        axes.axvline(best_step, color="0.8", linewidth=4, zorder=0)
    for reference in NAMES:
        column = f"{split}/symmetrized_kl/{reference}"
        if column in metrics:
            axes.plot(metrics["step"], metrics[column], marker=".", label=NAMES[reference], **_line(reference))
    axes.set(xlabel="step", title=split.replace("_", " "))
    return _distances(axes)


def relative_distances(histories: pd.DataFrame, axes: Axes, *, kind: str) -> Axes:
    """Relative distance along training: a thin line per urn, and their mean; from five urns on two standard errors.

    `histories`: step, seed, relative_distance (−1 at the generalizing, +1 at the kind's own memorizing predictor).
    """
    for _, line in histories.groupby("seed"):
        axes.plot(line["step"], line["relative_distance"], color=COLORS[kind], alpha=0.25, linewidth=0.8)
    wide = {"label": kind, "linewidth": 2.2, **_line(kind)}
    band = ("se", 2) if histories["seed"].nunique() >= 5 else None
    seaborn.lineplot(histories, x="step", y="relative_distance", errorbar=band, legend=False, ax=axes, **wide)
    axes.set(xlabel="step", ylabel="relative distance")
    return axes


def ends(axes: Axes) -> Axes:
    """The two ends of relative distance, as lines with their names, over what is drawn already."""
    for value, name in ((-1, "generalizing (G)"), (1, "memorizing (M for normal, S for the others)")):
        axes.axhline(value, color="0.4", linestyle=":", linewidth=1)
        axes.text(axes.get_xlim()[1], value + 0.05, name, ha="right", va="bottom", fontsize=8, color="0.3")
    return axes


def distances_by_row(results: pd.DataFrame, axes: Axes, *, split: str) -> Axes:
    """Distance to each reference against the balls seen, with two standard errors. `results`: the tidy table."""
    lines = results[(results["split"] == split) & (results["measure"] == "symmetrized_kl")]
    lines = lines[~lines["row"].isin(["last", "mean"])]
    for reference in NAMES:
        line = lines[lines["reference"] == reference]
        if len(line):
            seen = line["row"].astype(int)
            axes.plot(seen, line["mean"], label=NAMES[reference], **_line(reference))
            _band(axes, seen, line["mean"], line["sem"], reference)
    axes.set(xlabel="balls seen", title=split.replace("_", " "))
    return _distances(axes)


def predictions(table: pd.DataFrame, axes: Axes, *, who: str) -> Axes:
    """One predictor on one sequence: a line per colour, and the balls as they came.

    `table`: predictor, row, color, probability, and ball (the colour that came at that row).
    """
    mine = table[table["predictor"] == who]
    colors = ball_colors(mine["color"].nunique())
    for color, line in mine.groupby("color"):
        axes.plot(line["row"], line["probability"], color=colors[color], drawstyle="steps-mid")
        axes.text(line["row"].iloc[-1] + 1, line["probability"].iloc[-1], color, va="center", fontsize=7)
    balls = mine.drop_duplicates("row")
    axes.scatter(balls["row"], [-0.06] * len(balls), c=[colors[ball] for ball in balls["ball"]], s=14)
    axes.set(title=NAMES.get(who, who), xlabel="balls seen", ylim=(-0.12, 1), ylabel="probability")
    return axes


def simplex(urns: pd.DataFrame, axes: Axes, **style: Any) -> Axes:
    """Urns of three colours as points in a triangle, whose corners are urns of one colour. `urns`: columns 0, 1, 2."""
    height = 3**0.5 / 2
    axes.plot([0, 1, 0.5, 0], [0, 0, height, 0], color="0.5", linewidth=1)
    axes.scatter(urns[1] + urns[2] / 2, urns[2] * height, **style)
    for color, (x, y) in enumerate([(-0.05, -0.05), (1.05, -0.05), (0.5, height + 0.05)]):
        _ball(axes, x, y, color, ball_colors(3))
    axes.set(aspect="equal")
    axes.axis("off")
    return axes


def urns(pool: pd.DataFrame, axes: Axes) -> Axes:
    """Proportions of the colours, a bar an urn. `pool`: a row an urn, a column a colour."""
    colors = ball_colors(pool.shape[1])
    pool.plot.barh(stacked=True, ax=axes, color=colors, legend=False, width=0.8)
    for color, bars in enumerate(axes.containers):
        texts = [color if bar.get_width() > 0.06 else "" for bar in bars]
        axes.bar_label(bars, texts, label_type="center", color=_on(colors[color]), fontsize=7, weight="bold")
    axes.set(xlabel="proportion", ylabel="urn", xlim=(0, 1), ylim=(max(len(pool), 12) - 0.5, -0.5))
    return axes


def balls(tokens: pd.DataFrame, axes: Axes) -> Axes:
    """Sequences as rows of balls, each with its colour's number. `tokens`: a row a sequence, a column a place."""
    colors = ball_colors(int(tokens.max(axis=None)) + 1)
    for line, (_, sequence) in enumerate(tokens.iterrows()):
        for place, ball in enumerate(sequence):
            _ball(axes, place, line, ball, colors)
    axes.set(
        xlabel="ball",
        yticks=range(len(tokens)),
        yticklabels=tokens.index,
        ylim=(len(tokens) - 0.4, -0.6),
        xlim=(-0.8, None),
    )
    return axes


def entropies(table: pd.DataFrame, axes: Axes) -> Axes:
    """How often an entropy is reached at most, a line per kind. `table`: kind, entropy (nats)."""
    for (kind, line), color in zip(table.groupby("kind", sort=False), GREYS, strict=False):
        seaborn.ecdfplot(line, x="entropy", ax=axes, label=kind, **color)
    axes.set(xlabel="entropy (nats)", ylabel="share at most as large")
    return axes


def discrimination(table: pd.DataFrame, axes: Axes) -> Axes:
    """Distances as a map, colours across and urns down, shaded from 0.001 to 1 nat.

    `table`: n_colors, n_tasks, mean, sem.
    """
    pairs = zip(table["mean"], table["sem"], strict=True)
    table = table.assign(text=[f"{mean:.2g}\n±{sem:.1g}" for mean, sem in pairs])
    wide, text = (table.pivot(index="n_tasks", columns="n_colors", values=name) for name in ("mean", "text"))
    options = {"cbar": False, "cmap": "cividis", "linewidths": 1, "annot_kws": {"fontsize": 8}}
    seaborn.heatmap(wide, annot=text, fmt="", ax=axes, norm=LogNorm(1e-3, 1), **options)
    axes.set(xlabel="colours V", ylabel="urns in the pool D")
    return axes


def distances_by_context(table: pd.DataFrame, axes: Axes) -> Axes:
    """Distance up to a context length, a line per number of colours. `table`: n_colors, row, mean_to, sem_to."""
    shades = seaborn.color_palette("cividis", table["n_colors"].nunique())
    for (n_colors, line), shade, dash in zip(table.groupby("n_colors"), shades, STYLES.values(), strict=False):
        axes.plot(line["row"], line["mean_to"], color=shade, linestyle=dash, label=f"V = {n_colors}")
        low, high = line["mean_to"] - 2 * line["sem_to"], line["mean_to"] + 2 * line["sem_to"]
        axes.fill_between(line["row"], low, high, color=shade, alpha=0.15, linewidth=0)
    axes.set(xlabel="context length C", ylabel="distance (nats)", xscale="log", ylim=(0, None))
    axes.xaxis.set_major_formatter("{x:g}")
    return axes


def distances_by_kind(results: pd.DataFrame, axes: Axes, *, split: str) -> Axes:
    """Distance to each reference, a point a run with two standard errors. `results`: tidy tables with kind and seed."""
    lines = results[(results["split"] == split) & (results["measure"] == "symmetrized_kl") & (results["row"] == "mean")]
    runs = lines[["kind", "seed"]].drop_duplicates()
    for place, (kind, seed) in enumerate(runs.itertuples(index=False)):
        line = lines[(lines["kind"] == kind) & (lines["seed"] == seed)]
        x = [list(NAMES).index(name) + 0.6 * ((place + 0.5) / len(runs) - 0.5) for name in line["reference"]]
        label = kind if seed == runs["seed"].iloc[0] else None
        low = (2 * line["sem"]).clip(upper=0.9 * line["mean"])
        axes.errorbar(x, line["mean"], [low, 2 * line["sem"]], fmt=MARKERS[kind], color=COLORS[kind], label=label, ms=5)
    axes.set(title=split.replace("_", " "), xlim=(-0.5, len(NAMES) - 0.5), xticks=range(len(NAMES)))
    axes.set_xticklabels(["G", "M", "S"])
    return _distances(axes)


def mixtures(table: pd.DataFrame, axes: Axes) -> Axes:
    """Mixture weights as stacked bars, a bar a model. `table`: who, reference, weight."""
    wide = table.pivot(index="who", columns="reference", values="weight").loc[table["who"].unique()]
    wide = wide[[name for name in COLORS if name in wide]]
    bars = wide.plot.barh(stacked=True, ax=axes, color=[COLORS[name] for name in wide], legend=False, width=0.7)
    for container, hatch in zip(bars.containers, HATCHES, strict=False):
        for bar in container:
            bar.set(hatch=hatch, edgecolor="white")
    axes.invert_yaxis()
    axes.set(xlabel="weight", ylabel="", xlim=(0, 1))
    return axes


def legend(axes: Axes, *, title: str = "distance to") -> Axes:
    """A key beside the panel, where it hides nothing; for the last panel of a figure."""
    axes.legend(frameon=False, title=title, loc="upper left", bbox_to_anchor=(1.0, 1.0), handlelength=3.2)
    return axes


def panels(n: int, *, height: float = 3.2, width: float = 4.2, sharey: bool = False) -> tuple[plt.Figure, list[Axes]]:
    """A figure with `n` panels side by side on transparent ground."""
    figure, axes = plt.subplots(1, n, figsize=(width * n, height), layout="constrained", squeeze=False, sharey=sharey)
    figure.patch.set_alpha(0)
    for each in axes[0]:
        each.spines[["top", "right"]].set_visible(False)
        each.patch.set_alpha(0)
    return figure, list(axes[0])


def ball_colors(n_colors: int) -> Sequence[Any]:
    """A colour for each colour of balls, from dark to light, so that they are told apart without colour too."""
    return [plt.colormaps["viridis"](0.95 * color / max(n_colors - 1, 1)) for color in range(n_colors)]


def _ball(axes: Axes, x: float, y: float, color: int, colors: Sequence[Any]) -> None:
    """A ball with its colour's number."""
    axes.scatter(x, y, color=colors[color], s=90)
    style: dict[str, Any] = {"ha": "center", "va": "center_baseline", "fontsize": 7, "weight": "bold"}
    axes.text(x, y, color, color=_on(colors[color]), **style)


def _on(color: Any) -> str:
    """Black or white, whichever is read on a ground of this colour."""
    red, green, blue = to_rgb(color)
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.55 else "black"


def _distances(axes: Axes) -> Axes:
    axes.set(ylabel="distance (nats)", yscale="log")
    if len(axes.get_shared_y_axes().get_siblings(axes)) > 1:
        axes.label_outer()
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(lambda x, _: f"{x:g}" if _is_short(axes) and f"{x:e}"[0] in "25" else "")
    return axes


def _is_short(axes: Axes) -> bool:
    """Less than two decades, where powers of ten alone would leave a log axis nearly bare."""
    low, high = axes.get_ylim()
    return high < 100 * low


def _band(axes: Axes, x: pd.Series, mean: pd.Series, sem: pd.Series, name: str) -> None:
    low = (mean - 2 * sem).clip(lower=mean / 10)  # log axes have no room for zero
    axes.fill_between(x, low, mean + 2 * sem, color=COLORS[name], alpha=0.2, linewidth=0)


def _line(name: str) -> dict[str, Any]:
    return {"color": COLORS[name], "linestyle": STYLES[name]}
