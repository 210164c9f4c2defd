"""Where a model of coins keeps its counts: activations against what had been seen, and what changing them does.

Colour 1 is heads; row N has seen N flips, H of them heads. What a change does is compared with
(H + 1) / (N + 2), the exact predictor under a uniform prior.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64
from scipy import stats
from torch import Generator, Tensor

from lexurn.base.shapes import Tokens
from lexurn.chapters.coins import activations
from lexurn.models import LanguageModel


def inside(model: LanguageModel, tokens: Tokens, name: str, *, head: int = 0) -> pd.DataFrame:
    """An activation at rows 1 … C with what had been seen there: sequence, n, heads, token (the last), share H/N,
    log_odds ln((H+1)/(N−H+1)), and the activation's numbers as x, y, … (of one head where there are heads)."""
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
    }
    columns |= {"share": heads / n, "log_odds": ((heads + 1) / (n - heads + 1)).log()}
    named = dict(zip(("x", "y", "u", "v"), values.double().unbind(-1), strict=False))
    return pd.DataFrame(
        {column: value.flatten().tolist() for column, value in (columns | named).items()}
    )


def lines(table: pd.DataFrame, *, x: str = "share", y: str = "x") -> pd.DataFrame:
    """A line y ~ x fitted to the points of each last token: token, slope, intercept, r2, n, and beside it

    r2_mixed, n_mixed   without the sequences of one side only, which the original leaves out as well
    r2_with_n           of y ~ x · (1 + n): lines of their own for every number of flips

    A line explains nothing (0) of what is constant.
    """
    found = []
    for token, mine in table.groupby("token"):
        mixed = mine[(mine["heads"] > 0) & (mine["heads"] < mine["n"])]
        fit = stats.linregress(mine[x], mine[y])
        of = {
            "token": token,
            "slope": fit.slope,
            "intercept": fit.intercept,
            "n": len(mine),
            "n_mixed": len(mixed),
        }
        of |= {"r2": _r_squared(mine[y], mine[x]), "r2_mixed": _r_squared(mixed[y], mixed[x])}
        found.append(
            of | {"r2_with_n": _r_squared(mine[y], mine[x], mine["n"], mine[x] * mine["n"])}
        )
    return pd.DataFrame(found)


def _r_squared(y: pd.Series, *causes: pd.Series) -> float:
    """Of a linear regression with intercept; 0 where y is constant."""
    y = y.to_numpy(float)
    if np.ptp(y) < 1e-9:
        return 0.0
    design = np.column_stack([np.ones(len(y)), *causes])
    left = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return float(1 - left.var() / y.var())


def with_lines(
    table: pd.DataFrame, fits: pd.DataFrame, *, x: str = "share", y: str = "x"
) -> pd.DataFrame:
    """Points and the ends of their lines in one table, for a picture: token, x, y, and what: `point` or `fit`."""
    ends = [
        {"token": fit.token, x: at, y: fit.intercept + fit.slope * at, "what": "fit"}
        for fit in fits.itertuples()
        for at in (table[x].min(), table[x].max())
    ]
    return pd.concat(
        [table[["token", x, y]].assign(what="point"), pd.DataFrame(ends)], ignore_index=True
    )


def patched(
    model: LanguageModel, tokens: Tokens, name: str, *, row: int, generator: Generator
) -> pd.DataFrame:
    """Give each sequence, at one row, what another one had there: sequence, formula, model, a line each.

    Both are changes of the probability of heads: `formula` by (H + 1) / (N + 2) from the own heads to the donor's, and
    `model` from the own prediction to that after the patch.
    """
    order = torch.randperm(len(tokens), generator=generator)
    values = activations.read(model, tokens, name)[name][order]
    change = {name: activations.patch(values, rows=[row])}
    before, after = (
        activations.changed(model, tokens, each)[:, row, 1].exp() for each in ({}, change)
    )
    heads = tokens[:, :row].sum(-1)
    columns = {"formula": (heads[order] - heads).double() / (row + 2), "model": after - before}
    named = {column: values.tolist() for column, values in columns.items()}
    return pd.DataFrame({"sequence": range(len(tokens)), **named})


def written(model: LanguageModel, tokens: Tokens, name: str, *, row: int) -> Float64[Tensor, "d"]:
    """By how much an activation differs at one row for one head more, and the same flip last: least squares."""
    values = activations.read(model, tokens, name)[name][:, row].double()
    heads, last = tokens[:, :row].sum(-1).double(), tokens[:, row - 1].double()
    causes = torch.stack([heads, last, torch.ones_like(heads)], -1)
    return torch.linalg.lstsq(causes, values).solution[0]


def steered(
    model: LanguageModel,
    tokens: Tokens,
    name: str,
    direction: Float64[Tensor, "d"],
    *,
    row: int,
    shifts: Sequence[float],
) -> pd.DataFrame:
    """Move an activation at one row by so many heads along a direction, such as `written`.

    sequence, shift, formula, model: the change of the probability of heads by (H + 1) / (N + 2), and the model's own.
    """
    heads, parts = tokens[:, :row].sum(-1), []
    before = activations.changed(model, tokens, {})[:, row, 1].exp()
    for shift in shifts:
        after = activations.changed(
            model, tokens, {name: activations.steer(shift * direction, rows=[row])}
        )
        kept = (heads + shift >= 0) & (heads + shift <= row)  # else there are no such sequences
        moved = (after[:, row, 1].exp() - before)[kept].tolist()
        of = {
            "sequence": kept.nonzero().squeeze(-1).tolist(),
            "shift": shift,
            "formula": shift / (row + 2),
        }
        parts.append(pd.DataFrame({**of, "model": moved}))
    return pd.concat(parts, ignore_index=True)


def agreement(table: pd.DataFrame) -> tuple[Tensor, Tensor]:
    """Of changes, one or more lines a sequence: how far each sequence's are off the formula (mean |·|), and values for
    each sequence whose mean is the slope through zero of the model's changes on the formula's, and whose standard error
    is that of the slope (its influence function)."""
    by_sequence = {
        "squares": table["formula"] ** 2,
        "products": table["formula"] * table["model"],
        "off": (table["model"] - table["formula"]).abs(),
    }
    sums = pd.DataFrame(by_sequence).groupby(table["sequence"]).mean()
    slope = sums["products"].mean() / sums["squares"].mean()
    parts = slope + (sums["products"] - slope * sums["squares"]) / sums["squares"].mean()
    return torch.tensor(sums["off"].to_numpy()), torch.tensor(parts.to_numpy())
