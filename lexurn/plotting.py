"""Pictures of tables. Each function takes a DataFrame and Axes, draws, and returns the Axes; nothing is computed here.

Colours are those of Okabe & Ito, told apart by colour-blind readers; every line also has a style of its own, for print.
"""

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import seaborn
from matplotlib.axes import Axes

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
BALLS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#7F7F7F"]
"""Colours of the balls themselves, in order of the vocabulary."""

NAMES = {"generalizing": "generalizing (G)", "memorizing": "memorizing (M)", "symmetrized": "symmetrized (S)"}


def losses(metrics: pd.DataFrame, axes: Axes) -> Axes:
    """Training and validation loss against the step. `metrics`: step, train_loss, validation_loss."""
    if "train_loss" in metrics:
        axes.plot(metrics["step"], metrics["train_loss"], color="0.6", marker=".", label="training")
    axes.plot(metrics["step"], metrics["validation_loss"], color="0.1", marker=".", label="validation")
    axes.set(xlabel="step", ylabel="loss (nats per ball)")
    axes.legend(frameon=False)
    return axes


def distances_along_training(metrics: pd.DataFrame, axes: Axes, *, split: str = "out_of_distribution") -> Axes:
    """Distance to each reference against the step. `metrics`: step and `<split>/symmetrized_kl/<reference>`."""
    for reference in NAMES:
        column = f"{split}/symmetrized_kl/{reference}"
        if column in metrics:
            axes.plot(metrics["step"], metrics[column], marker=".", label=NAMES[reference], **_line(reference))
    axes.set(xlabel="step", title=split.replace("_", " "))
    return _distances(axes)


def relative_distances(histories: pd.DataFrame, axes: Axes, *, kind: str) -> Axes:
    """Relative distance along training: a thin line per urn, and their mean with two standard errors.

    `histories`: step, seed, relative_distance (−1 at the generalizing, +1 at the kind's own memorizing predictor).
    """
    for _, line in histories.groupby("seed"):
        axes.plot(line["step"], line["relative_distance"], color=COLORS[kind], alpha=0.25, linewidth=0.8)
    wide = {"label": kind, "linewidth": 2.2, **_line(kind)}
    seaborn.lineplot(histories, x="step", y="relative_distance", errorbar=("se", 2), legend=False, ax=axes, **wide)
    axes.set(xlabel="step", ylabel="relative distance")
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
    n_colors = mine["color"].nunique()
    colors = BALLS if n_colors <= len(BALLS) else seaborn.husl_palette(n_colors)
    for color, line in mine.groupby("color"):
        axes.plot(line["row"], line["probability"], color=colors[color], drawstyle="steps-mid")
    balls = mine.drop_duplicates("row")
    axes.scatter(balls["row"], [-0.06] * len(balls), c=[colors[ball] for ball in balls["ball"]], s=14)
    axes.set(title=NAMES.get(who, who), xlabel="balls seen", ylim=(-0.12, 1), ylabel="probability")
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
    return figure, list(axes[0])


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
