"""Losses, distances and weights: where models stand among the exact predictors, and how far those are apart."""

from typing import Any

import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from lexurn.plotting.style import COLORS, HATCHES, MARKERS, NAMES, RELATIVE, STYLES, ends, label, log_steps


def training(metrics: pd.DataFrame, axes: Axes, *, view: str) -> Axes:
    """Along one training, the `losses`, or the distances to the references, on fresh urns or on words in distribution.
    `metrics`: as logged."""
    return losses(metrics, axes) if view == "losses" else distances_along_training(metrics, axes)


def losses(metrics: pd.DataFrame, axes: Axes) -> Axes:
    """Training and validation loss against the step. `metrics`: step, train_loss, validation_loss."""
    if "train_loss" in metrics:
        axes.plot(metrics["step"], metrics["train_loss"], color="0.6", marker=".", label="training")
    axes.plot(metrics["step"], metrics["validation_loss"], color="0.1", marker=".", label="validation")
    axes.set(xlabel="step", ylabel="loss (nats a token)")
    axes.legend(frameon=False)
    return axes


def distances_along_training(metrics: pd.DataFrame, axes: Axes, *, split: str = "out_of_distribution") -> Axes:
    """Distance to each reference against the step, with a mark at the one whose weights are kept; of words, which have
    no such split and are infinitely far from their oracles, the regret in distribution.

    `metrics`: step, `<split>/symmetrized_kl/<reference>` (or regret), and best_step, the same in every line, or none.
    """
    measure = "symmetrized_kl" if any("/symmetrized_kl/" in column for column in metrics) else "regret"
    split = split if measure == "symmetrized_kl" else "in_distribution"
    for best_step in metrics.get("best_step", [])[:1]:
        axes.axvline(best_step, color="0.8", linewidth=4, zorder=0)
    for reference in NAMES:
        column = f"{split}/{measure}/{reference}"
        if column in metrics:
            axes.plot(metrics["step"], metrics[column], marker=".", label=NAMES[reference], **_line(reference))
    axes.set(xlabel="step")
    return _distances(axes) if measure == "symmetrized_kl" else _regrets(axes)


def distances_along(trajectory: pd.DataFrame, axes: Axes) -> Axes:
    """The same from a tidy table, against steps on a logarithmic axis. `trajectory`: step, reference, distance."""
    for reference in NAMES:
        line = trajectory[trajectory["reference"] == reference]
        if len(line):
            axes.plot(line["step"], line["distance"], label=NAMES[reference], **_line(reference))
    axes.set(xlabel="step")
    return _distances(log_steps(axes))


def relative_distances(histories: pd.DataFrame, axes: Axes, *, y: str = "relative_distance", log: bool = False) -> Axes:
    """Relative distance along trainings: a thin line per urn, and the mean of each kind; from five urns on two
    standard errors. A regret may stand in its place (`y`), and steps on a logarithmic axis.

    `histories`: kind, step, seed, relative_distance (−1 at the generalizing, +1 at what this kind could memorize).
    """
    for kind, mine in histories.groupby("kind", sort=False):
        for _, line in mine.groupby("seed"):
            axes.plot(line["step"], line[y], color=COLORS[kind], alpha=0.25, linewidth=0.8)
        wide = {"label": kind, "linewidth": 2.2, **_line(kind)}
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
    lines = results[(results["split"] == split) & (results["measure"] == ("regret" if words else "symmetrized_kl"))]
    lines = lines[~lines["row"].isin(["last", "mean"])]
    for reference in NAMES:
        line = lines[lines["reference"] == reference]
        if len(line):
            seen = line["row"].astype(int)
            axes.plot(seen, line["mean"], label=NAMES[reference], **_line(reference))
            _band(axes, seen, line["mean"], line["sem"], reference, log=not words)
    axes.set(xlabel="letters seen" if words else "balls seen")
    return _regrets(axes) if words else _distances(axes)


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
    axes.set(xlim=(-0.5, 2.5), xticks=range(3))
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


def _distances(axes: Axes) -> Axes:
    axes.set(ylabel="distance (nats)", yscale="log")
    if len(axes.get_shared_y_axes().get_siblings(axes)) > 1:
        axes.label_outer()
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(lambda x, _: f"{x:g}" if _is_short(axes) and f"{x:e}"[0] in "25" else "")
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


def _band(axes: Axes, x: pd.Series, mean: pd.Series, sem: pd.Series, name: str, *, log: bool = True) -> None:
    low = mean - 2 * sem
    low = low.clip(lower=mean / 10) if log else low  # log axes have no room for zero
    axes.fill_between(x, low, mean + 2 * sem, color=COLORS[name], alpha=0.2, linewidth=0)


def _line(name: str) -> dict[str, Any]:
    return {"color": COLORS[name], "linestyle": STYLES[name]}
