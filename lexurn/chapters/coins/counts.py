"""Where a model of coins keeps its counts: activations against counts, and causal tests of them.

Colour 1 is heads; row N has seen N flips, H of them heads. Effects of interventions are compared
with (H + 1) / (N + 2), the exact predictor under a uniform prior.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64
from scipy import stats
from torch import Tensor

from lexurn.base.seeding import generator
from lexurn.base.shapes import Tokens
from lexurn.generators.urns import Urns
from lexurn.models import LanguageModel, activations
from lexurn.runs.run import Run


def activation_table(
    model: LanguageModel, tokens: Tokens, name: str, *, head: int = 0
) -> pd.DataFrame:
    """Return an activation at rows 1 … C beside the counts of the flips seen so far.

    Columns: sequence, n, heads, token (the last flip), share H/N, log_odds ln((H+1)/(N−H+1)), and
    the first four coordinates of the activation as x, y, u, v. `head` selects an attention head.
    """
    values = activations.read(model, tokens, name)[name][:, 1:]
    values = values[:, :, head] if values.ndim == 4 else values
    seen = tokens[:, :-1]
    n = torch.arange(1, seen.shape[1] + 1).expand_as(seen)
    heads = seen.cumsum(1)
    columns = {
        "sequence": torch.arange(len(seen))[:, None].expand_as(seen),
        "n": n,
        "heads": heads,
        "token": seen,
        "share": heads / n,
        "log_odds": ((heads + 1) / (n - heads + 1)).log(),
    }
    columns |= dict(zip(("x", "y", "u", "v"), values.double().unbind(-1), strict=False))
    return pd.DataFrame({column: value.flatten().tolist() for column, value in columns.items()})


def fit_lines(table: pd.DataFrame, *, x: str = "share", y: str = "x") -> pd.DataFrame:
    """Fit a line y ~ x for each last token, and return one row per token.

    Columns: token, slope, intercept, n, n_mixed, r2, and two variants of R²:

    r2_mixed, n_mixed   only prefixes with both heads and tails, as in the original
    r2_with_n           for y ~ x · (1 + n), which gives every number of flips its own line

    R² is 0 if y is constant.
    """
    rows = []
    for token, group in table.groupby("token"):
        mixed = group[(group["heads"] > 0) & (group["heads"] < group["n"])]
        fit = stats.linregress(group[x], group[y])
        rows.append(
            {
                "token": token,
                "slope": fit.slope,
                "intercept": fit.intercept,
                "n": len(group),
                "n_mixed": len(mixed),
                "r2": _r_squared(group[y], group[x]),
                "r2_mixed": _r_squared(mixed[y], mixed[x]),
                "r2_with_n": _r_squared(group[y], group[x], group["n"], group[x] * group["n"]),
            }
        )
    return pd.DataFrame(rows)


def _r_squared(y: pd.Series, *regressors: pd.Series) -> float:
    """Return R² of a linear regression with intercept, or 0 if y is constant."""
    y = y.to_numpy(float)
    if np.ptp(y) < 1e-9:
        return 0.0
    design = np.column_stack([np.ones(len(y)), *regressors])
    residuals = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return float(1 - residuals.var() / y.var())


def points_and_lines(
    table: pd.DataFrame, fits: pd.DataFrame, *, x: str = "share", y: str = "x"
) -> pd.DataFrame:
    """Return points and the ends of their fitted lines as one table for a figure.

    Columns: token, x, y, and what, which is `point` or `fit`.
    """
    ends = [
        {"token": fit.token, x: end, y: fit.intercept + fit.slope * end, "what": "fit"}
        for fit in fits.itertuples()
        for end in (table[x].min(), table[x].max())
    ]
    points = table[["token", x, y]].assign(what="point")
    return pd.concat([points, pd.DataFrame(ends)], ignore_index=True)


def count_direction(
    model: LanguageModel, tokens: Tokens, name: str, *, row: int
) -> Float64[Tensor, "d"]:
    """Return the least-squares change of an activation at one row per additional head.

    The regression controls for the last flip.
    """
    values = activations.read(model, tokens, name)[name][:, row].double()
    heads = tokens[:, :row].sum(-1).double()
    last = tokens[:, row - 1].double()
    regressors = torch.stack([heads, last, torch.ones_like(heads)], -1)
    return torch.linalg.lstsq(regressors, values).solution[0]


def steering_effects(
    model: LanguageModel,
    tokens: Tokens,
    name: str,
    direction: Float64[Tensor, "d"],
    *,
    row: int,
    shifts: Sequence[float],
    read_row: int | None = None,
) -> pd.DataFrame:
    """Steer an activation at one row by multiples of a direction such as `count_direction`.

    Columns: sequence, shift (in heads), formula, model. `formula` and `model` are the changes of
    the probability of heads by (H + 1) / (N + 2) and by the model, at `read_row`, which is `row`
    unless it is given. A sequence is omitted where the shift leaves fewer than 0 or more than N
    heads at `row`.
    """
    read_row = row if read_row is None else read_row
    heads = tokens[:, :row].sum(-1)
    before = activations.intervene(model, tokens, {})[:, read_row, 1].exp()
    tables = []
    for shift in shifts:
        steering = {name: activations.steer(shift * direction, rows=[row])}
        after = activations.intervene(model, tokens, steering)[:, read_row, 1].exp()
        is_possible = (heads + shift >= 0) & (heads + shift <= row)
        columns = {
            "sequence": is_possible.nonzero().squeeze(-1).tolist(),
            "shift": shift,
            "formula": shift / (read_row + 2),
            "model": (after - before)[is_possible].tolist(),
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def agreement(table: pd.DataFrame) -> tuple[Tensor, Tensor]:
    """Compare the effects in a model with the formula, sequence by sequence.

    Returns two vectors with one value per sequence: the mean absolute difference from the formula,
    and values whose mean is the slope through zero of the model's changes on the formula's changes
    and whose standard error is the standard error of that slope (its influence function).
    """
    columns = {
        "squares": table["formula"] ** 2,
        "products": table["formula"] * table["model"],
        "differences": (table["model"] - table["formula"]).abs(),
    }
    means = pd.DataFrame(columns).groupby(table["sequence"]).mean()
    slope = means["products"].mean() / means["squares"].mean()
    residuals = means["products"] - slope * means["squares"]
    slopes = slope + residuals / means["squares"].mean()
    return torch.tensor(means["differences"].to_numpy()), torch.tensor(slopes.to_numpy())


def steering_slopes(of_runs: Sequence[Run], *, earlier: int = 10) -> pd.DataFrame:
    """Steer between the layers of models of two layers, and return slopes: seed, what, value.

    A slope is that of the model's change on the formula's change, at the last row: by steering
    there, by steering `earlier` rows before, and by steering there along random directions of the
    same length. The direction of one more head is found on sequences of fair coins, and used on
    others.
    """
    rows = []
    for run in of_runs:
        seed, last = run.settings.training.seed, run.settings.task.context_length
        fair = torch.randint(2, (4000, last + 1), generator=generator(seed, "fair coins"))
        length = last + 1
        others = Urns(2).out_of_distribution(400, length, generator=generator(seed, "steered"))
        site = "0.resid_post"
        noise = torch.randn(8, run.settings.backbone.d_model, generator=generator(seed, "random"))
        noise = noise.double()
        here = count_direction(run.model, fair, site, row=last)
        before = count_direction(run.model, fair, site, row=last - earlier)
        ways = {
            "at the row that predicts": [(last, here)],
            "ten rows before": [(last - earlier, before)],
            "random direction": [(last, each * here.norm() / each.norm()) for each in noise],
        }
        for what, steps in ways.items():
            effects = pd.concat(
                steering_effects(
                    *(run.model, others, site, direction),
                    row=row,
                    shifts=[-4.0, -2.0, 2.0, 4.0],
                    read_row=last,
                )
                for row, direction in steps
            )
            rows.append((seed, what, agreement(effects)[1].mean().item()))
    return pd.DataFrame(rows, columns=["seed", "what", "value"])
