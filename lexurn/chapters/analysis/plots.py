"""Many training urns: a faint point for each, and what they come to, with the interval over urns."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import seaborn
from matplotlib.axes import Axes

from lexurn.figures.plots import set_distance_axis, line_style
from lexurn.figures.style import (
    COLORS,
    GREYS,
    HATCHES,
    MARKERS,
    NAMES,
    RELATIVE,
    STYLES,
    draw_reference_ends,
    label,
    set_log_steps,
)

SHORT = {"generalizing": "G", "memorizing": "M", "symmetrized": "S"}


def scores(table: pd.DataFrame, axes: Axes) -> Axes:
    """Scores of models and exact predictors: of each urn, their mean, and hollow diamonds for what was published.

    `table`: who, mean, and what it is: `urn`, `mean over urns` with low and high, or `published` with spread.
    """
    parts = {what: lines for what, lines in table.groupby("what")}
    published = parts.get("published", table[:0])
    order = [
        name
        for name in (*MARKERS, "memorizing", "symmetrized", "generalizing")
        if name in set(table["who"])
    ]
    for place, who in enumerate(order):
        urns, means = (parts[what][parts[what]["who"] == who] for what in ("urn", "mean over urns"))
        _points(axes, float(place), urns["mean"], who)
        _interval(axes, place + 0.2, means, who)
    places = [order.index(who) - 0.22 for who in published["who"]]
    bars = [published["spread"].clip(upper=0.9 * published["mean"]), published["spread"]]
    style = {"fmt": "D", "mfc": "none", "color": "0.25", "ms": 6, "capsize": 2}
    if len(published):
        axes.errorbar(places, published["mean"], bars, label="published", **style)
        axes.legend(frameon=False, loc="lower left", title="± over sequences")
    axes.set(
        xticks=range(len(order)), xticklabels=[SHORT.get(who, who) for who in order], yscale="log"
    )
    axes.set(ylabel="KL(observed ‖ predictor), nats")
    return _outer(axes)


def shares(
    standings: pd.DataFrame,
    axes: Axes,
    *,
    references: Sequence[str] = ("generalizing", "symmetrized"),
) -> Axes:
    """Distances as multiples of d(G, S) for the same urn: a group of points for each reference, a column a kind.

    `standings`: kind, apart, to_<reference>.
    """
    kinds = list(standings["kind"].unique())
    for group, reference in enumerate(references):
        for number, kind in enumerate(kinds):
            mine = standings[standings["kind"] == kind]
            place = group + 0.26 * (number - (len(kinds) - 1) / 2)
            _points(
                axes,
                place,
                mine[f"to_{reference}"] / mine["apart"],
                kind,
                label=kind if group == 0 else None,
            )
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
    )
    axes.set(ylabel="distance / d(G, S)", xlim=(-0.5, len(references) - 0.5))
    return _outer(axes)


def against_entropy(standings: pd.DataFrame, axes: Axes) -> Axes:
    """Relative distance of each run, with its interval over sequences, against the entropy of its training urn.

    `standings`: kind, entropy (share of the largest), r, r_low, r_high, and control, the r of a G that hedges.
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
    for kind, mine in standings.dropna(subset="r").groupby("kind", sort=False):
        bars = [mine["r"] - mine["r_low"], mine["r_high"] - mine["r"]]
        axes.errorbar(
            mine["entropy"],
            mine["r"],
            bars,
            fmt=MARKERS[kind],
            color=COLORS[kind],
            label=kind,
            ms=5,
            lw=0.8,
        )
    axes.set(xlabel="entropy of the training urn / ln V", ylabel="relative distance")
    return draw_reference_ends(_outer(axes))


def by_setting(
    table: pd.DataFrame, axes: Axes, *, x: str, y: str, line: str = "kind", log: Sequence[str] = ()
) -> Axes:
    """A column against a setting: a faint point for each run, a line through the means for each value of `line`.

    From five runs a point on, the means have two standard errors. At most as many values as there are `GREYS`. What is
    named in `log` has a logarithmic axis.
    """
    values = list(table[line].unique())
    few = table.groupby([x, line])[y].count().min() < 5
    for value, grey in zip(values, GREYS[: len(values)], strict=True):
        mine = table[table[line] == value].dropna(subset=y)
        style: dict[str, Any] = (
            {"color": COLORS[value], "linestyle": STYLES[value]} if value in COLORS else dict(grey)
        )
        axes.plot(mine[x], mine[y], ".", color=style["color"], alpha=0.4, ms=5)
        style |= {"errorbar": None if few else ("se", 2), "label": str(value), "legend": False}
        seaborn.lineplot(mine, x=x, y=y, ax=axes, **style)
    if pd.api.types.is_numeric_dtype(table[x]):
        axes.set_xscale("log", base=2)
        axes.set_xticks(sorted(table[x].unique()))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
    axes.set(xlabel=label(x), ylabel=label(y))
    if y in log:
        axes.set(yscale="log")
    _outer(axes)
    return draw_reference_ends(axes) if y in RELATIVE else axes


def weights_along_training(trajectory: pd.DataFrame, axes: Axes) -> Axes:
    """Mixture weights along one training, stacked. `trajectory`: step, reference, weight."""
    wide = trajectory.pivot(index="step", columns="reference", values="weight")
    wide = wide[wide.index > 0]
    names = [name for name in COLORS if name in wide]
    style = {
        "colors": [COLORS[name] for name in names],
        "labels": [NAMES.get(name, name) for name in names],
    }
    areas = axes.stackplot(wide.index, wide[names].T, **style)
    for area, hatch in zip(areas, HATCHES, strict=False):
        area.set(hatch=hatch, edgecolor="white", linewidth=0)
    axes.set(xlabel="step", ylabel="weight", ylim=(0, 1), xlim=(wide.index[0], wide.index[-1]))
    return _outer(set_log_steps(axes))


def _outer(axes: Axes) -> Axes:
    """Plain numbers, and those of a shared axis once."""
    if axes.get_yscale() == "log":
        axes.yaxis.set_major_formatter("{x:g}")
    if len(axes.get_shared_y_axes().get_siblings(axes)) > 1:
        axes.label_outer()
    return axes


def _points(
    axes: Axes, place: float, values: pd.Series, who: str, *, label: str | None = None
) -> None:
    spread = [place + 0.03 * (number % 5 - 2) for number in range(len(values))]
    axes.plot(
        spread,
        values,
        MARKERS.get(who, "_"),
        color=COLORS[who],
        alpha=0.5,
        ms=5,
        mew=1.2,
        label=label,
        ls="",
    )


def _interval(axes: Axes, place: float, mean: pd.DataFrame, who: str) -> None:
    for value, low, high in mean[["mean", "low", "high"]].values:
        bars = None if pd.isna(low) else [[value - low], [high - value]]
        edge = {"mec": "black"} if who in MARKERS else {"mew": 3, "ms": 12}
        axes.errorbar(
            place,
            value,
            bars,
            **{"fmt": MARKERS.get(who, "_"), "color": COLORS[who], "ms": 8, "capsize": 3} | edge,
        )


def distances_along(trajectory: pd.DataFrame, axes: Axes) -> Axes:
    """The same from a tidy table, against steps on a logarithmic axis. `trajectory`: step, reference, distance."""
    for reference in NAMES:
        line = trajectory[trajectory["reference"] == reference]
        if len(line):
            axes.plot(
                line["step"], line["distance"], label=NAMES[reference], **line_style(reference)
            )
    axes.set(xlabel="step")
    return set_distance_axis(set_log_steps(axes))
