"""Plots of many training urns: a faint point per urn, and the mean with its interval over urns."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from lexurn.figures.style import (
    COLORS,
    GREYS,
    NAMES,
    RELATIVE,
    draw_reference_ends,
    label,
    label_outer_if_shared,
    line_style,
    look,
    set_distance_axis,
    set_hatches,
    set_log_steps,
    step_label,
)

KINDS = ("normal", "lexical", "permuted")
SHORT = {"generalizing": "G", "memorizing": "M", "symmetrized": "S"}


def scores(table: pd.DataFrame, axes: Axes) -> Axes:
    """Plot the scores of models and exact predictors: each urn, their mean, and published scores.

    `table`: who, mean, and what: `urn`, `mean over urns` (with low and high) or `published` (with
    spread; hollow diamonds).
    """
    parts = dict(list(table.groupby("what")))
    published = parts.get("published", table[:0])
    names = (*KINDS, "memorizing", "symmetrized", "generalizing")
    order = [name for name in names if name in set(table["who"])]
    for x, who in enumerate(order):
        urns, means = (parts[what][parts[what]["who"] == who] for what in ("urn", "mean over urns"))
        _points(axes, float(x), urns["mean"], who)
        _interval(axes, x + 0.2, means, who)
    if len(published):
        x = [order.index(who) - 0.22 for who in published["who"]]
        bars = [published["spread"].clip(upper=0.9 * published["mean"]), published["spread"]]
        style = {"fmt": "D", "mfc": "none", "color": "0.25", "ms": 6, "capsize": 2}
        axes.errorbar(x, published["mean"], bars, label="published", **style)
        axes.legend(frameon=False, loc="lower left", title="± over sequences")
    axes.set(
        xticks=range(len(order)),
        xticklabels=[SHORT.get(who, who) for who in order],
        yscale="log",
        ylabel="KL(observed ‖ predictor), nats",
    )
    return _label_outer(axes)


def shares(
    standings: pd.DataFrame,
    axes: Axes,
    *,
    references: Sequence[str] = ("generalizing", "symmetrized"),
) -> Axes:
    """Plot distances as multiples of d(G, S) for the same urn, grouped by reference and kind.

    `standings`: kind, apart, to_<reference>.
    """
    kinds = list(standings["kind"].unique())
    for group, reference in enumerate(references):
        for number, kind in enumerate(kinds):
            rows = standings[standings["kind"] == kind]
            x = group + 0.26 * (number - (len(kinds) - 1) / 2)
            share = rows[f"to_{reference}"] / rows["apart"]
            _points(axes, x, share, kind, label=kind if group == 0 else None)
    axes.axhline(1, color="0.4", linestyle=":", linewidth=1)
    axes.text(
        len(references) - 0.5,
        1.05,
        "as far as G from S",
        ha="right",
        va="bottom",
        fontsize=8,
        color="0.3",
    )
    axes.set(
        xticks=range(len(references)),
        xticklabels=[f"to {SHORT[name]}" for name in references],
        yscale="log",
        ylabel="distance / d(G, S)",
        xlim=(-0.5, len(references) - 0.5),
    )
    return _label_outer(axes)


def against_entropy(standings: pd.DataFrame, axes: Axes) -> Axes:
    """Plot the relative distance of each run against the entropy of its training urn.

    Bars are intervals over sequences. `standings`: kind, entropy (share of the maximum), r, r_low,
    r_high, control (the r of a hedging G).
    """
    for kind, hedging in standings[standings["kind"] != "normal"].groupby("kind", sort=False):
        label = f"hedging G as far as {kind}"
        axes.plot(
            hedging["entropy"],
            hedging["control"],
            "x",
            color=COLORS[kind],
            ms=5,
            label=label,
            zorder=0,
        )
    for kind, rows in standings.dropna(subset="r").groupby("kind", sort=False):
        bars = [rows["r"] - rows["r_low"], rows["r_high"] - rows["r"]]
        axes.errorbar(
            rows["entropy"],
            rows["r"],
            bars,
            fmt=look(kind).marker,
            color=COLORS[kind],
            label=kind,
            ms=5,
            lw=0.8,
        )
    axes.set(xlabel="entropy of the training urn / ln V", ylabel="relative distance")
    return draw_reference_ends(_label_outer(axes))


def by_setting(
    table: pd.DataFrame, axes: Axes, *, x: str, y: str, line: str = "kind", log: Sequence[str] = ()
) -> Axes:
    """Plot the column `y` against the setting `x`: a faint point per run, and a line of means.

    Each value of `line` has a line of its own, and there are at most `len(GREYS)` of them. Means
    of at least five runs have bars of two standard errors. The y axis is logarithmic if `log`
    names it.
    """
    import seaborn  # not above: its import of scipy.stats takes a second

    values = list(table[line].unique())
    has_few_runs = table.groupby([x, line])[y].count().min() < 5
    for value, grey in zip(values, GREYS[: len(values)], strict=True):
        rows = table[table[line] == value].dropna(subset=y)
        style: dict[str, Any] = line_style(value) if value in COLORS else dict(grey)
        axes.plot(rows[x], rows[y], ".", color=style["color"], alpha=0.4, ms=5)
        errorbar = None if has_few_runs else ("se", 2)
        style |= {"errorbar": errorbar, "label": str(value), "legend": False}
        seaborn.lineplot(rows, x=x, y=y, ax=axes, **style)
    if pd.api.types.is_numeric_dtype(table[x]):
        axes.set_xscale("log", base=2)
        axes.set_xticks(sorted(table[x].unique()))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
    axes.set(xlabel=label(x), ylabel=label(y))
    if y in log:
        axes.set(yscale="log")
    _label_outer(axes)
    return draw_reference_ends(axes) if y in RELATIVE else axes


def weights_along_training(trajectory: pd.DataFrame, axes: Axes) -> Axes:
    """Plot mixture weights along one training as areas. `trajectory`: step, reference, weight."""
    wide = trajectory.pivot(index="step", columns="reference", values="weight")
    wide = wide[wide.index > 0]
    names = [name for name in COLORS if name in wide]
    style = {
        "colors": [COLORS[name] for name in names],
        "labels": [NAMES.get(name, name) for name in names],
    }
    areas = axes.stackplot(wide.index, wide[names].T, **style)
    set_hatches(areas, names)
    limits = wide.index[0], wide.index[-1]
    axes.set(xlabel=step_label(trajectory), ylabel="weight", ylim=(0, 1), xlim=limits)
    return _label_outer(set_log_steps(axes))


def _label_outer(axes: Axes) -> Axes:
    """Write plain numbers on a logarithmic axis, and label a shared axis once."""
    if axes.get_yscale() == "log":
        axes.yaxis.set_major_formatter("{x:g}")
    return label_outer_if_shared(axes)


def _points(axes: Axes, x: float, values: pd.Series, who: str, *, label: str | None = None) -> None:
    jittered = [x + 0.03 * (number % 5 - 2) for number in range(len(values))]
    axes.plot(
        jittered,
        values,
        look(who).marker,
        color=COLORS[who],
        alpha=0.5,
        ms=5,
        mew=1.2,
        label=label,
        ls="",
    )


def _interval(axes: Axes, x: float, means: pd.DataFrame, who: str) -> None:
    style = {"fmt": look(who).marker, "color": COLORS[who], "ms": 8, "capsize": 3}
    style |= {"mec": "black"} if who in KINDS else {"mew": 3, "ms": 12}
    for value, low, high in means[["mean", "low", "high"]].values:
        bars = None if pd.isna(low) else [[value - low], [high - value]]
        axes.errorbar(x, value, bars, **style)


def distances_along(trajectory: pd.DataFrame, axes: Axes) -> Axes:
    """Plot distances over steps on a logarithmic axis. `trajectory`: step, reference, distance."""
    for reference, name in NAMES.items():
        rows = trajectory[trajectory["reference"] == reference]
        if len(rows):
            axes.plot(rows["step"], rows["distance"], label=name, **line_style(reference))
    axes.set(xlabel=step_label(trajectory))
    return set_distance_axis(set_log_steps(axes))
