"""A flat map of predictors, with G, M and S as the corners of a triangle.

Squared lengths on the map are distances d (symmetrized KL) between predictors. Near its minimum, d
is quadratic, so that it behaves like a squared length. A model has a distance to each corner; it is
put at the foot of the perpendicular from where these distances would place it in space:

    |p − a|² + h² = d(model, A)   for the corners a of A = G, M, S, with the same height h

The projection of a model on the edge between two corners is its relative distance to them,
rescaled: (d(h, G) − d(h, M) + d(G, M)) / (2 d(G, M)) = (1 + r) / 2.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lexurn.base.shapes import Predictor, Tokens
from lexurn.measures.comparison import distance, mean_over_rows

CORNERS = ("generalizing", "memorizing", "symmetrized")

Places = dict[str, tuple[float, float]]


def distances(
    predictor: Predictor, references: Mapping[str, Predictor], tokens: Tokens
) -> dict[str, float]:
    """Return the mean distances of a predictor to G, M and S in nats, by their names."""
    return {
        name: mean_over_rows(distance(predictor, references[name], tokens)).mean().item()
        for name in CORNERS
    }


def corners(references: Mapping[str, Predictor], tokens: Tokens) -> Places:
    """Return the places of G, M and S for these sequences: G at 0, and M to its right.

    Raises ValueError if their distances are those of no triangle.
    """
    of_g, of_m = (distances(references[name], references, tokens) for name in CORNERS[:2])
    g_to_m, g_to_s, m_to_s = of_g["memorizing"], of_g["symmetrized"], of_m["symmetrized"]
    right = g_to_m**0.5
    x = (g_to_s + g_to_m - m_to_s) / (2 * right) if right else np.nan
    if not g_to_s - x**2 > 1e-9 * g_to_m:  # more than rounding
        raise ValueError(
            f"G, M and S make no triangle: d(G, M) = {g_to_m:.3g}, d(G, S) = {g_to_s:.3g}, "
            f"d(M, S) = {m_to_s:.3g}; use a pool for which the three predictors differ"
        )
    places = ((0.0, 0.0), (right, 0.0), (x, (g_to_s - x**2) ** 0.5))
    return dict(zip(CORNERS, places, strict=True))


def draw_map(places: Places, paths: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the table of `lexurn.figures.triangle`: the corners, and a path of models per name.

    A path has one model per row: its distances to G, M and S in columns of their names, in nats,
    and perhaps a `mark`, which is written beside the model.
    """
    rows = [pd.DataFrame([(*places[name], name, "corner") for name in CORNERS])]
    (_, (right, _), (x_of_s, y_of_s)) = (places[name] for name in CORNERS)
    for who, path in paths.items():
        g, m, s = (path[name] for name in CORNERS)
        x = (g - m + right**2) / (2 * right)
        y = ((g - s + x_of_s**2 + y_of_s**2) / 2 - x * x_of_s) / y_of_s
        rows.append(pd.DataFrame({0: x, 1: y, 2: who, 3: path.get("mark", "")}))
    return pd.concat(rows, ignore_index=True).set_axis(["x", "y", "who", "mark"], axis=1)
