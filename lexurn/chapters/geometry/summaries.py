"""What the geometry of several runs comes to: of the tables of `lexurn.chapters.geometry.token_geometry`."""

import pandas as pd

from lexurn.chapters.geometry.token_geometry import ORDERS

LAST = ORDERS - 1

NAMES = {
    "cosine": "mean cosine",
    "centred": "mean cosine, centred",
    "norm": "norm",
    "gradient": "norm of the gradient",
    "update": "norm of the update",
    "update_cosine": "cosine of the update",
    "effective_rank": "effective rank",
    "twonn": "dimension (TwoNN)",
    "twonn_once": "dimension, each token once",
    "same_kind": "next is the same token",
    "mle": "dimension (MLE)",
    "overlap": "neighbours kept",
    "loss": "loss (nats)",
}
"""Measures as figures call them."""


def changes(orders: pd.DataFrame) -> pd.DataFrame:
    """Of `token_geometry.in_other_orders` of several runs, the last order less the first, layer by layer: `value`."""
    keys = [name for name in orders if name not in ("order", "block", "value")]
    wide = orders.set_index([*keys, "order"])["value"].unstack("order")
    return (wide[LAST] - wide[0]).rename("value").reset_index()


def largest(orders: pd.DataFrame) -> pd.DataFrame:
    """measure, system, seed, order, value: the largest over layers, without the embeddings, which no order changes."""
    mine = orders[(orders["layer"] > 0) | (orders["measure"] == "loss")]
    return mine.groupby(["measure", "system", "seed", "order"], sort=False, as_index=False)[
        "value"
    ].max()


def rise(orders: pd.DataFrame, measure: str) -> pd.DataFrame:
    """system, seed, value: how much the largest of a measure over blocks rises from the first order to the last."""
    mine = largest(orders)
    wide = (
        mine[mine["measure"] == measure].set_index(["system", "seed", "order"])["value"].unstack()
    )
    return (wide[LAST] - wide[0]).rename("value").reset_index()


def summary(starts: pd.DataFrame, ends: pd.DataFrame, orders: pd.DataFrame) -> dict[str, pd.Series]:
    """What is claimed of models of text, a value a seed, the mean over what is not named: of the tables before training
    (`untrained`), after it (`over_depth`, one step), and in other orders."""
    deepest = starts[starts["what"] == f"{starts['n_layers'].max()} layers"]
    before = deepest[deepest["layer"] == deepest["n_layers"]]
    after = ends[ends["layer"] == ends["layer"].max()]
    values = {
        "start_post_minus_pre": _post_less_pre(before[before["measure"] == "cosine"]),
        "trained_post_minus_pre": _post_less_pre(after[after["measure"] == "cosine"]),
    }
    for name, measure in (("dimension", "twonn"), ("cosine", "cosine"), ("loss", "loss")):
        values[f"shuffled_{name}"] = rise(orders, measure).groupby("seed")["value"].mean()
    change = changes(orders)
    change = change[(change["measure"] == "twonn") & (change["layer"] > 0)]
    is_low = change["layer"] <= change["layer"].max() // 2
    halves = [change[where].groupby("seed")["value"].mean() for where in (is_low, ~is_low)]
    return values | {"shuffled_lower_less_upper": halves[0] - halves[1]}


def _post_less_pre(table: pd.DataFrame) -> pd.Series:
    """A value a seed, over both kinds of MLP."""
    norms = table["system"].str.split(" ").str[0]
    means = table.groupby([norms, "seed"])["value"].mean()
    return means["post"] - means["pre"]
