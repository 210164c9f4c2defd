"""Our numbers beside the published numbers and the bands of their claims, as a plot needs them."""

from collections.abc import Mapping

import pandas as pd

from lexurn.publish import claims


def numbers(measured: Mapping[str, claims.Measurement]) -> pd.DataFrame:
    """Return the numbers that a plot of claims needs: one row per claim.

    Columns: claim, published, spread, low, high, ours, error, n.
    """
    fields = {"published", "spread", "low", "high"}
    rows = [
        {"claim": key}
        | claims.get(key).model_dump(include=fields)
        | {"ours": ours.value, "error": ours.error, "n": ours.n}
        for key, ours in measured.items()
    ]
    return pd.DataFrame(rows).astype({"published": float, "spread": float})
