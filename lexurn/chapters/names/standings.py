"""Where models of names and alphabets stand, one row per run, from what the runs have stored.

    deficit           ln(1 − captured) in distribution, on alphabets as in training
    deficit_new       the same on alphabets, or with tables, that training never used; NaN without
    toward_m          relative distance in distribution between S (−1) and M (+1)
    kl_to_s           KL(model ‖ S) in distribution, in nats; `deficit` has the other direction
    n_steps, seed     of the run's settings

All of them are for one table per sequence, as in training. Divergences of the references come from
the held-out sequences of the run, and no model has to be loaded.
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
        rows.append({"seed": settings.training.seed} | _row(run, scales[key]))
    return pd.DataFrame(rows)


def reference_distances(run: Run) -> dict[str, float]:
    """Return distances between the references of a run, in nats.

    All are in distribution: `best` is KL(S ‖ G_α*), `best_to_s` is the same symmetrized, and
    `m_to_s` is symmetrized as well.
    """
    inside = run.splits["in_distribution"]
    by_name = {name: reference(inside) for name, reference in run.references.items()}
    best = memorization.best_generalizing(run.pool, inside.shape[1])
    s = by_name["symmetrized"]

    def symmetrized(first, second):
        return divergences.symmetrized_kl(first, second)[:, 1:].mean().item()

    return {
        "best": divergences.kl(s, best(inside))[:, 1:].mean().item(),
        "best_to_s": symmetrized(best(inside), s),
        "m_to_s": symmetrized(by_name["memorizing"], s),
    }


def _row(run: Run, scale: Mapping[str, float]) -> dict[str, float | int]:
    table = run.results
    inside = table[(table["row"] == "mean") & (table["split"] == "in_distribution")]
    means = inside.set_index(["reference", "measure"])["mean"]
    prefix = SINGLE if ("symmetrized", SINGLE + "kl") in means.index else ""

    def mean(reference: str, measure: str) -> float:
        return float(means.get((reference, measure), float("nan")))

    def deficit(kl: float) -> float:
        return memorization.deficit(kl, scale["best"]) if kl > 0 else float("nan")

    kl = mean("symmetrized", prefix + "kl")
    to_m, to_s = (
        mean(reference, prefix + "symmetrized_kl") for reference in ("memorizing", "symmetrized")
    )
    return {
        "n_steps": run.settings.training.n_steps,
        "deficit": deficit(kl),
        "deficit_new": deficit(mean("symmetrized", NEW + "kl")),
        "toward_m": (to_s - to_m) / scale["m_to_s"],
        "kl_to_s": 2 * to_s - kl,
    }
