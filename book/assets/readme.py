"""The figure of the landing page and the README: `python book/assets/readme.py`, from runs of chapters 4 and 5.

It trains what is not trained yet: about half an hour on two cores.
"""

from pathlib import Path

import pandas as pd
import torch

from lexurn.base.wording import percent
from lexurn.chapters.analysis import headline
from lexurn.chapters.names import summaries
from lexurn.figures import looks, style, widgets
from lexurn.runs import cache, sweeps

COLORS = {name: looks.LOOKS[name].color for name in ("normal", "permuted", "lexical")}
ROWS = {  # labels, and the colour of each bar
    "normal": ("names never change", COLORS["normal"]),
    "N4": ("4 names, shuffled", COLORS["permuted"]),
    "N8 all": ("any 4 of 8 names", "0.5"),
    "N16 all": ("any 4 of 16 names", "0.5"),
    "N32 all": ("any 4 of 32 names", COLORS["lexical"]),
    "early": ("five of the urns:\n2000 steps", COLORS["lexical"]),
    "longer": ("20 000 steps", COLORS["lexical"]),
}


def captured() -> pd.DataFrame:
    """Return what models of each row have captured of the memorizer's advantage: value, low, high, n."""
    short = [point for point in sweeps.read("headline").points if point.task.n_colors == 4]
    of_headline = [point for point in short if point.kind == "normal"]
    longer = [point for point in sweeps.read("long").points if point.kind == "lexical"]
    grid = sweeps.read("names_alphabets")
    points = [*short, *longer, *grid.points]
    models = dict(zip(points, widgets.get_all(points, jobs=2), strict=True))
    deficits = {}
    for row, some in (("normal", of_headline), ("longer", longer)):
        table = cache.table(headline.memorized, [models[point] for point in some])
        deficits[row] = table["deficit"]
    names = summaries.by_urn(summaries.stand(grid, models))
    deficits |= {row: names[row] for row in ROWS if row in names}
    seeds = [point.training.seed for point in longer]
    lexical = [point for point in short if point.kind == "lexical" and point.training.seed in seeds]
    deficits["early"] = cache.table(headline.memorized, [models[point] for point in lexical])[
        "deficit"
    ]
    rows = []
    for row in ROWS:
        share = summaries.factor(deficits[row])
        rows.append(
            {
                "row": row,
                "value": 1 - share.value,
                "low": 1 - share.high,
                "high": 1 - share.low,
                "n": share.n,
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    torch.set_num_threads(1)
    table = captured()
    figure, (axes,) = style.panels(1, width=5.2, height=3.9)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    places = [
        number + 0.5 * (number > 4) for number in range(len(table))
    ]  # the last two stand apart
    for number, row in zip(places, table.itertuples(), strict=True):
        axes.barh(number, row.value, color=ROWS[row.row][1], height=0.66)
        axes.plot([row.low, row.high], [number, number], color="0.1", linewidth=1.3)
        text = "100 %" if row.value > 0.995 else percent(row.value)
        axes.text(
            max(row.high, 0) + 0.03, number, text, va="center", fontsize=10, weight="bold", bbox=box
        )
    axes.set(
        yticks=places,
        ylim=(places[-1] + 0.5, -0.5),
        xlim=(-0.75, 1.2),
        xticks=[0, 0.5, 1],
    )
    axes.set_yticklabels([label for label, _ in ROWS.values()], fontsize=10)
    axes.set_xticklabels(["0 %\nbest counter", "50 %", "100 %\nbest possible"], fontsize=10)
    axes.spines["left"].set_visible(False)
    axes.tick_params("y", length=0)
    axes.axvline(0, color="0.3", linewidth=1)
    axes.axvline(1, color="0.3", linewidth=1, linestyle=":")
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=150, facecolor="white")
    print(table.assign(missing=1 - table["value"]).to_string())


if __name__ == "__main__":
    main()
