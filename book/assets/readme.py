"""The README's figure: `python book/assets/readme.py`, from the grids `headline`, `long` and `early` (56 runs).

It trains what is not trained yet: about twenty minutes on two cores.
"""

from math import exp
from pathlib import Path

import pandas as pd
import torch

from lexurn.chapters.analysis import headline
from lexurn.chapters.analysis import plots as analysis_plots
from lexurn.figures import plots, style, widgets
from lexurn.measures import intervals
from lexurn.runs import cache, sweeps


def main() -> None:
    torch.set_num_threads(1)
    short = [point for point in sweeps.read("headline").points if point.task.n_colors == 4]
    points = {"long": sweeps.read("long").points, "early": sweeps.read("early").points, "headline": short}
    every = [point for some in points.values() for point in some]
    found = dict(zip(every, widgets.get_all(every, jobs=2), strict=True))
    models = {name: [found[point] for point in some] for name, some in points.items()}
    figure, (left, right) = style.panels(2, width=5.2, height=3.6)
    standing = cache.table(headline.memorized, models["headline"])
    standing["mean"] = standing["deficit"].map(exp)
    means = headline.over_urns(standing, "mean", by=["kind"], interval=intervals.geometric_mean)
    drawn = pd.concat([standing.assign(what="urn"), means.assign(what="mean over urns")])
    analysis_plots.scores(drawn.rename(columns={"kind": "who"}), left, label="missing share, 1 − captured")
    left.set_title(f"after {short[0].training.n_steps} steps, one point per urn", fontsize=10)
    trajectory = headline.join_trajectories(*(cache.table(headline.along, models[name]) for name in ("early", "long")))
    plots.relative_distances(trajectory[trajectory["split"] == "in distribution"], right, log=True)
    right.set_title("along ten times the steps, thin: one urn", fontsize=10)
    key = {"title": "model", "frameon": False, "loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
    right.legend(*right.get_legend_handles_labels(), **key)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=150, facecolor="white")


if __name__ == "__main__":
    main()
