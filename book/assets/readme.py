"""The README's figure: `python book/assets/readme.py` (24 runs of the chapter's defaults, a few minutes).

A normal and a lexical model for each of 12 training urns: distance of their predictions on fresh urns to the exact
predictors along training, mean and two standard errors over the urns.
"""

from pathlib import Path

import pandas as pd

from lexurn import plotting, runs

N_URNS = 12


def main() -> None:
    figure, axes = plotting.panels(2, sharey=True)
    for lex, ax in zip([False, True], axes, strict=True):
        histories = [runs.get({"lex": lex, "seed": seed}).metrics for seed in range(N_URNS)]
        over_urns = pd.concat(histories).groupby("step")
        plotting.distances_along_training(over_urns.mean().reset_index(), ax, sem=over_urns.sem().reset_index())
        ax.set_title(f"{'lexical' if lex else 'normal'} models, {N_URNS} urns")
    plotting.legend(axes[-1])
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=150, facecolor="white")


if __name__ == "__main__":
    main()
