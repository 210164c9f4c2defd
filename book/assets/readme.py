"""The README's figure: `python book/assets/readme.py` (24 runs of 3 000 steps, about 15 minutes on one core).

A normal and a lexical model for each of 12 training urns. Their relative distance on fresh urns, along training: −1 is
the generalizing predictor G, +1 the memorizing one, which is M for a normal and S for a lexical model.
"""

from pathlib import Path

import pandas as pd
import torch

from lexurn import comparison, plotting, runs

N_URNS, N_STEPS = 12, 3000


def history(kind: str, seed: int) -> pd.DataFrame:
    """One model's relative distance at each evaluation, divided by its own urn's distance between the references."""
    flat = {"lex": kind == "lexical", "seed": seed, "n_steps": N_STEPS, "eval_every": 250, "schedule": "cosine"}
    run = runs.get(flat)
    ends = run.references["generalizing"], run.references[run.settings.memorizing]
    apart = comparison.over_rows(comparison.distance(*ends, run.splits["out_of_distribution"])).mean().item()
    options = {"memorizing": run.settings.memorizing, "apart": apart, "split": "out_of_distribution"}
    return comparison.along_training(run.metrics, **options).assign(seed=seed)


def main() -> None:
    torch.set_num_threads(1)
    figure, (axes,) = plotting.panels(1, width=7.0, height=3.6)
    for kind in ("normal", "lexical"):
        histories = pd.concat([history(kind, seed) for seed in range(N_URNS)])
        plotting.relative_distances(histories[histories["step"] > 0], axes, kind=kind)
    plotting.ends(axes)
    plotting.legend(axes, title=f"{N_URNS} urns each")
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=150, facecolor="white")


if __name__ == "__main__":
    main()
