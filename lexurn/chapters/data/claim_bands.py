"""Our numbers beside the published numbers and bands of their claims, for a plot and in words."""

from collections import Counter
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


def summary(measured: Mapping[str, claims.Measurement]) -> str:
    """Record our numbers; return the number of each verdict and the refuted claims, in words.

    See `claims.record`.
    """
    verdicts = claims.record(measured)
    text = ", ".join(
        f"{number} {verdict}" for verdict, number in Counter(verdicts.values()).items()
    )
    refuted = [key for key, verdict in verdicts.items() if verdict == "refuted"]
    return (
        f"Verdicts on {len(verdicts)} checks of our code ([claims](claims.md)): {text}"
        f"{': ' * bool(refuted)}{', '.join(refuted)}."
    )
