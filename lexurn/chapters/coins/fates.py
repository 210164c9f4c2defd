"""Stuck or learned: what becomes of tiny models, one row per model.

A model is stuck if it loses more than `STUCK` nats a flip to Laplace's rule. Only models that have
learned say how a model counts.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from lexurn import models
from lexurn.base.seeding import generator
from lexurn.chapters.coins import coin_losses, contexts, counts, mechanism, tiny
from lexurn.generators.urns import Urns
from lexurn.measures.intervals import Interval
from lexurn.predictors import Generalizing
from lexurn.settings import Settings

STUCK = 0.01
ALL_OR_NOTHING = 100
MAX_FLIPS = 12
"""The longest contexts that are enumerated for every model; excess losses have all lengths."""

N_SEQUENCES = 4000


def excesses(points: Sequence[Settings]) -> pd.DataFrame:
    """Return the expected excess loss of tiny models: seed, excess (nats a flip), sem, n."""
    length = points[0].task.context_length + 1
    tokens = Urns(2).out_of_distribution(N_SEQUENCES, length, generator=generator(0, "excess"))
    rows = []
    for point, model in zip(points, tiny.train_all(points), strict=True):
        predictor = models.as_predictor(model, batch_size=N_SEQUENCES)
        values = coin_losses.excess_loss(predictor, Generalizing(2), tokens)
        sem = (values.std() / len(values) ** 0.5).item()
        rows.append((point.training.seed, values.mean().item(), sem, len(values)))
    return pd.DataFrame(rows, columns=["seed", "excess", "sem", "n"])


def fates(points: Sequence[Settings]) -> pd.DataFrame:
    """Return the excess losses of tiny models of the source's shape, with how they compute.

    Over all contexts of up to `MAX_FLIPS` flips: by_counts, by_all (shares of the variance of the
    log odds that the counts determine, without and with the last flip), kl, kl_uniform (with plain
    means as attention), kl_without_last (`mechanism.without_last`), the effects of the last flip,
    ratio (the geometric mean of `mechanism.opposite_weights`), `sides`, and errors of symmetry.
    Over random sequences: first_flip (`mechanism.first_flip_attention`). Over sorted and random
    sequences: R² of z against H/N, by the last flip.
    """
    rows = []
    length = points[0].task.context_length
    tokens = Urns(2).out_of_distribution(200, length, generator=generator(0, "first flips"))
    for point, model in zip(points, tiny.train_all(points), strict=True):
        weights = contexts.read_weights(model, point)
        options = {"max_flips": min(MAX_FLIPS, point.task.context_length)}
        table = contexts.context_table(weights, **options)
        uniform = contexts.context_table(weights, uniform=True, **options)
        ratios = mechanism.opposite_weights(weights)
        rows.append(
            {
                "by_counts": mechanism.explained(table, "n", "heads"),
                "by_all": mechanism.explained(table, "n", "heads", "last"),
                "kl": contexts.mean_kl(table),
                "kl_uniform": contexts.mean_kl(uniform),
                "kl_without_last": contexts.mean_kl(mechanism.without_last(table)),
                "ratio": float(stats.gmean(ratios["ratio"])),
                **sides(ratios, table),
                "first_flip": mechanism.first_flip_attention(weights, tokens.tolist()),
                **mechanism.last_flip_effects(weights, table),
                **mechanism.symmetry_errors(weights, table),
                **line_fits(model, point),
            }
        )
    return excesses(points).join(pd.DataFrame(rows))


def sides(ratios: pd.DataFrame, table: pd.DataFrame) -> dict[str, int | float]:
    """Return after how many sides a model's attention is saturated, and what it loses there.

    It is `saturated` after a side if flips unlike it get at least `ALL_OR_NOTHING` times the
    attention of flips like it, or the reverse (geometric mean over rows). `kl_saturated` and
    `kl_free` are the mean divergences after these sides and after the others, missing if there are
    none. `factor` is the largest of the two factors.
    """
    factors = np.exp(np.log(ratios["ratio"]).groupby(ratios["last"]).mean().abs())
    is_saturated = factors > ALL_OR_NOTHING
    share = table["probability"] / table["probability"].groupby(table["last"]).transform("sum")
    by_side = (share * table["kl"]).groupby(table["last"]).sum()
    return {
        "saturated": int(is_saturated.sum()),
        "factor": float(factors.max()),
        "kl_saturated": by_side[is_saturated].mean(),
        "kl_free": by_side[~is_saturated].mean(),
    }


def line_fits(model: models.LanguageModel, point: Settings) -> dict[str, float]:
    """Return R² of z against H/N: sorted or random sequences, all or mixed ones, by last flip."""
    length = point.task.context_length + 1
    stream = generator(0, "lines")
    kinds = {
        "sorted": coin_losses.sorted_sequences(length),
        "random": Urns(2).out_of_distribution(1000, length, generator=stream),
    }
    found = {}
    for kind, tokens in kinds.items():
        table = counts.activation_table(model, tokens, "0.attn.z")
        for line in counts.fit_lines(table).itertuples():
            last = "heads" if line.token else "tails"
            found[f"{kind}_{last}"] = line.r2
            found[f"{kind}_mixed_{last}"] = line.r2_mixed
    return found


def share_interval(n_stuck: int, n: int) -> Interval:
    """Return a share with its 95 % interval (Wilson 1927)."""
    share = n_stuck / n
    interval = stats.binomtest(n_stuck, n).proportion_ci(method="wilson")
    error = (share * (1 - share) / n) ** 0.5
    return Interval(share, float(interval.low), float(interval.high), n, error)


def reference_excesses(n_rows: int) -> dict[str, float]:
    """Return the excess loss (nats a flip) of the best predictors that know less than the counts.

    The mean is over rows 1 … n_rows: without any flip (½ always), with the last flip (⅔ for its
    side), and with the last flip, the number of flips and the position of the first heads.
    """
    attainable = coin_losses.attainable_loss([1.0, 1.0], n_rows + 1)[1:].mean().item()
    losses = {name: entropy(p) for name, p in KNOWING_LESS.items()}
    first = [first_and_last_loss(n) for n in range(1, n_rows + 1)]
    losses = {"first heads and last flip": sum(first) / n_rows, **losses}
    return {name: loss - attainable for name, loss in losses.items()}


def first_and_last_loss(n: int) -> float:
    """Return the expected loss at row `n` of the best predictor that knows when heads came first.

    It also knows the last flip. If f tails came before the first heads, which is not the last flip,
    f + 2 flips are known, and Laplace's rule holds for these.
    """
    loss = entropy(2 / (n + 2)) / (n * (n + 1)) + entropy(1 / (n + 2)) / (n + 1)
    for f in range(n - 1):
        last_is_heads = 2 / (f + 3)
        known = last_is_heads * entropy(3 / (f + 4)) + (1 - last_is_heads) * entropy(2 / (f + 4))
        loss += known / ((f + 1) * (f + 2))
    return loss


def entropy(p: float) -> float:
    return float(stats.bernoulli(p).entropy())


KNOWING_LESS = {"last flip alone": 2 / 3, "constant ½": 1 / 2}
