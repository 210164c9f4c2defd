"""Our figures beside those that were published."""

import pandas as pd
from matplotlib.axes import Axes


def bands(table: pd.DataFrame, axes: Axes) -> Axes:
    """A line a claim: its band in grey, what was published as a diamond, ours as a point with two standard errors.

    `table`: claim, published, low, high, ours, error, all above zero.
    """
    lines = range(len(table))
    axes.barh(lines, table["high"] - table["low"], left=table["low"], color="0.85", height=0.7, label="band for ours")
    axes.plot(table["published"], lines, "D", mfc="none", color="0.25", ms=6, ls="", label="published")
    bars = [(2 * table["error"]).clip(upper=0.9 * table["ours"]), 2 * table["error"]]
    axes.errorbar(table["ours"], lines, xerr=bars, fmt=".", color="#D55E00", ms=7, label="ours, ± 2 standard errors")
    axes.set(yticks=lines, yticklabels=table["claim"], ylim=(len(table) - 0.4, -0.6), xscale="log", xlabel="nats")
    axes.tick_params("y", labelsize=8)
    low, high = axes.get_xlim()
    axes.set_xticks([value for value in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2) if low <= value <= high])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3)
    return axes
