"""How soon recipes bring a lexical model near G and S on fresh urns.

    python tests/benchmarks/recipe.py [--urns 3] [--budget 40] [--longest 200] [--out recipe.csv]

`original` is the recipe of the first Lexurn repository: N(0, 1) tables, tied, unscaled, AdamW at
1e-4 without warm-up or clipping, dropout .1 (its batches were larger: here all have 32 sequences);
then the same at other rates. The others are table families with AdamW at two rates and Muon, and
for one of them other schedules.

For every recipe and training urn: the seconds of training, without evaluations, until the distance
(symmetrized KL, mean over rows) first falls to each of a few values, `inf` where it does not within
the budget; then the curves, as medians over urns, and how many times longer `original` takes than
each recipe, at the rate it came with and at the best of its rates for each urn and level. Where
`original` does not arrive its budget is taken, so that the ratio is a lower bound.
"""

import argparse
import time

import pandas as pd
import torch

from lexurn import evaluation, parameters, predictors, tasks, training
from lexurn.runs import fit

CELL = {"lex": True, "n_colors": 4, "context_length": 32, "n_test_samples": 200}
CELL |= {"n_steps": 10**6, "eval_every": 10, "schedule": "constant"}
ORIGINAL = {"vocabulary": "original", "warmup": 0, "dropout": 0.1, "grad_clip": 0.0}
SHIPPED = "original, 1e-4"
RECIPES = {
    **{
        f"original, {rate}": ORIGINAL | {"learning_rate": float(rate)}
        for rate in ("1e-4", "1e-3", "3e-3", "1e-2")
    },
    **{
        f"{tables}, {optimizer}, {rate}": {
            "vocabulary": tables,
            "optimizer": optimizer,
            "learning_rate": float(rate),
        }
        for tables in ("one_hot", "orthonormal", "gaussian_scaled")
        for optimizer, rate in (("adamw", "3e-3"), ("adamw", "1e-2"), ("muon", "1e-2"))
    },
    **{
        f"one_hot, adamw, 1e-2, {schedule}": {"learning_rate": 1e-2, "schedule": schedule} | more
        for schedule, more in (("inverse_sqrt", {}), ("cosine", {"n_steps": 1000}))
    },
}
LEVELS = {"generalizing": (0.1, 0.05), "symmetrized": (0.1, 0.05)}
SPACING = 1.08
"""Ratio of the steps of successive evaluations: how finely a time is told."""


class Over(Exception):
    """The time is over, or every level reached."""


def curve(flat: dict, budget: float) -> pd.DataFrame:
    """Distances to G and S along one training: seconds, step, generalizing, symmetrized."""
    settings = parameters.check(flat)
    ready = fit.prepare(settings)
    splits = {"out_of_distribution": tasks.build(settings).held_out()["out_of_distribution"]}
    exact = tasks.build(settings).references()
    references = predictors.cache_predictions({name: exact[name] for name in LEVELS}, splits)
    lines, step, due, spent, began = [], 0, 0.0, 0.0, time.monotonic()

    def evaluate(_: object) -> dict[str, float]:
        nonlocal step, due, spent, began
        if step >= due:
            spent += time.monotonic() - began if lines else 0.0
            found = evaluation.select(
                evaluation.evaluate(ready.predictor, references, splits), split=next(iter(splits))
            )
            lines.append({"seconds": spent, "step": step, **found["mean"]})
            if spent > budget or all(
                lines[-1][name] <= min(levels) for name, levels in LEVELS.items()
            ):
                raise Over
            due, began = SPACING * step, time.monotonic()
        step += settings.training.eval_every
        return {"validation_loss": 0.0}

    try:
        batches = fit.training_batches(tasks.build(settings), device=ready.device)
        callbacks = training.Callbacks(evaluate, lambda *_: None)
        fit.fit(ready, settings.training, batches, callbacks)
    except Over:
        pass
    return pd.DataFrame(lines)


def times(curves: pd.DataFrame) -> pd.DataFrame:
    """Seconds to each level, inf where it was not reached: a line per recipe and urn."""
    found = {}
    for (recipe, urn), line in curves.groupby(["recipe", "urn"], sort=False):
        for reference, levels in LEVELS.items():
            for level in levels:
                reached = line.loc[line[reference] <= level, "seconds"]
                column = f"{reference[0].upper()} {level}"
                found.setdefault(column, {})[recipe, urn] = (
                    reached.iloc[0] if len(reached) else float("inf")
                )
    return pd.DataFrame(found)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--urns", type=int, default=3)
    parser.add_argument("--budget", type=float, default=40.0, help="seconds of training for each")
    parser.add_argument("--longest", type=float, default=200.0, help=f"the same for `{SHIPPED}`")
    parser.add_argument("--out", default="", help="where the curves go, as CSV")
    parser.add_argument("--only", nargs="*", help="recipes whose names contain one of these")
    given = parser.parse_args()
    torch.set_num_threads(1)
    curve(CELL, 0.5)  # what is slow only once in a process
    curves = []
    for urn in range(given.urns):  # outermost, so that a busier hour is not one recipe's alone
        for recipe, flat in RECIPES.items():
            if given.only and not any(part in recipe for part in given.only):
                continue
            budget = given.longest if recipe == SHIPPED else given.budget
            curves.append(curve(CELL | flat | {"seed": urn}, budget).assign(recipe=recipe, urn=urn))
            line = times(curves[-1]).iloc[0]
            print(
                f"urn {urn}, {recipe}: "
                + ", ".join(f"{name} {value:.3g} s" for name, value in line.items()),
                flush=True,
            )
            if given.out:
                pd.concat(curves).to_csv(given.out, index=False)
    say_curves(pd.concat(curves))
    table = times(pd.concat(curves)).rename_axis(["recipe", "urn"])
    print(f"\nmedian seconds over {given.urns} urn(s); inf: not within the budget")
    print(table.groupby("recipe", sort=False).median().round(2).to_string())
    say_ratios(table, budget=given.budget, longest=given.longest)


def say_curves(curves: pd.DataFrame) -> None:
    """Print distances to G and S after some seconds, as medians over urns.

    A training that ended before counts as it ended.
    """
    lines = []
    for (recipe, _), line in curves.groupby(["recipe", "urn"], sort=False):
        for seconds in (0.5, 1, 2, 5, 10, 20, 50, 100, 200):
            last = line[line["seconds"] <= seconds].iloc[-1]
            lines.append(
                {"recipe": recipe, "seconds": seconds} | {name: last[name] for name in LEVELS}
            )
    table = pd.DataFrame(lines).groupby(["recipe", "seconds"], sort=False).median().unstack()
    for name in LEVELS:
        print(f"\ndistance to {name} after so many seconds (median over urns)")
        print(table[name].round(3).to_string())


def say_ratios(table: pd.DataFrame, *, budget: float, longest: float) -> None:
    """Print how many times longer the original takes, on urns where the recipe arrives at all."""
    originals = table[table.index.get_level_values("recipe").str.startswith("original")]
    if originals.empty:
        return
    shipped = originals[originals.index.get_level_values("recipe") == SHIPPED].groupby("urn").min()
    best = originals.groupby("urn").min()
    arrived = table.where(table < float("inf"))
    for name, slow, most in (
        ("as it came", shipped, longest),
        ("at the best of its rates", best, budget),
    ):
        ratio = arrived.rdiv(slow.clip(upper=most), level="urn").groupby("recipe", sort=False)
        print(
            f"\ntimes longer, at least, that `original` takes {name}: median over the urns where "
            "the other arrives"
        )
        print(ratio.median().round(1).to_string())


if __name__ == "__main__":
    main()
