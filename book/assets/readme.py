"""The README's figure: `python book/assets/readme.py`, from the grids `headline`, `long` and `early` (56 runs).

It trains what is not trained yet: about twenty minutes on two cores.
"""

from pathlib import Path

import torch

from lexurn.chapters.analysis import headline
from lexurn.chapters.analysis import plots as analysis_plots
from lexurn.figures import plots, style, widgets
from lexurn.runs import sweeps


def main() -> None:
    torch.set_num_threads(1)
    short = [point for point in sweeps.read("headline").points if point.task.n_colors == 4]
    points = {"long": sweeps.read("long").points, "early": sweeps.read("early").points, "headline": short}
    every = [point for some in points.values() for point in some]
    found = dict(zip(every, widgets.get_all(every, jobs=2), strict=True))
    models = {name: [found[point] for point in some] for name, some in points.items()}
    figure, (left, right) = style.panels(2, width=5.2, height=3.6, sharey=True)
    analysis_plots.against_entropy(headline.standings(models["headline"]), left)
    left.set_title(f"after {short[0].training.n_steps} steps, a point an urn", fontsize=10)
    trajectory = headline.join_trajectories(*(headline.trajectories(models[name]) for name in ("early", "long")))
    plots.relative_distances(headline.relative_distances(trajectory), right, log=True)
    right.set_title("along ten times as many, thin: an urn", fontsize=10)
    right.set_ylabel("")
    key = {"title": "model", "frameon": False, "loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
    right.legend(*left.get_legend_handles_labels(), **key)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=150, facecolor="white")


if __name__ == "__main__":
    main()
