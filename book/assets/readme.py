"""The README's figure: `python book/assets/readme.py`, from the grids `headline` and `long` (44 runs, four colours).

It trains what is not trained yet: about twenty minutes on two cores.
"""

from pathlib import Path

import torch

from lexurn import plotting, sweeps, widgets
from lexurn.analysis import headline


def main() -> None:
    torch.set_num_threads(1)
    short = [point for point in sweeps.read("headline").points if point.task.n_colors == 4]
    long = sweeps.read("long").points
    found = widgets.get_all([*long, *short], jobs=2)
    figure, (left, right) = plotting.panels(2, width=5.2, height=3.6, sharey=True)
    plotting.against_entropy(headline.standings(found[len(long) :]), left)
    left.set_title(f"after {short[0].training.n_steps} steps, a point an urn", fontsize=10)
    for kind, along in headline.trajectories(found[: len(long)]).groupby("kind", sort=False):
        shares = along.pivot(index=["seed", "step"], columns="reference", values="share").reset_index()
        shares["relative_distance"] = shares["generalizing"] - shares["symmetrized"]
        plotting.relative_distances(shares[shares["step"] > 0], right, kind=kind)
    plotting.log_steps(right).set_title("along ten times as many, thin: an urn", fontsize=10)
    right.set_ylabel("")
    plotting.ends(left)
    plotting.ends(right)
    key = {"title": "model", "frameon": False, "loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
    right.legend(*left.get_legend_handles_labels(), **key)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=150, facecolor="white")


if __name__ == "__main__":
    main()
