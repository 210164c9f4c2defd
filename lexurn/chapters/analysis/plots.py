"""Plots of many training urns: a faint point per urn, and the mean with its interval over urns."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from lexurn.figures.style import (
    draw_zero,
    label,
    label_outer_if_shared,
    line_style,
    look,
    set_log_steps,
    step_label,
)

RELATIVE = ("r", "relative_distance")  # columns that hold relative distances

KINDS = ("normal", "permuted", "lexical", "original tables")
SHORT = {"generalizing": "G", "memorizing": "M", "symmetrized": "S"}
SHORT |= {"original tables": "lexical,\noriginal tables"}


def scores(table: pd.DataFrame, axes: Axes, *, label: str, log: bool = True) -> Axes:
    """Plot a score of models and exact predictors: each urn, their mean, and published scores.

    `table`: who, mean, and what: `urn`, `mean over urns` (with low and high) or `published` (with
    spread; hollow diamonds). Without `log`, the score is a relative distance.
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
        bars = np.array(
            [published["spread"].clip(upper=0.9 * published["mean"]), published["spread"]]
        )
        style = {"fmt": "D", "mfc": "none", "color": "0.25", "ms": 6, "capsize": 2}
        axes.errorbar(x, published["mean"], bars, label="published", **style)
        axes.legend(frameon=False, loc="lower left", title="± over sequences")
    axes.set(
        xticks=range(len(order)),
        xticklabels=[SHORT.get(who, who) for who in order],
        yscale="log" if log else "linear",
        ylabel=label,
    )
    return _label_outer(axes) if log else draw_reference_ends(label_outer_if_shared(axes))


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
        "the distance from G to S",
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


def _label_outer(axes: Axes) -> Axes:
    """Write plain numbers on a logarithmic axis, and label a shared axis once."""
    axes.yaxis.set_major_formatter("{x:g}")
    return label_outer_if_shared(axes)


def _points(axes: Axes, x: float, values: pd.Series, who: str, *, label: str | None = None) -> None:
    jittered = [x + 0.03 * (number % 5 - 2) for number in range(len(values))]
    axes.plot(
        jittered,
        values,
        look(who).marker,
        color=look(who).color,
        alpha=0.5,
        ms=5,
        mew=1.2,
        label=label,
        ls="",
    )


def _interval(axes: Axes, x: float, means: pd.DataFrame, who: str) -> None:
    style = {"fmt": look(who).marker, "color": look(who).color, "ms": 8, "capsize": 3}
    style |= {"mec": "black"} if who in KINDS else {"mew": 3, "ms": 12}
    for value, low, high in means[["mean", "low", "high"]].values:
        bars = None if pd.isna(low) else [[value - low], [high - value]]
        axes.errorbar(x, value, bars, **style)


def relative_distances(
    histories: pd.DataFrame, axes: Axes, *, y: str = "relative_distance", log: bool = False
) -> Axes:
    """Draw relative distance along training: one thin line per seed, one thick mean per kind.

    `histories` has kind, step, seed, perhaps n_tables, and `y`, which may also be a regret. Means
    are over runs with equal n_tables; over at least five seeds, they have a band of two standard
    errors. `log` gives a logarithmic step axis.
    """
    import seaborn  # not above: its import of scipy.stats takes a second

    by = [column for column in ("kind", "n_tables") if column in histories]
    for (kind, *_), rows in histories.groupby(by, sort=False):
        style = line_style(kind)
        for _, run in rows.groupby("seed"):
            axes.plot(run["step"], run[y], color=style["color"], alpha=0.25, linewidth=0.8)
        seaborn.lineplot(
            rows,
            x="step",
            y=y,
            errorbar=("se", 2) if rows["seed"].nunique() >= 5 else None,
            legend=False,
            label=kind,
            linewidth=2.2,
            ax=axes,
            **style,
        )
    ylabel = label(y) if y in RELATIVE else f"{label(y)} (nats)"
    axes.set(xlabel=step_label(histories), ylabel=ylabel)
    if log:
        set_log_steps(axes)
    return draw_reference_ends(axes) if y in RELATIVE else draw_zero(axes)


def draw_reference_ends(axes: Axes) -> Axes:
    """Draw and name the values −1 and +1 of the relative distance, after everything else."""
    ends = {-1: "generalizing (G)", 1: "memorizing (M for normal, S for the others)"}
    for value, name in ends.items():
        axes.axhline(value, color="0.4", linestyle=":", linewidth=1)
        right = axes.get_xlim()[1]
        axes.text(right, value + 0.05, name, ha="right", va="bottom", fontsize=8, color="0.3")
    return axes
