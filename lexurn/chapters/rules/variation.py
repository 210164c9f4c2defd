"""How much each choice changes the rate of rule 1, if everything else is kept.

    typical_changes(rates, by_prompt)   one row per language, factor and method, with intervals

A factor is one choice: the positions or the architecture of the model, the seed, the decoding, the
step, or the prompt. Its variance V_f is how much the rate y varies if this factor f is drawn anew
and all others, written c, are kept:

    V_f = E_c Var_f(y | c) = ½ E_c (y(f, c) − y(f′, c))²        f and f′: two levels of the factor

It contains the interactions of f with all others, so the variances of all factors may add up to
more than the variance of y (Sobol's total effect; Jansen 1999, "Analysis of variance designs for
model output", Computer Physics Communications 117). The *typical change* is the root of V_f. Two
levels that are drawn at random differ by √2 times as much (root mean square).

Half the squared difference, averaged over all pairs of levels, is the sample variance within c,
which is unbiased. Two kinds of models cannot share their weights, so the squared difference between
kinds also contains the noise of their seeds. We multiply the difference at one seed by the
difference at another seed, averaged over all pairs of seeds, which leaves only the kinds:

    V_kinds = ½ mean over pairs of kinds and over decodings of (d̄² − s²/n)

Here d̄ and s² are the mean and the variance, over the n common seeds, of the paired difference d.
All kinds of models count alike, however many seeds they have. The second method is an analysis of
variance (`lexurn.chapters.rules.anova`), with the seeds that all kinds have.
"""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from lexurn.chapters.rules import anova
from lexurn.measures.rules import MAIN_MEASURE

POSITIONS = ("transformer", "rotary", "no positions")
"""The three transformers: with learned, with rotary and without positions."""

OTHERS = ("lstm", "mamba", "xlstm", "linear")
"""The architectures that a transformer, with one kind of positions, is compared with."""

FACTORS = {
    "positions": ("model", POSITIONS),
    "architecture (learned)": ("model", ("transformer", *OTHERS)),
    "architecture (rotary)": ("model", ("rotary", *OTHERS)),
    "architecture (none)": ("model", ("no positions", *OTHERS)),
    "seed": ("seed", (*POSITIONS, *OTHERS)),
    "decoding": ("decoding", (*POSITIONS, *OTHERS)),
    "step": ("step", (*POSITIONS, *OTHERS)),
    "prompt": ("prompt", (*POSITIONS, *OTHERS)),
}
"""The factors in the order in which they are shown: the column that changes, and the models.

The positions of the transformer among the architectures stand in brackets.
"""

MIN_SEEDS = 3
"""The smallest number of seeds from which an interval is given, and of any kind in the book."""


def between_kinds(rates: pd.DataFrame) -> float:
    """Return V_kinds of `rates` (model, seed, decoding, value); it may be negative if it is small.

    It is NaN if two kinds have fewer than two common seeds.
    """
    wide = rates.pivot(index="seed", columns=["model", "decoding"], values="value")
    squares = []
    for first, second in combinations(rates["model"].unique(), 2):
        differences = (wide[first] - wide[second]).dropna()
        squares.append((differences.mean() ** 2 - differences.sem() ** 2).mean(skipna=False))
    return float(np.mean(squares)) / 2


def within(rates: pd.DataFrame, kept: list[str]) -> float:
    """Return V of what differs in `rates` where the columns `kept` are equal; kinds count alike."""
    variances = rates.groupby(kept)["value"].var()
    return float(variances.groupby("model").mean().mean())


def one_at_a_time(rates: pd.DataFrame, factor: str) -> float:
    """Return V of a column of `rates`, as in the module's docstring, of the mean over prompts."""
    if factor in ("step", "prompt"):
        return within(rates, ["model", "seed"])
    rates = rates.groupby(["model", "seed", "decoding"], sort=False)["value"].mean().reset_index()
    if factor == "model":
        return between_kinds(rates)
    return within(rates, ["model", "seed" if factor == "decoding" else "decoding"])


METHODS = {"one at a time": one_at_a_time, "analysis of variance": anova.total_variance}


def jackknife_interval(
    compute: Callable[[list[int]], float], seeds: Sequence[int], *, log: bool
) -> tuple[float, float, float]:
    """Return the estimate of a variance and its 95 % interval over seeds, which is not below 0.

    `compute` returns the estimate from some of the seeds. Each seed is left out of all kinds of
    models at once, because models of one seed may share something. The interval is a t interval, on
    the scale of logarithms if `log` (for variances that are never negative). It holds for other
    seeds of the same kinds, steps and prompts; with fewer than `MIN_SEEDS` seeds it is NaN.

    It always has `MIN_SEEDS` − 1 degrees of freedom, because a few kinds of models, some of which
    have only three seeds, carry most of the variance. Simulated with the seeds that the book has,
    it covers 95 to 99 % if seeds are normal, and 90 to 99 % if they are resampled from the book's
    models, where single seeds fail. (With n − 1 degrees of freedom, the latter is 79 to 98 %.)
    """
    n = len(seeds)
    value = compute(list(seeds))
    if n < MIN_SEEDS:
        return value, np.nan, np.nan
    left_out = np.array([compute([seed for seed in seeds if seed != each]) for each in seeds])
    is_log = log and min(value, *left_out) > 0
    scaled = np.log(left_out) if is_log else left_out
    error = float(((n - 1) / n * ((scaled - scaled.mean()) ** 2).sum()) ** 0.5)
    half_width = float(stats.t.ppf(0.975, MIN_SEEDS - 1)) * error
    if is_log:
        return value, float(value * np.exp(-half_width)), float(value * np.exp(half_width))
    return value, max(value - half_width, 0.0), max(value + half_width, 0.0)


def factor_rates(
    rates: pd.DataFrame, by_prompt: pd.DataFrame, factor: str, language: str
) -> pd.DataFrame:
    """Return the rates that a factor is estimated from, with the columns that are factors.

    Steps: greedy, over all prompts, at the kept steps of the second half of training. Prompts:
    greedy, of one prompt, 0 or 1. All others: of each prompt, greedy and sampled, with the best
    weights.
    """
    column, models = FACTORS[factor]
    columns = ["model", "seed", "decoding", "prompt", "value"]
    table = by_prompt
    if column == "step":
        table = rates[(rates["prompts"] == "out_of_distribution") & ~rates["best"]]
        table = table[table["measure"] == MAIN_MEASURE]
        table = table[table["step"] >= rates["step"].max() / 2]
        columns[3] = "step"
    if column in ("step", "prompt"):
        table = table[table["decoding"] == "greedy"]
        columns.remove("decoding")
    return table[(table["language"] == language) & table["model"].isin(models)][columns]


def typical_changes(rates: pd.DataFrame, by_prompt: pd.DataFrame) -> pd.DataFrame:
    """Return the typical change of the rate by each of `FACTORS`, by each of `METHODS`.

    `rates` and `by_prompt` are tables of `rates_along_training` and `rates_by_prompt`, with the
    columns language, model and seed. The rate is `MAIN_MEASURE` out of distribution. Columns:
    language, factor, method, value, low, high (95 %, see `jackknife_interval`), n (seeds). A
    variance whose estimate is negative counts as 0, and none is above ½: half of the largest
    squared difference of two shares.
    """
    rows = []
    for language in by_prompt["language"].unique():
        for factor, (column, _) in FACTORS.items():
            table = factor_rates(rates, by_prompt, factor, language)
            for method, variance in METHODS.items():
                part = table
                if method == "analysis of variance":
                    part = anova.with_common_seeds(table)

                def compute(seeds: list[int], variance=variance, part=part, column=column) -> float:
                    return variance(part[part["seed"].isin(seeds)], column)

                seeds = part["seed"].unique().tolist()
                bounds = jackknife_interval(compute, seeds, log=column != "model")
                changes = np.clip(bounds, 0, 0.5) ** 0.5
                rows.append((language, factor, method, *changes, len(seeds)))
    columns = ["language", "factor", "method", "value", "low", "high", "n"]
    return pd.DataFrame(rows, columns=columns)
