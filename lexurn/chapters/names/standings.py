"""Where models of names and alphabets stand, one row per run, from what the runs have stored.

    deficit           ln(1 − captured) in distribution, on alphabets as in training
    deficit_new       the same on alphabets, or with tables, that training never used; NaN without
    relative          relative distance in distribution, −1 at G and +1 at S
    relative_fresh    the same on fresh urns
    toward_m          relative distance in distribution between S (−1) and M (+1)
    n_steps, seed     and what `Settings` calls the other columns

All of them are for one table per sequence, as in training; `deficit_averaged` is for the mean
prediction over eight tables. Divergences of the references come from the held-out sequences of the
run, and no model has to be loaded.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from lexurn.base import divergences
from lexurn.measures import evaluation, memorization
from lexurn.runs.run import Run

SINGLE, NEW = evaluation.SINGLE_TABLE, evaluation.NEW_TABLE


def standings(runs: Sequence[Run]) -> pd.DataFrame:
    """Return one row per run; see the module's docstring for the columns."""
    scales: dict[tuple[int, int, int, int], dict[str, float]] = {}
    rows = []
    for run in runs:
        settings = run.settings
        key = (
            settings.task.n_colors,
            settings.task.context_length,
            settings.training.n_test_samples,
            settings.training.seed,
        )
        if key not in scales:
            scales[key] = reference_distances(run)
        rows.append(
            {"name": run.path.name, "seed": settings.training.seed} | _row(run, scales[key])
        )
    return pd.DataFrame(rows)


def reference_distances(run: Run) -> dict[str, float]:
    """Return distances between the references of a run, in nats.

    `best` is KL(S ‖ G_α*) in distribution and `best_to_s` the same symmetrized; `in_g_s`, `in_m_s`
    and `out_g_s` are symmetrized.
    """
    inside = run.splits["in_distribution"]
    outside = run.splits["out_of_distribution"]
    by_name = {name: reference(inside) for name, reference in run.references.items()}
    best = memorization.best_generalizing(run.pool, inside.shape[1])
    s = by_name["symmetrized"]

    def symmetrized(first, second):
        return divergences.symmetrized_kl(first, second)[:, 1:].mean().item()

    return {
        "best": divergences.kl(s, best(inside))[:, 1:].mean().item(),
        "best_to_s": symmetrized(best(inside), s),
        "in_g_s": symmetrized(by_name["generalizing"], s),
        "in_m_s": symmetrized(by_name["memorizing"], s),
        "out_g_s": symmetrized(
            run.references["generalizing"](outside), run.references["symmetrized"](outside)
        ),
    }


def _row(run: Run, scale: Mapping[str, float]) -> dict[str, float | int]:
    table = run.results
    means = table[table["row"] == "mean"].set_index(["split", "reference", "measure"])["mean"]
    prefix = SINGLE if ("in_distribution", "symmetrized", SINGLE + "kl") in means.index else ""

    def mean(split: str, reference: str, measure: str) -> float:
        return float(means.get((split, reference, measure), float("nan")))

    def deficit(measure: str) -> float:
        kl = mean("in_distribution", "symmetrized", measure)
        return memorization.deficit(kl, scale["best"]) if kl > 0 else float("nan")

    def relative(split: str, far: str, near: str, distance: float) -> float:
        measure = prefix + "symmetrized_kl"
        return (mean(split, far, measure) - mean(split, near, measure)) / distance

    inside, outside = "in_distribution", "out_of_distribution"
    return {
        "n_steps": run.settings.training.n_steps,
        "deficit": deficit(prefix + "kl"),
        "deficit_new": deficit(NEW + "kl"),
        "deficit_averaged": deficit("kl"),
        "relative": relative(inside, "generalizing", "symmetrized", scale["in_g_s"]),
        "relative_fresh": relative(outside, "generalizing", "symmetrized", scale["out_g_s"]),
        "toward_m": relative(inside, "symmetrized", "memorizing", scale["in_m_s"]),
        "kl_best": scale["best"],
        "distance_g_s": scale["in_g_s"],
    }
