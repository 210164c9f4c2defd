"""An analysis of variance of rates: variance components by expected mean squares.

    components(values, "ksd")    the component of each set of factors, from a balanced table

It is a second way to the variances of `lexurn.chapters.rules.variation`. Each axis of the table is
a factor with random levels, named by a letter. The factors are crossed, except for the seeds `s`:
the seeds of one kind of model `k` have nothing in common with the seeds of another kind, so `s` is
nested in `k`. In `variation`, models of one seed may share something. In a balanced table, this is
the only difference between the two methods.

Source: Searle, Casella & McCulloch 1992, Variance Components, chapter 4.
"""

from itertools import combinations

import numpy as np
import pandas as pd

LETTERS = {"model": "k", "seed": "s", "decoding": "d", "step": "t", "prompt": "p"}
"""The letters of the columns that are factors, in the order of the axes."""


def components(values: np.ndarray, axes: str) -> dict[str, float]:
    """Return the variance component of each set of factors; components may be negative.

    `values` has one axis per letter of `axes`, each with at least two levels. A set with `s` also
    has `k`: "ks" is the variance of seeds within kinds, and "ksd" its interaction with d. The mean
    square of a set A has the expectation Σ over sets B ⊇ A of component(B) × the number of
    values at each combination of levels of B, which is solved from the largest set down.
    """
    sets = [
        "".join(letters)
        for size in range(len(axes), 0, -1)
        for letters in combinations(axes, size)
        if "s" not in letters or "k" in letters
    ]
    sizes = dict(zip(axes, values.shape, strict=True))
    result: dict[str, float] = {}
    for name in sets:
        effect = values
        degrees_of_freedom = 1
        for axis, letter in enumerate(axes):
            if letter not in name:
                effect = effect.mean(axis, keepdims=True)
            elif letter == "k" and "s" in name:
                degrees_of_freedom *= sizes[letter]  # the seeds of each kind have their own mean
            else:
                effect = effect - effect.mean(axis, keepdims=True)
                degrees_of_freedom *= sizes[letter] - 1
        n_values = values.size / effect.size
        mean_square = n_values * float((effect**2).sum()) / degrees_of_freedom
        larger = [each for each in result if set(name) < set(each)]
        expected = sum(
            result[each] * np.prod([sizes[letter] for letter in axes if letter not in each])
            for each in larger
        )
        result[name] = float(mean_square - expected) / n_values
    return result


def with_common_seeds(rates: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the seeds that all models have, so that the table is balanced."""
    n_models = rates.groupby("seed")["model"].nunique()
    return rates[rates["seed"].map(n_models) == rates["model"].nunique()]


def total_variance(rates: pd.DataFrame, factor: str) -> float:
    """Return the variance by a factor with all its interactions.

    `rates` has the column value and some columns of `LETTERS`; each combination of their levels has
    one row. `factor` is one of these columns. The variance is that of the mean over prompts,
    unless the factor is the prompt itself. It is NaN if a column has a single level.
    """
    columns = [column for column in LETTERS if column in rates]
    shape = [rates[column].nunique() for column in columns]
    if min(shape) < 2:
        return np.nan
    values = rates.sort_values(columns)["value"].to_numpy().reshape(shape)
    letter = LETTERS[factor]
    total = 0.0
    for name, component in components(values, "".join(LETTERS[each] for each in columns)).items():
        if letter in name and not (letter == "k" and "s" in name):
            is_mean_over_prompts = "p" in name and letter != "p"
            total += component / (shape[-1] if is_mean_over_prompts else 1)
    return total
