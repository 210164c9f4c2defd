"""Plot functions that several chapters share. Each takes a DataFrame and Axes, draws, and returns the Axes.

Nothing is computed here. What only one chapter draws stands in `lexurn.chapters.<chapter>.plots`; colours, styles and
panels stand in `lexurn.figures.style`.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import seaborn
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lexurn.figures.style import (
    COLORS,
    LINE_COLORS,
    LINE_MARKERS,
    LINE_STYLES,
    NAMES,
    RELATIVE,
    STYLES,
    ends,
    label,
    log_steps,
)

FEW = 8
"""So many places on a logarithmic axis are named one by one."""


def curves(
    table: pd.DataFrame,
    axes: Axes,
    *,
    x: str,
    y: str = "mean",
    line: str = "who",
    log: Sequence[str] = (),
    within: Sequence[float] = (),
) -> Axes:
    """A line for each value of a column, with two standard errors where the table has them (`sem`).

    What is named in `log` has a logarithmic axis; bands stay `within` two values. At most eight lines.
    """
    for (value, mine), color, style in zip(
        line_groups(table, line), LINE_COLORS, LINE_STYLES, strict=False
    ):
        axes.plot(mine[x], mine[y], color=color, linestyle=style, label=str(value))
        if "sem" in mine and mine["sem"].notna().any():
            low, high = mine[y] - 2 * mine["sem"], mine[y] + 2 * mine["sem"]
            low, high = (each.clip(*within) for each in (low, high)) if within else (low, high)
            axes.fill_between(
                mine[x],
                low.clip(lower=mine[y] / 10) if y in log else low,
                high,
                color=color,
                alpha=0.15,
                lw=0,
            )
    axes.set(xlabel=label(x), ylabel=label(y))
    for name, scale in ((x, axes.set_xscale), (y, axes.set_yscale)):
        if name in log:
            scale("log")
    if x not in log and pd.api.types.is_integer_dtype(table[x]):
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    if x in log and len(places := sorted(table[x].unique())) <= FEW:
        axes.set_xticks(places, labels=[f"{place:g}" for place in places])
        axes.xaxis.minorticks_off()
    if len(axes.get_shared_y_axes().get_siblings(axes)) > 1:
        axes.label_outer()
    return axes


def agreement(table: pd.DataFrame, axes: Axes, *, x: str = "formula", y: str = "model") -> Axes:
    """What came against what a formula says: points, and the line on which they agree."""
    low, high = min(table[x].min(), table[y].min()), max(table[x].max(), table[y].max())
    axes.plot([low, high], [low, high], color="0.6", linestyle="--", linewidth=1)
    axes.plot(table[x], table[y], ".", color="0.1", alpha=0.4, ms=5)
    axes.set(xlabel=label(x), ylabel=label(y), aspect="equal")
    return axes


def estimates(table: pd.DataFrame, axes: Axes, *, x: str) -> Axes:
    """Estimates with their intervals, a line each, in a shape for each `what`. `table`: of, what, low, high, and x."""
    order = list(table["of"].unique())
    groups = line_groups(table, "what")
    for place, ((what, mine), color, marker) in enumerate(
        zip(groups, LINE_COLORS, LINE_MARKERS, strict=False)
    ):
        y = [order.index(each) + 0.7 * ((place + 0.5) / len(groups) - 0.5) for each in mine["of"]]
        bars = [mine[x] - mine["low"], mine["high"] - mine[x]]
        axes.errorbar(mine[x], y, xerr=bars, fmt=marker, color=color, ms=5, lw=1, label=what)
    axes.set(
        yticks=range(len(order)), yticklabels=order, ylim=(len(order) - 0.5, -0.5), xlabel=label(x)
    )
    axes.locator_params(axis="x", nbins=6)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    return axes


def line_groups(table: pd.DataFrame, column: str) -> list[tuple[Any, pd.DataFrame]]:
    """Not more than can be told apart: ValueError."""
    groups = list(table.groupby(column, sort=False))
    if len(groups) > len(LINE_COLORS):
        raise ValueError(
            f"{len(groups)} values of {column} cannot be told apart, at most {len(LINE_COLORS)}; draw fewer"
        )
    return groups


def training(metrics: pd.DataFrame, axes: Axes, *, view: str) -> Axes:
    """Along one training, the `losses`, or the distances to the references, on fresh urns or on words in distribution.
    `metrics`: as logged."""
    return losses(metrics, axes) if view == "losses" else distances_along_training(metrics, axes)


def losses(metrics: pd.DataFrame, axes: Axes) -> Axes:
    """Training and validation loss against the step. `metrics`: step, train_loss, validation_loss."""
    if "train_loss" in metrics:
        axes.plot(metrics["step"], metrics["train_loss"], color="0.6", marker=".", label="training")
    axes.plot(
        metrics["step"], metrics["validation_loss"], color="0.1", marker=".", label="validation"
    )
    axes.set(xlabel="step", ylabel="loss (nats a token)")
    axes.legend(frameon=False)
    return axes


def distances_along_training(
    metrics: pd.DataFrame, axes: Axes, *, split: str = "out_of_distribution"
) -> Axes:
    """Distance to each reference against the step, with a mark at the one whose weights are kept; of words, which have
    no such split and are infinitely far from their oracles, the regret in distribution.

    `metrics`: step, `<split>/symmetrized_kl/<reference>` (or regret), and best_step, the same in every line, or none.
    """
    measure = (
        "symmetrized_kl" if any("/symmetrized_kl/" in column for column in metrics) else "regret"
    )
    split = split if measure == "symmetrized_kl" else "in_distribution"
    for best_step in metrics.get("best_step", [])[:1]:
        axes.axvline(best_step, color="0.8", linewidth=4, zorder=0)
    for reference in NAMES:
        column = f"{split}/{measure}/{reference}"
        if column in metrics:
            axes.plot(
                metrics["step"],
                metrics[column],
                marker=".",
                label=NAMES[reference],
                **line_style(reference),
            )
    axes.set(xlabel="step")
    return distance_axis(axes) if measure == "symmetrized_kl" else _regrets(axes)


def relative_distances(
    histories: pd.DataFrame, axes: Axes, *, y: str = "relative_distance", log: bool = False
) -> Axes:
    """Relative distance along trainings: a thin line per urn, and the mean of each kind; from five urns on two
    standard errors. A regret may stand in its place (`y`), and steps on a logarithmic axis.

    `histories`: kind, step, seed, relative_distance (−1 at the generalizing, +1 at what this kind could memorize).
    """
    for kind, mine in histories.groupby("kind", sort=False):
        for _, line in mine.groupby("seed"):
            axes.plot(line["step"], line[y], color=COLORS[kind], alpha=0.25, linewidth=0.8)
        wide = {"label": kind, "linewidth": 2.2, **line_style(kind)}
        band = ("se", 2) if mine["seed"].nunique() >= 5 else None
        seaborn.lineplot(mine, x="step", y=y, errorbar=band, legend=False, ax=axes, **wide)
    axes.set(xlabel="step", ylabel=label(y) if y in RELATIVE else f"{label(y)} (nats)")
    if log:
        log_steps(axes)
    if y in RELATIVE:
        return ends(axes)
    axes.axhline(0, color="0.4", linestyle=":", linewidth=1)
    return axes


def distances_by_row(results: pd.DataFrame, axes: Axes, *, split: str) -> Axes:
    """Distance to each reference against the tokens seen, with two standard errors. `results`: the tidy table; where it
    holds no symmetrized KL, as of words, regrets are drawn."""
    words = not (results["measure"] == "symmetrized_kl").any()
    lines = results[
        (results["split"] == split)
        & (results["measure"] == ("regret" if words else "symmetrized_kl"))
    ]
    lines = lines[~lines["row"].isin(["last", "mean"])]
    for reference in NAMES:
        line = lines[lines["reference"] == reference]
        if len(line):
            seen = line["row"].astype(int)
            axes.plot(seen, line["mean"], label=NAMES[reference], **line_style(reference))
            _band(axes, seen, line["mean"], line["sem"], reference, log=not words)
    axes.set(xlabel="letters seen" if words else "balls seen")
    return _regrets(axes) if words else distance_axis(axes)


def distance_axis(axes: Axes) -> Axes:
    axes.set(ylabel="distance (nats)", yscale="log")
    if len(axes.get_shared_y_axes().get_siblings(axes)) > 1:
        axes.label_outer()
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(
        lambda x, _: f"{x:g}" if _is_short(axes) and f"{x:e}"[0] in "25" else ""
    )
    return axes


def _regrets(axes: Axes) -> Axes:
    axes.axhline(0, color="0.4", linestyle=":", linewidth=1)
    axes.set(ylabel="regret (nats a row)")
    if len(axes.get_shared_y_axes().get_siblings(axes)) > 1:
        axes.label_outer()
    return axes


def _is_short(axes: Axes) -> bool:
    """Less than two decades, where powers of ten alone would leave a log axis nearly bare."""
    low, high = axes.get_ylim()
    return bool(high < 100 * low)


def _band(
    axes: Axes, x: pd.Series, mean: pd.Series, sem: pd.Series, name: str, *, log: bool = True
) -> None:
    low = mean - 2 * sem
    low = low.clip(lower=mean / 10) if log else low  # log axes have no room for zero
    axes.fill_between(x, low, mean + 2 * sem, color=COLORS[name], alpha=0.2, linewidth=0)


def line_style(name: str) -> dict[str, Any]:
    return {"color": COLORS[name], "linestyle": STYLES[name]}


def predictions(table: pd.DataFrame, axes: Axes, *, names: Sequence[str] = ()) -> Axes:
    """One predictor on one sequence: a line per colour, and the balls as they came; or per token, by their `names`.

    `table`: row, color, probability, and ball (the colour that came at that row).
    """
    colors = ball_colors(table["color"].nunique())
    for color, line in table.groupby("color"):
        axes.plot(line["row"], line["probability"], color=colors[color], drawstyle="steps-mid")
        if not names:
            axes.text(
                line["row"].iloc[-1] + 1,
                line["probability"].iloc[-1],
                color,
                va="center",
                fontsize=7,
            )
    balls = table.drop_duplicates("row")
    for row, ball in balls[["row", "ball"]].values if names else ():
        axes.text(row, -0.16, names[ball], ha="center", va="center", fontsize=8)
    axes.scatter(
        balls["row"], [-0.06] * len(balls), c=[colors[ball] for ball in balls["ball"]], s=14
    )
    low = -0.22 if names else -0.12
    axes.set(xlabel="letters seen" if names else "balls seen", ylim=(low, 1), ylabel="probability")
    return axes


def ball_colors(n_colors: int) -> Sequence[Any]:
    """A colour for each colour of balls, from dark to light, so that they are told apart without colour too."""
    return [colormaps["viridis"](0.95 * color / max(n_colors - 1, 1)) for color in range(n_colors)]
