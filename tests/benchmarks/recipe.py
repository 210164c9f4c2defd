"""How soon recipes bring a lexical model near G and S on fresh urns: seconds of training, evaluations not counted.

    python tests/benchmarks/recipe.py [--seeds 3] [--budget 60] [--out recipe.csv]

For each recipe and training urn, the time at which the distance (symmetrized KL, mean over rows) first falls to each
of a few values; "> budget" where it never did. `original` is that of the first Lexurn repository: N(0, 1) tables, tied,
unscaled, AdamW at 1e-4 without warm-up, dropout .1; `original, best rate` the same with the best of three rates.
"""

import argparse
import time

import pandas as pd
import torch

from lexurn import evaluation, experiment, parameters, predictors

CELL = {"lex": True, "n_colors": 4, "context_length": 32, "n_test_samples": 200, "n_steps": 10**6, "eval_every": 50}
ORIGINAL = {"vocabulary": "original", "warmup": 0, "dropout": 0.1}
RECIPES = {
    "original": ORIGINAL | {"learning_rate": 1e-4},
    "original, rate 1e-3": ORIGINAL | {"learning_rate": 1e-3},
    "original, rate 3e-3": ORIGINAL | {"learning_rate": 3e-3},
    **{
        f"{tables}, {optimizer}, {schedule}": {"vocabulary": tables, "optimizer": optimizer, "schedule": schedule}
        for tables in ("one_hot", "orthonormal", "gaussian_scaled")
        for optimizer in ("adamw", "muon")
        for schedule in ("constant", "inverse_sqrt")
    },
}
LEVELS = (0.2, 0.1, 0.05)


class OutOfTime(Exception):
    pass


def curve(flat: dict, budget: float) -> pd.DataFrame:
    """Distances to G and S along one training: seconds, step, generalizing, symmetrized."""
    settings = parameters.check(flat)
    ready = experiment.prepare(settings)
    splits = {"out_of_distribution": experiment.held_out(settings, ready.pool)["out_of_distribution"]}
    exact = experiment.references(settings, ready.pool)
    references = predictors.remembered({name: exact[name] for name in ("generalizing", "symmetrized")}, splits)
    lines, spent, began = [], 0.0, time.monotonic()

    def evaluate(_: object) -> dict[str, float]:
        nonlocal spent, began
        spent += time.monotonic() - began
        found = evaluation.evaluate(ready.predictor, references, splits)
        found = evaluation.select(found, split="out_of_distribution")["mean"]
        lines.append({"seconds": spent, "step": 50 * len(lines), **found})
        if spent > budget:
            raise OutOfTime
        began = time.monotonic()
        return {"validation_loss": 0.0}

    try:
        batches = experiment.batches(settings, ready.pool, device=ready.device)
        experiment.fit(ready, settings.training, batches, evaluate=evaluate, log=lambda *_: None)
    except OutOfTime:
        pass
    return pd.DataFrame(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budget", type=float, default=60.0, help="seconds of training for each")
    parser.add_argument("--out", default="", help="where the curves go, as CSV")
    parser.add_argument("--only", nargs="*", help="recipes whose names contain one of these")
    given = parser.parse_args()
    torch.set_num_threads(1)
    curves, times = [], {}
    for name, flat in RECIPES.items():
        if given.only and not any(part in name for part in given.only):
            continue
        for seed in range(given.seeds):
            found = curve(CELL | flat | {"seed": seed}, given.budget)
            curves.append(found.assign(recipe=name, seed=seed))
            for reference in ("generalizing", "symmetrized"):
                for level in LEVELS:
                    near = found[found[reference] <= level]
                    reached = near["seconds"].iloc[0] if len(near) else float("inf")
                    times[(name, f"{reference[0].upper()} {level}", seed)] = reached
        table = pd.Series(times).groupby(level=[0, 1], sort=False).median().unstack(sort=False)
        print(f"\nmedian seconds over {given.seeds} urn(s); inf: more than {given.budget:g} s")
        print(table.round(1).to_string(), flush=True)
        if given.out:
            pd.concat(curves).to_csv(given.out, index=False)


if __name__ == "__main__":
    main()
