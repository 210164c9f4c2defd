"""Predictors of which we know what they have memorized, because we construct them.

`scores` measures them like models, to see which measures tell the truth.
"""

from collections.abc import Sequence

import pandas as pd

from lexurn import tasks
from lexurn.base.shapes import Predictor, Tokens
from lexurn.measures import comparison, memorization
from lexurn.predictors import SequenceMixture, Uniform, cache_predictions
from lexurn.settings import Settings
from lexurn.tasks import Task

DOUBT = 0.01
HEDGE = 0.1

TRUTHS = {
    "S with doubt": "memorized",
    "S, hedged": "memorized",
    "half S, half best counter": "half",
    "best counter": "no memory",
    "G, hedged": "no memory",
    "uniform": "no memory",
}
"""What each known predictor has memorized about its pool."""

ENDS = ("generalizing", "symmetrized")


def scores(points: Sequence[Settings]) -> pd.DataFrame:
    """Return the scores of known predictors on the held-out sequences of each point's pool.

    predictor, truth, seed
    captured          in distribution, against the best counter
    inside, fresh     relative distance, −1 at G and +1 at S, in distribution and on fresh urns
    apart             d(G, S) in distribution
    """
    rows = []
    for point in points:
        task = tasks.build(point)
        splits, every = task.held_out(), task.references()
        references = cache_predictions({name: every[name] for name in ENDS}, splits)
        inside, fresh = splits["in_distribution"], splits["out_of_distribution"]
        apart = _distance(*references.values(), inside)
        for name, predictor in predictors(task, references).items():
            row = {"predictor": name, "truth": TRUTHS[name], "seed": point.training.seed}
            row["captured"] = memorization.captured(
                predictor, references["symmetrized"], task.pool, inside
            )
            row |= {"inside": _relative(predictor, references, inside), "apart": apart}
            rows.append(row | {"fresh": _relative(predictor, references, fresh)})
    return pd.DataFrame(rows)


def predictors(task: Task, references: dict[str, Predictor]) -> dict[str, Predictor]:
    """Return the known predictors by their names, in the order of `TRUTHS`."""
    g, s = (references[name] for name in ENDS)
    counter = memorization.best_generalizing(task.pool, task.length)
    uniform = Uniform(task.pool.shape[1])
    return {
        "S with doubt": SequenceMixture([s, g], [1 - DOUBT, DOUBT]),
        "S, hedged": blend(s, uniform, HEDGE),
        "half S, half best counter": blend(counter, s, 0.5),
        "best counter": counter,
        "G, hedged": blend(g, uniform, HEDGE),
        "uniform": uniform,
    }


def blend(first: Predictor, second: Predictor, share: float) -> Predictor:
    """Return the predictor that mixes two others with the same weights in every row.

    `share` is the weight of the second one.
    """
    return lambda tokens: ((1 - share) * first(tokens).exp() + share * second(tokens).exp()).log()


def _relative(predictor: Predictor, ends: dict[str, Predictor], tokens: Tokens) -> float:
    to_g, to_s = (_distance(predictor, ends[name], tokens) for name in ENDS)
    return (to_g - to_s) / _distance(*ends.values(), tokens)


def _distance(first: Predictor, second: Predictor, tokens: Tokens) -> float:
    return comparison.mean_over_rows(comparison.distance(first, second, tokens)).mean().item()
