"""Summaries of the geometry of several runs, from tables of single runs."""

import pandas as pd

from lexurn.chapters.geometry.shuffling import N_ORDERS

LAST_ORDER = N_ORDERS - 1

MEASURE_NAMES = {
    "cosine": "mean cosine",
    "centred": "mean cosine, centred",
    "spread": "spread of centred cosines",
    "isotropy": "isotropy",
    "first": "share of the first direction",
    "common": "share of the mean vector",
    "norm": "norm",
    "gradient": "norm of the gradient",
    "update": "norm of the update",
    "update_cosine": "cosine of the update",
    "effective_rank": "effective rank",
    "participation": "participation ratio",
    "twonn": "dimension, with copies",
    "twonn_once": "dimension, without copies",
    "same_kind": "nearest is the same token",
    "same_gram": "nearest is a copy",
    "mle": "dimension (MLE)",
    "loss": "loss (nats)",
}
"""The name of each measure in figures."""


def shuffling_effects(orders: pd.DataFrame) -> pd.DataFrame:
    """Return, layer by layer, the value in the last order minus the value in the first: `value`.

    `orders` holds the tables of `shuffling.geometry_by_order` of several runs.
    """
    keys = [name for name in orders if name not in ("order", "block", "value")]
    return _last_minus_first(orders, keys)


def layer_maxima(orders: pd.DataFrame) -> pd.DataFrame:
    """Return the largest value over layers: measure, system, seed, order, value.

    Layer 0, the embeddings, is left out because it does not depend on the order.
    """
    behind_blocks = orders[(orders["layer"] > 0) | (orders["measure"] == "loss")]
    keys = ["measure", "system", "seed", "order"]
    return behind_blocks.groupby(keys, sort=False, as_index=False)["value"].max()


def maximum_rise(orders: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Return the layer maximum in the last order minus the first order: system, seed, value."""
    maxima = layer_maxima(orders)
    return _last_minus_first(maxima[maxima["measure"] == measure], ["system", "seed"])


def summary(starts: pd.DataFrame, ends: pd.DataFrame, orders: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the quantities of the claims about models of text, one value per seed.

    `starts` holds tables of `untrained_geometry`, `ends` the last step of `along_training` in the
    last layer before the last norm, and `orders` tables of `geometry_by_order`. Values are means
    over everything that a name does not fix.
    """
    deepest = starts[starts["what"] == f"{starts['n_layers'].max()} layers"]
    before = deepest[deepest["layer"] == deepest["n_layers"]]
    after = ends[ends["layer"] == ends["layer"].max()]
    values = {
        "start_post_minus_pre": _post_minus_pre(before[before["measure"] == "cosine"]),
        "trained_post_minus_pre": _post_minus_pre(after[after["measure"] == "cosine"]),
    }
    names = {"dimension": "twonn", "dimension_once": "twonn_once"}
    for name, measure in (names | {"cosine": "cosine", "loss": "loss"}).items():
        values[f"shuffled_{name}"] = maximum_rise(orders, measure).groupby("seed")["value"].mean()
    effects = shuffling_effects(orders)
    effects = effects[(effects["measure"] == "twonn") & (effects["layer"] > 0)]
    is_lower = effects["layer"] <= effects["layer"].max() // 2
    lower = effects[is_lower].groupby("seed")["value"].mean()
    upper = effects[~is_lower].groupby("seed")["value"].mean()
    return values | {"shuffled_lower_less_upper": lower - upper}


def _last_minus_first(orders: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    wide = orders.set_index([*keys, "order"])["value"].unstack("order")
    return (wide[LAST_ORDER] - wide[0]).rename("value").reset_index()


def _post_minus_pre(table: pd.DataFrame) -> pd.Series:
    """Return post-norm minus pre-norm, one value per seed, averaged over both kinds of MLP."""
    placement = table["system"].str.split(" ").str[0]
    means = table.groupby([placement, "seed"])["value"].mean()
    return means["post"] - means["pre"]
